"""The ceiling gives each input once, and says when a process of it died."""

import os
import time

import pytest

from engines._stdlib.ceiling import Ceiling
from engines.errors import CpusRejectedError, WorkerLostError
from engines.interface import Resources
from tests.compare.command_line import REPOSITORY

RESOURCES = Resources(workers=2, threads_per_worker=1)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain processes import what they run from here."""
    monkeypatch.syspath_prepend(str(REPOSITORY))


def triple(number: int) -> int:
    return 3 * number


def where(_: object) -> int:
    time.sleep(0.2)
    return os.getpid()


def die(_: object) -> None:
    os.kill(os.getpid(), 9)


def test_each_input_comes_back_once_from_as_many_processes_as_workers() -> None:
    with Ceiling.open(RESOURCES) as ceiling:
        assert ceiling.workers() == 2
        assert sorted(ceiling.run(triple, range(50))) == [(i, 3 * i) for i in range(50)]
        assert list(ceiling.run(triple, [])) == []
        assert len({pid for _, pid in ceiling.run(where, range(6))}) == 2


def test_a_run_given_up_leaves_nothing_in_the_next() -> None:
    with Ceiling.open(RESOURCES) as ceiling:
        next(ceiling.run(triple, range(10)))
        assert sorted(ceiling.run(triple, [7, 8])) == [(0, 21), (1, 24)]


def test_a_share_of_a_core_is_refused() -> None:
    with Ceiling.open(RESOURCES) as ceiling, pytest.raises(CpusRejectedError):
        list(ceiling.run(triple, [1], cpus=0.5))


def test_a_process_that_died_is_noticed() -> None:
    with Ceiling.open(RESOURCES) as ceiling, pytest.raises(WorkerLostError, match="died"):
        list(ceiling.run(die, range(2)))


def test_nothing_of_it_is_alive_afterwards() -> None:
    with Ceiling.open(RESOURCES) as ceiling:
        pids = {pid for _, pid in ceiling.run(where, range(6))}
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
