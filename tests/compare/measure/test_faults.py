"""Who is hit, when, and what is recorded of an engine that raises or hangs."""

import socket
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from compare.measure import clock
from compare.measure.deeds import Ask, nobody
from compare.measure.faults import (
    LOAD_S,
    Fault,
    Happened,
    Reach,
    happened,
    in_a_task,
    in_its_loading,
)
from compare.records.deeds import Deed
from engines._stdlib.loop import SerialEngine
from engines.errors import EngineError, WorkerLostError
from workload.kernels.fragile import EATS, ENDED, LOADING, NO_TASK, RAISES_ONCE, STARTED, Note

TASKS, SECONDS, DEADLINE_S = 6, 0.01, 20.0
SECONDS_TO_BE_SEEN = 0.1
"""Of a task that is to be hit while it runs."""
ONE, OTHER = 101, 102


def notes(*what: tuple[str, int, int]) -> list[Note]:
    """Notes at 0 s, 1 s, …, from kind, task and process."""
    return [Note(kind, task, pid, float(at_s)) for at_s, (kind, task, pid) in enumerate(what)]


def test_nobody_is_hit_before_a_third_of_the_tasks_have_ended() -> None:
    early = notes((STARTED, 0, ONE), (STARTED, 1, OTHER), (ENDED, 0, ONE), (STARTED, 2, ONE))
    assert in_a_task(early, TASKS, 9.0) is None
    assert in_a_task([*early, Note(ENDED, 1, OTHER, 4.0)], TASKS, 9.0) == early[-1]


def test_the_process_that_started_a_task_last_and_is_still_in_it_is_hit() -> None:
    ended = notes((STARTED, 0, ONE), (STARTED, 1, OTHER), (ENDED, 0, ONE), (STARTED, 2, ONE))
    both = [*ended, Note(ENDED, 1, OTHER, 4.0), Note(STARTED, 3, OTHER, 5.0)]
    assert in_a_task(both, TASKS, 9.0) == both[-1]
    assert in_a_task([*both, Note(ENDED, 3, OTHER, 6.0)], TASKS, 9.0) == ended[-1]
    assert in_a_task([*both[:3], Note(ENDED, 1, OTHER, 4.0)], TASKS, 9.0) is None


def test_a_process_is_hit_in_the_middle_of_its_loading() -> None:
    loading = notes((LOADING, NO_TASK, ONE), (LOADING, NO_TASK, OTHER), (STARTED, 0, OTHER))
    assert in_its_loading([], TASKS, 9.0) is None
    assert in_its_loading(loading, TASKS, LOAD_S / 4) is None
    assert in_its_loading(loading, TASKS, LOAD_S / 2) == loading[0]


def test_processes_of_two_containers_with_one_number_are_two() -> None:
    first, second = (Note(STARTED, task, ONE, float(task), host) for task, host in enumerate("ab"))
    both = [Note(ENDED, 8, OTHER, 0.0, "a"), Note(ENDED, 9, OTHER, 0.0, "b"), first, second]
    assert in_a_task(both, TASKS, 9.0) == second
    assert in_a_task([*both, Note(ENDED, 1, ONE, 2.0, "b")], TASKS, 9.0) == first


class Rigged(SerialEngine):
    """Hands over what a test makes of the results."""

    def __init__(self, rig: Callable[[Iterator[Any]], Iterator[Any]]) -> None:
        super().__init__(())
        self._rig = rig

    @override
    def run(self, *asked: Any, **options: Any) -> Iterator[tuple[int, Any]]:
        return self._rig(super().run(*asked, **options))


def losing(results: Iterator[Any]) -> Iterator[Any]:
    """Two results, and then an error."""
    yield from islice(results, 2)
    raise WorkerLostError("losing: a worker died")


def stuck(results: Iterator[Any]) -> Iterator[Any]:
    """Two results, and then nothing, as long as the test runs."""
    yield from islice(results, 2)
    threading.Event().wait()


def careless(results: Iterator[Any]) -> Iterator[Any]:
    """The first result a second time, under the number of the last task."""
    *others, (last, _) = results
    yield from [*others, (last, others[0][1])]


def test_a_batch_that_ends_has_every_result_and_when_each_task_ended(tmp_path: Path) -> None:
    fault = Fault()
    tasks = fault.tasks("case", tmp_path / "notes", TASKS, SECONDS)
    seen = happened(SerialEngine(()), tasks, fault, DEADLINE_S)
    assert (seen["verdict"], seen["words"], seen["fault_s"]) == ("finished", "", None)
    assert seen["received"] == seen["starts"] == (1,) * TASKS
    assert seen["wrong"] == 0
    assert len(seen["completed_s"]) == TASKS
    assert TASKS * SECONDS <= seen["completed_s"][-1] <= seen["ended_s"] < DEADLINE_S


def test_the_error_of_a_task_is_a_failure_in_the_words_of_the_user(tmp_path: Path) -> None:
    fault = Fault(deed=RAISES_ONCE)
    tasks = fault.tasks("case", tmp_path / "notes", TASKS, SECONDS)
    seen = happened(SerialEngine(()), tasks, fault, DEADLINE_S)
    assert seen["verdict"] == "failed"
    assert seen["words"] == "InjectedError: task 2 raised, as it was told to"
    assert seen["received"] == (1, 1, 0, 0, 0, 0)
    assert seen["fault_s"] == pytest.approx(2.5 * SECONDS, abs=0.1)


def test_a_task_without_memory_is_a_failure_in_the_word_of_python(tmp_path: Path) -> None:
    fault = Fault(deed=EATS)
    tasks = fault.tasks("case", tmp_path / "notes", TASKS, SECONDS)
    seen = happened(SerialEngine(()), tasks, fault, DEADLINE_S)
    assert (seen["verdict"], seen["words"]) == ("failed", "MemoryError")
    assert seen["received"] == (1, 1, 0, 0, 0, 0)


def test_the_error_of_an_engine_is_a_failure_and_results_before_it_count(tmp_path: Path) -> None:
    tasks = Fault().tasks("case", tmp_path / "notes", TASKS, SECONDS)
    seen = happened(Rigged(losing), tasks, Fault(), DEADLINE_S)
    assert (seen["verdict"], seen["words"]) == ("failed", "losing: a worker died")
    assert seen["received"] == (1, 1, 0, 0, 0, 0)


def test_an_engine_that_hands_over_nothing_more_hangs_until_the_deadline(tmp_path: Path) -> None:
    tasks = Fault().tasks("case", tmp_path / "notes", TASKS, SECONDS)
    seen = happened(Rigged(stuck), tasks, Fault(), 0.3)
    assert (seen["verdict"], seen["words"]) == ("hung", "")
    assert 0.3 <= seen["ended_s"] < 2
    assert seen["received"] == (1, 1, 0, 0, 0, 0)


def test_a_wrong_result_is_counted(tmp_path: Path) -> None:
    tasks = Fault().tasks("case", tmp_path / "notes", TASKS, SECONDS)
    assert happened(Rigged(careless), tasks, Fault(), DEADLINE_S)["wrong"] == 1


class Runner:
    """Notes what it is asked for, and does nothing."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, float]] = []

    def ask(self, deed: Deed) -> float:
        self.asked.append((deed.what, deed.host, clock.now()))
        return clock.now()


def hit(fault: Fault, folder: Path, ask: Ask) -> Happened:
    tasks = fault.tasks("case", folder / "notes", TASKS, SECONDS_TO_BE_SEEN)
    return happened(SerialEngine(()), tasks, fault, DEADLINE_S, Reach(ask=ask))


def test_the_container_of_the_victim_is_killed_once(tmp_path: Path) -> None:
    runner = Runner()
    seen = hit(Fault(victim=in_a_task, container=True), tmp_path, runner.ask)
    ((what, host, _),) = runner.asked
    assert (what, host) == ("kill", socket.gethostname())
    assert seen["fault_s"] is not None
    assert seen["fault_s"] >= (TASKS // 3) * SECONDS_TO_BE_SEEN
    assert seen["verdict"] == "finished"


@pytest.mark.parametrize("cut_s", [2 * SECONDS_TO_BE_SEEN, 60.0])
def test_a_container_that_was_cut_off_is_connected_again_at_the_end_at_the_latest(
    tmp_path: Path, cut_s: float
) -> None:
    runner = Runner()
    seen = hit(Fault(victim=in_a_task, container=True, stopped_s=cut_s), tmp_path, runner.ask)
    (cut, _, cut_at_s), (mend, host, mended_at_s) = runner.asked
    assert (cut, mend, host) == ("cut", "mend", socket.gethostname())
    assert cut_s > DEADLINE_S or mended_at_s - cut_at_s >= cut_s
    assert seen["ended_s"] < DEADLINE_S


def test_a_fault_that_comes_after_the_last_result_did_not_happen(tmp_path: Path) -> None:
    def late(_: Deed) -> float:
        return clock.now() + 60.0

    seen = hit(Fault(victim=in_a_task, container=True), tmp_path, late)
    assert (seen["verdict"], seen["fault_s"]) == ("finished", None)


def test_a_fault_that_nobody_makes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=f"nobody to kill {socket.gethostname()}"):
        hit(Fault(victim=in_a_task, container=True), tmp_path, nobody)
