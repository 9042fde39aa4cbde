"""An engine leaves no processes and files behind, no matter how its session ends."""

import signal

import pytest

from engines.interface import Capability
from engines.registry import load_engine
from tests.engines.outcomes import GONE_LIMIT_S, outcome
from tests.engines.placement import HERE

pytestmark = pytest.mark.placed(HERE)

CLOSE_LIMIT_S = 10


def test_an_engine_leaves_no_process_and_no_file_when_it_closes(engine_name: str) -> None:
    ended = outcome("promises", engine_name)
    assert ended.code == 0, ended.errors
    assert ended.alive == ()
    assert ended.files == ()
    assert ended.ended_in_s < CLOSE_LIMIT_S


@pytest.mark.plain
def test_an_engine_leaves_nothing_when_the_program_raises(engine_name: str) -> None:
    ended = outcome("fails", engine_name)
    assert ended.code == 1
    assert "ZeroDivisionError" in ended.errors
    assert ended.alive == ()
    assert ended.files == ()


@pytest.mark.plain
@pytest.mark.parametrize("end_with", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_an_engine_leaves_nothing_when_a_run_is_interrupted(
    engine_name: str, end_with: signal.Signals
) -> None:
    ended = outcome("waits", engine_name, end_with=end_with)
    assert ended.said == ("running",)
    assert ended.code != 0
    assert ended.alive == ()
    assert ended.files == ()
    assert ended.ended_in_s < CLOSE_LIMIT_S


@pytest.mark.plain
def test_an_engine_leaves_nothing_when_a_one_by_one_run_is_interrupted(engine_name: str) -> None:
    if Capability.BULK not in load_engine(engine_name).capabilities:
        pytest.skip("the engine has no other way to submit tasks")
    ended = outcome("waits_one_by_one", engine_name, end_with=signal.SIGINT)
    assert ended.said == ("running",)
    assert ended.code != 0
    assert ended.alive == ()
    assert ended.files == ()
    assert ended.ended_in_s < CLOSE_LIMIT_S


@pytest.mark.plain
def test_an_engine_leaves_no_process_when_the_program_is_killed(engine_name: str) -> None:
    ended = outcome("waits", engine_name, end_with=signal.SIGKILL, grace_s=GONE_LIMIT_S)
    assert ended.code == -signal.SIGKILL
    # Ray's agents stay for up to a minute: they try to report the failure to the dead cluster.
    agents = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
    assert [process for process in ended.alive if not process.startswith(agents)] == []
