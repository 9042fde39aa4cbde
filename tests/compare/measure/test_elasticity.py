"""Which processes count as workers, and until when, of engines that need no framework."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from compare.measure.elasticity import Demand, Limits, process, watched
from engines._stdlib.loop import SerialEngine
from engines.errors import WorkerLostError

DEMAND = Demand(many=4, task_s=0.05, long_s=0.2)
LIMITS = Limits(work_s=20, release_s=2)


class Elastic(SerialEngine):
    """Has two new processes for each run."""

    def __init__(self, *, keeps: bool = False) -> None:
        super().__init__(())
        self.kept: list[ProcessPoolExecutor] = []
        self._keeps = keeps

    @override
    def run(
        self, function: Callable[[Any], Any], inputs: Sequence[Any], **_: Any
    ) -> Iterator[tuple[int, Any]]:
        pool = ProcessPoolExecutor(min(2, len(inputs)), multiprocessing.get_context("spawn"))
        yield from enumerate(pool.map(function, inputs))
        if self._keeps:
            self.kept.append(pool)
        else:
            pool.shutdown()


class Stuck(SerialEngine):
    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(())
        self._error = error

    @override
    def run(self, *_: Any, **__: Any) -> Iterator[tuple[int, Any]]:
        if self._error is not None:
            raise self._error
        time.sleep(30)
        yield 0, None


def test_each_process_is_a_worker_from_its_start_until_it_is_gone(tmp_path: Path) -> None:
    seen = watched(Elastic(), "case", tmp_path / "notes", DEMAND, LIMITS)
    assert (seen["verdict"], seen["words"]) == ("finished", "")
    assert seen["starts"] == (1,) * DEMAND.tasks
    assert [one.tasks for one in seen["submitted"]] == [5, 4]
    assert len(seen["completed_s"]) == DEMAND.tasks
    assert 2 <= len(seen["workers"]) <= 4
    for life in seen["workers"]:
        assert life.gone_s is not None
        assert 0 <= life.created_s < life.first_task_s < life.gone_s <= seen["watched_s"]
    assert seen["completed_s"][-1] < seen["ended_s"] <= seen["watched_s"]


def test_without_a_long_task_the_many_come_once(tmp_path: Path) -> None:
    alone = replace(DEMAND, long_s=None)
    seen = watched(Elastic(), "case", tmp_path / "notes", alone, LIMITS)
    assert seen["verdict"] == "finished"
    assert [one.tasks for one in seen["submitted"]] == [4]
    assert seen["starts"] == (1,) * 4


def test_the_watch_ends_although_workers_remain(tmp_path: Path) -> None:
    engine = Elastic(keeps=True)
    limits = LIMITS._replace(release_s=0.3)
    seen = watched(engine, "case", tmp_path / "notes", DEMAND, limits)
    for pool in engine.kept:
        pool.shutdown()
    assert seen["watched_s"] == pytest.approx(seen["ended_s"] + 0.3, abs=0.2)
    assert {life.gone_s for life in seen["workers"]} == {None}


def test_an_engine_without_results_hangs(tmp_path: Path) -> None:
    seen = watched(Stuck(), "case", tmp_path / "notes", DEMAND, Limits(0.2, 0.2))
    assert (seen["verdict"], seen["workers"], seen["completed_s"]) == ("hung", (), ())
    assert seen["ended_s"] == pytest.approx(0.2, abs=0.1)


def test_results_after_the_limit_come_too_late(tmp_path: Path) -> None:
    seen = watched(Elastic(), "case", tmp_path / "notes", DEMAND, Limits(0.1, 20))
    assert seen["verdict"] == "hung"
    assert seen["watched_s"] < 5


def test_an_error_of_the_engine_is_a_result_and_another_is_raised(tmp_path: Path) -> None:
    lost = Stuck(WorkerLostError("gone"))
    seen = watched(lost, "case", tmp_path / "notes", DEMAND, LIMITS)
    assert (seen["verdict"], seen["words"]) == ("failed", "gone")
    with pytest.raises(ValueError, match="no engine's"):
        watched(Stuck(ValueError("no engine's")), "case", tmp_path / "notes", DEMAND, LIMITS)


def test_a_process_has_its_parent_and_its_start_until_it_has_ended() -> None:
    before_s = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = process(child.pid)
        assert found is not None
        assert found.parent == os.getpid()
        assert before_s - 0.02 <= found.created_s <= time.monotonic()
        child.kill()
        child.wait()
        assert process(child.pid) is None


def test_a_process_that_nobody_has_waited_for_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    until_s = time.monotonic() + 10
    while process(child.pid) is not None and time.monotonic() < until_s:
        time.sleep(0.01)
    assert process(child.pid) is None
    child.wait()
