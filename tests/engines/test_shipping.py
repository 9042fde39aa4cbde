"""What engines ship to workers that run arrives there, with their own means."""

from typing import Any

import pytest

from engines.interface import Capability
from engines.registry import load_engine
from tests.engines.outcomes import outcome
from tests.engines.placement import HERE
from tests.engines.shipping import TASKS
from tests.engines.tasks import MISSING

pytestmark = [pytest.mark.placed(HERE), pytest.mark.plain, pytest.mark.timeout(300)]

ISOLATING = {"ray"}
"""Engines whose tasks import what was shipped for them, and nothing of other tasks."""


def claims(engine_name: str, capability: Capability) -> bool:
    return capability in load_engine(engine_name).capabilities


def shipped(engine_name: str) -> dict[str, Any]:
    return outcome("ships", engine_name).seen


def test_an_engine_ships_code_and_wheels_exactly_when_it_claims_to(engine_name: str) -> None:
    seen = shipped(engine_name)
    if not claims(engine_name, Capability.SHIPS):
        assert seen["marks"] is None
        return
    assert seen["marks"]["code"] == [seen["sent"]["code"]] * TASKS
    assert seen["marks"]["wheel"] == [seen["sent"]["wheel"]] * TASKS


def test_two_versions_exist_side_by_side_only_in_processes_of_their_own(engine_name: str) -> None:
    if not claims(engine_name, Capability.SHIPS):
        pytest.skip("another test checks that it ships nothing")
    seen = shipped(engine_name)
    first, second = seen["marks"]["first version"], seen["marks"]["second version"]
    if engine_name in ISOLATING:
        assert set(second) == {seen["sent"]["other"]}
        assert set(first) == {seen["sent"]["code"]}
    else:
        # A worker keeps the modules that it has imported.
        assert set(second) == set(first) == {seen["sent"]["code"]}


def test_what_was_shipped_for_some_tasks_is_there_for_all_unless_they_are_isolated(
    engine_name: str,
) -> None:
    if not claims(engine_name, Capability.SHIPS):
        pytest.skip("another test checks that it ships nothing")
    seen = shipped(engine_name)
    wanted = MISSING if engine_name in ISOLATING else seen["sent"]["wheel"]
    assert seen["unshipped"] == [wanted] * TASKS


@pytest.mark.timeout(600)
def test_an_engine_installs_a_package_exactly_when_it_claims_to(engine_name: str) -> None:
    seen = outcome("installs", engine_name).seen
    if not claims(engine_name, Capability.INSTALLS):
        assert seen["marks"] is None
        return
    assert seen["marks"] == [seen["sent"]] * TASKS
    assert seen["changed"] == []


def test_an_engine_that_shipped_leaves_no_process_and_no_file(engine_name: str) -> None:
    left = outcome("ships", engine_name)
    assert left.alive == ()
    assert left.files == ()
