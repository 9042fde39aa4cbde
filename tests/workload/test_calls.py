"""The counts of kernel calls outlive the process that made the calls."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compare.command_line import REPOSITORY
from workload import calls


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY))


def count_twice(case: str) -> None:
    calls.count(case)
    calls.count(case)


def count_and_die(case: str) -> None:
    calls.count(case)
    os.kill(os.getpid(), signal.SIGKILL)


def count_many(case: str) -> None:
    for number in range(200):
        calls.count(f"{case}/{number}")
    calls.count(case)


def run_in_process(target: Callable[[str], None], case: str, *, forked: bool = False) -> int | None:
    fork, spawn = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")
    process = (fork if forked else spawn).Process(target=target, args=(case,))
    process.start()
    process.join()
    return process.pid


def test_the_calls_of_a_killed_process_are_counted() -> None:
    with calls.kept():
        killed, lived = run_in_process(count_and_die, "one"), run_in_process(count_twice, "one")
        assert killed is not None
        assert lived is not None
        assert calls.counted(["one"]) == {calls.worker(killed): 1, calls.worker(lived): 2}
        assert calls.counted(["another"]) == {}


def test_a_folder_beside_the_counts_is_no_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(calls.FOLDER, str(tmp_path))
    (tmp_path / "notes").mkdir()
    assert calls.counted(["one"]) == {}


def test_a_process_keeps_the_counts_of_its_newest_cases() -> None:
    with calls.kept():
        pid = run_in_process(count_many, "many")
        assert pid is not None
        newest = ["many", *(f"many/{number}" for number in range(150, 200))]
        assert calls.counted(newest) == {calls.worker(pid): 51}


def test_a_process_counts_its_calls_without_a_folder() -> None:
    assert calls.counted(["alone"]) == {}
    assert [calls.count("alone"), calls.count("alone")] == [1, 2]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_counts_only_its_own_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_cells", [])
    monkeypatch.setattr(calls, "_calls", {})
    monkeypatch.setattr(calls, "_cell_of", {})
    with calls.kept():
        calls.count("forked")
        pid = run_in_process(count_twice, "forked", forked=True)
        assert pid is not None
        expected = {calls.worker(os.getpid()): 1, calls.worker(pid): 2}
        assert calls.counted(["forked"]) == expected
