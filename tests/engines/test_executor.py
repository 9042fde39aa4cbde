"""The executor submits again what was lost, and gives up when that does not help."""

import os
import signal
from pathlib import Path

import pytest

from engines._stdlib.executor import ExecutorEngine
from engines.errors import WorkerLostError
from engines.interface import Config, Resources
from tests.compare.command_line import REPOSITORY

RESOURCES = Resources(workers=2, threads_per_worker=1)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers import what they run from here."""
    monkeypatch.syspath_prepend(str(REPOSITORY))


def die_once(task: tuple[str, int]) -> int:
    """Kill the process in which the file does not exist yet."""
    path, number = task
    if number == 5:
        try:
            Path(path).touch(exist_ok=False)
        except FileExistsError:
            return number
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def raise_once(task: tuple[str, int]) -> int:
    path, number = task
    if number == 5 and not Path(path).exists():
        Path(path).touch()
        raise ConnectionError("for the first time")
    return number


def die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def inputs(folder: Path) -> list[tuple[str, int]]:
    return [(str(folder / "mark"), number) for number in range(20)]


def test_tasks_of_a_broken_executor_are_submitted_again(tmp_path: Path) -> None:
    with ExecutorEngine.open(RESOURCES) as engine:
        results = list(engine.run(die_once, inputs(tmp_path)))
        assert sorted(results) == [(number, number) for number in range(20)]
        assert sorted(engine.run(abs, [-1, 2])) == [(0, 1), (1, 2)]


def test_an_executor_that_broke_between_two_runs_is_replaced() -> None:
    with ExecutorEngine.open(RESOURCES) as engine:
        ((_, pid),) = engine.run(_pid, [0])
        os.kill(pid, signal.SIGKILL)
        assert sorted(engine.run(abs, [-1, 2])) == [(0, 1), (1, 2)]


def test_a_task_that_kills_every_process_ends_the_run() -> None:
    with ExecutorEngine.open(RESOURCES) as engine:
        with pytest.raises(WorkerLostError, match="a worker died in each of 4 attempts"):
            list(engine.run(die, [0]))
        assert list(engine.run(abs, [-1])) == [(0, 1)]


def test_an_error_of_a_task_reaches_the_program(tmp_path: Path) -> None:
    with ExecutorEngine.open(RESOURCES) as engine, pytest.raises(ConnectionError):
        list(engine.run(raise_once, inputs(tmp_path)))


@pytest.mark.parametrize("config", Config)
def test_a_task_that_raised_runs_again_only_where_faults_are_expected_and_tuned(
    tmp_path: Path, config: Config
) -> None:
    resources = Resources(workers=2, threads_per_worker=1, faults=True, config=config)
    with ExecutorEngine.open(resources) as engine:
        if config is Config.SHIPPED:
            with pytest.raises(ConnectionError):
                list(engine.run(raise_once, inputs(tmp_path)))
            return
        results = list(engine.run(raise_once, inputs(tmp_path)))
        assert sorted(results) == [(number, number) for number in range(20)]
        assert any("after an error" in setting.name for setting in engine.settings())


def _pid(_: object) -> int:
    return os.getpid()
