"""Nothing of an engine is left when its session has ended, however it ended."""

import signal

import pytest

from engines.interface import Capability
from engines.registry import load_engine
from tests.engines.outcomes import GONE_LIMIT_S, outcome
from tests.engines.placement import HERE

pytestmark = pytest.mark.placed(HERE)

CLOSE_LIMIT_S = 10


def test_leaves_no_process_and_no_file_when_it_ends(engine_name: str) -> None:
    ended = outcome("promises", engine_name)
    assert ended.code == 0, ended.errors
    assert ended.alive == ()
    assert ended.files == ()
    assert ended.ended_in_s < CLOSE_LIMIT_S


def test_leaves_nothing_when_the_program_raises(engine_name: str) -> None:
    ended = outcome("fails", engine_name)
    assert ended.code == 1
    assert "ZeroDivisionError" in ended.errors
    assert ended.alive == ()
    assert ended.files == ()


@pytest.mark.parametrize("end_with", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_leaves_nothing_when_it_is_interrupted_in_mid_run(
    engine_name: str, end_with: signal.Signals
) -> None:
    ended = outcome("waits", engine_name, end_with=end_with)
    assert ended.said == ("running",)
    assert ended.code != 0
    assert ended.alive == ()
    assert ended.files == ()
    assert ended.ended_in_s < CLOSE_LIMIT_S


def test_leaves_nothing_when_it_is_interrupted_among_calls_for_each_task(engine_name: str) -> None:
    if Capability.BULK not in load_engine(engine_name).capabilities:
        pytest.skip("has no other way to run tasks")
    ended = outcome("waits_one_by_one", engine_name, end_with=signal.SIGINT)
    assert ended.said == ("running",)
    assert ended.code != 0
    assert ended.alive == ()
    assert ended.files == ()
    assert ended.ended_in_s < CLOSE_LIMIT_S


def test_leaves_no_process_when_the_program_is_killed(engine_name: str) -> None:
    ended = outcome("waits", engine_name, end_with=signal.SIGKILL, grace_s=GONE_LIMIT_S)
    assert ended.code == -signal.SIGKILL
    # Ray's agents try for a minute to tell the cluster, which is gone, that it is gone.
    agents = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
    assert [process for process in ended.alive if not process.startswith(agents)] == []
