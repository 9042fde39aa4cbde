"""What is measured in the time that is left."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from compare.options import PresetName
from compare.plan.growth import Knowledge, next_sessions, without_later_blocks
from compare.records.plan import Plan, Session
from tests.compare import fakes

BLOCK_S, SESSION_S = 100.0, 12.0


def known(
    disturbed: dict[str, float] | None = None, widths: dict[str, float] | None = None
) -> Knowledge:
    return Knowledge(disturbed=disturbed or {}, widths=widths or {}, precision=0.05)


def standard(blocks: int = 3) -> Plan:
    plan = fakes.plan(experiments=("throughput", "overhead"), blocks=blocks)
    return replace(plan, options=replace(plan.options, preset=PresetName.STANDARD, minutes=10))


def grown(plan: Plan, knowledge: Knowledge, room: int = 10**6) -> tuple[Plan, list[Session]]:
    more = list(next_sessions(plan, knowledge, lambda sessions: len(sessions) <= room))
    return plan.with_sessions((*plan.sessions, *more)), more


def test_the_worst_disturbed_session_comes_first_and_each_only_once() -> None:
    knowledge = known({"1-ray": 2.0, "2-dask": 5.0})
    plan, first = grown(standard(), knowledge)
    plan, second = grown(plan, knowledge)
    assert [one.repeats for one in (*first, *second)] == ["2-dask", "1-ray"]
    assert first[0].cases == next(one.cases for one in plan.sessions if one.id == "2-dask")
    again = known({"1-ray": 2.0, "2-dask": 5.0, "1-ray-again": 9.0})
    _, third = grown(plan, again)
    assert not any(session.repeats for session in third)


def test_without_time_for_all_of_them_only_throughput_is_measured_again() -> None:
    plan, knowledge = standard(), known({"1-ray": 2.0, "2-dask": 5.0})
    limit_s = seconds(plan.sessions) + 2
    added: list[Session] = []
    while more := next_sessions(plan, knowledge, partial(_fit, limit_s - seconds(plan.sessions))):
        plan = plan.with_sessions((*plan.sessions, *more))
        added += more
    again = [session for session in added if session.repeats]
    assert [session.repeats for session in again] == ["2-dask", "1-ray"]
    assert all([case.experiment for case in one.cases] == ["throughput"] for one in again)
    # Start and stop are those of the first session.
    assert all(session.label for session in again)


def test_with_time_for_all_of_them_disturbed_references_wait_for_the_engines() -> None:
    plan, knowledge = standard(), known({"1-serial": 5.0, "2-ceiling": 4.0, "1-ray": 2.0})
    repeated = []
    for _ in range(3):
        plan, more = grown(plan, knowledge)
        repeated.append(more[0].repeats)
    assert repeated == ["1-ray", "1-serial", "2-ceiling"]


def repeated_in_time(room_s: int) -> list[tuple[str | None, set[str]]]:
    """What is measured again, of two engines and two references, in so many seconds."""
    plan = standard()
    knowledge = known({"1-ray": 5.0, "2-dask": 2.0, "2-serial": 4.0, "2-ceiling": 3.0})
    limit_s = seconds(plan.sessions) + room_s
    again: list[tuple[str | None, set[str]]] = []
    while more := next_sessions(plan, knowledge, partial(_fit, limit_s - seconds(plan.sessions))):
        plan = plan.with_sessions((*plan.sessions, *more))
        again += [(one.repeats, _held([one])) for one in more if one.repeats]
    return again


def test_without_time_for_all_of_them_the_throughput_of_the_references_comes_first() -> None:
    throughput, both = {"throughput"}, {"throughput", "overhead"}
    sizes = {one.id: len(one.cases) for one in standard().sessions}
    engines_s = sizes["1-ray"] + sizes["2-dask"]
    references = [("2-serial", throughput), ("2-ceiling", throughput)]
    assert repeated_in_time(1) == references[:1]
    assert repeated_in_time(3) == [*references, ("1-ray", throughput)]
    # Once there is time for all that is left, its order does not matter.
    first, *others = repeated_in_time(2 + engines_s)
    assert first == references[0]
    assert sorted(others, key=str) == [("1-ray", both), ("2-ceiling", throughput), ("2-dask", both)]
    with_all = [("1-ray", both), ("2-dask", both), ("2-serial", both)]
    with_all.append(("2-ceiling", throughput))
    assert repeated_in_time(10**3)[:4] == with_all


@pytest.mark.parametrize("blocks", [1, 2])
def test_no_session_is_measured_again_in_the_time_for_intervals(blocks: int) -> None:
    start = standard(blocks)
    knowledge = known({f"1-{name}": 5.0 for name in ("serial", "ray", "dask", "multiprocessing")})
    _, whole = grown(start, known())
    _, first = grown(replace(start, experiments=("throughput",)), known())
    lacking = 3 - blocks
    for room_s in range(lacking * seconds(whole) + 30):
        plan, left_s = start, room_s
        while more := next_sessions(plan, knowledge, partial(_fit, left_s)):
            plan = plan.with_sessions((*plan.sessions, *more))
            left_s -= seconds(more)
        repeated = {session.repeats for session in plan.sessions} - {None}
        if room_s >= lacking * seconds(whole):
            assert plan.blocks_of("overhead") >= 3
        if room_s >= lacking * seconds(first):
            assert plan.blocks_of("throughput") >= 3
        elif room_s > 0:
            # There is no interval anyway, so that what was measured becomes better.
            assert repeated


def test_a_disturbed_session_of_one_block_waits_until_the_wanted_blocks_are_there() -> None:
    plan = fakes.plan(experiments=("throughput", "fractional"), blocks=3)
    plan = replace(plan, options=replace(plan.options, preset=PresetName.STANDARD, minutes=10))
    knowledge = known({"1-ray-fractional": 9.0, "1-ray": 2.0}, {"throughput": 0.9})
    firsts = []
    for _ in range(5):
        plan, more = grown(plan, knowledge)
        firsts.append(more[0].repeats or more[0].block)
    assert firsts == ["1-ray", 4, 5, "1-ray-fractional", 6]


def seconds(sessions: Sequence[Session]) -> int:
    """As if every case took a second."""
    return sum(len(session.cases) for session in sessions)


def in_time(plan: Plan, limit_s: int) -> Plan:
    """The plan after everything was added that these seconds allow."""
    knowledge = known(widths={"overhead": 0.9, "throughput": 0.2})
    while True:
        left_s = limit_s - seconds(plan.sessions)
        more = next_sessions(plan, knowledge, partial(_fit, left_s))
        if not more:
            return plan
        plan = plan.with_sessions((*plan.sessions, *more))


def _fit(left_s: int, sessions: Sequence[Session]) -> bool:
    return seconds(sessions) <= left_s


def _held(sessions: Sequence[Session]) -> set[str]:
    return {case.experiment for session in sessions for case in session.cases}


def test_throughput_and_overhead_get_five_blocks_where_there_is_time() -> None:
    plan = standard()
    for block in (4, 5):
        plan, more = grown(plan, known(widths={"matrix": 0.9}))
        assert {session.block for session in more} == {block}
        assert _held(more) == {"throughput", "overhead"}
    assert plan.blocks_of("throughput") == plan.blocks_of("overhead") == 5


def test_overhead_never_takes_a_block_of_throughput_away() -> None:
    three = standard()
    _, block = grown(replace(three, experiments=("throughput",)), known())
    for room_s in range(200):
        plan = in_time(three, seconds(three.sessions) + room_s)
        assert plan.blocks_of("throughput") >= 3 + min(room_s // seconds(block), 2)


def test_without_time_for_a_whole_block_all_that_fits_is_measured_in_one() -> None:
    names = ("throughput", "overhead", "submission", "payload")
    plan = fakes.plan(experiments=names, blocks=2)
    plan = replace(plan, options=replace(plan.options, preset=PresetName.STANDARD, minutes=10))
    more = next_sessions(plan, known(), lambda block: "overhead" not in _held(block))
    assert _held(more) == {"throughput", "submission", "payload"}
    assert {session.block for session in more} == {3}


def test_a_block_for_one_experiment_opens_only_the_engines_that_it_needs() -> None:
    plan = fakes.plan(experiments=("throughput", "lying"), blocks=5)
    plan = replace(plan, options=replace(plan.options, preset=PresetName.STANDARD, minutes=10))
    _, more = grown(plan, known(widths={"lying": 0.9}))
    assert {session.block for session in more} == {6}
    assert all(session.cases for session in more)


def test_then_the_comparison_with_the_widest_interval_gets_a_block() -> None:
    plan = standard(blocks=5)
    plan, more = grown(plan, known(widths={"overhead": 0.9, "throughput": 0.2}))
    held = {case.experiment for one in more if one.engine != "serial" for case in one.cases}
    assert held == {"overhead"}
    _, more = grown(plan, known(widths={"overhead": 0.1, "throughput": 0.2}))
    held = {case.experiment for session in more for case in session.cases}
    assert held == {"throughput"}


def test_nothing_is_added_when_all_intervals_are_as_narrow_as_wanted() -> None:
    _, more = grown(standard(blocks=5), known(widths={"overhead": 0.04, "throughput": 0.05}))
    assert more == []


@pytest.mark.parametrize("room", [0, 1, 5])
def test_nothing_is_added_that_does_not_fit_in_the_time(room: int) -> None:
    knowledge = known({"1-ray": 2.0}, {"overhead": 0.9, "throughput": 0.2})
    _, more = grown(standard(), knowledge, room)
    assert len(more) == min(room, 1)


def test_blocks_for_which_there_is_no_time_are_taken_out_of_the_plan() -> None:
    plan = without_later_blocks(standard(), 3)
    assert {session.block for session in plan.sessions} == {1, 2}
    assert plan.blocks == 2
    assert [session.position for session in plan.sessions] == list(range(len(plan.sessions)))


def ids(sessions: Sequence[Session]) -> set[str]:
    return {session.id for session in sessions}


def test_added_sessions_have_names_of_their_own() -> None:
    plan = standard()
    for _ in range(6):
        plan, _ = grown(plan, known({"1-ray": 2.0}, {"overhead": 0.9, "throughput": 0.2}))
    assert len(ids(plan.sessions)) == len(plan.sessions)
