"""loky keeps its processes, and makes new ones after a loss."""

import os

import pytest

from engines._stdlib.reusable import LokyEngine
from engines.errors import WorkerLostError
from engines.interface import Resources
from tests.compare.command_line import REPOSITORY
from tests.engines.tasks import kill_worker

RESOURCES = Resources(workers=2, threads_per_worker=1)
LARGE_BYTES = 400_000_000

_kept: list[bytearray] = []


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers import what they run from here."""
    monkeypatch.syspath_prepend(str(REPOSITORY))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))


def keep(_: object) -> int:
    """Load something large once; the second of a task makes loky look at the memory."""
    import time

    if not _kept:
        _kept.append(bytearray(b"x") * LARGE_BYTES)
    time.sleep(1.1)
    return os.getpid()


def test_a_worker_that_has_loaded_something_large_stays() -> None:
    with LokyEngine.open(RESOURCES) as engine:
        before = {process for _, process in engine.run(keep, range(4))}
        after = {process for _, process in engine.run(keep, range(2))}
    assert after <= before
    assert len(before) == 2


def test_after_a_loss_the_next_run_has_a_new_executor() -> None:
    with LokyEngine.open(RESOURCES) as engine:
        with pytest.raises(WorkerLostError, match="loky"):
            list(engine.run(kill_worker, [0]))
        assert sorted(engine.run(abs, [-1, 2])) == [(0, 1), (1, 2)]
