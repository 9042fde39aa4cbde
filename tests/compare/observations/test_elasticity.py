"""How well supply followed demand, checked against values computed by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.observations.elasticity import (
    Levels,
    accuracy,
    decision_s,
    demand,
    first_new,
    fixed_worker_time_s,
    full_supply_s,
    jitter_per_min,
    most_workers,
    process_start_s,
    ran_twice,
    reaction_s,
    release_s,
    supply,
    timeshare,
    worker_time_s,
)
from compare.records.measurements import ElasticityRun, Submission, WorkerLife
from compare.records.plan import Case

# Two workers at most: three tasks at 0 s, one at 8 s, three at 10 s.
RUN = ElasticityRun(
    session="1-ray-elasticity",
    block=1,
    position=0,
    engine="ray",
    case=Case(experiment="elasticity", parameters={}),
    most=2,
    verdict="finished",
    words="",
    ended_s=14.0,
    watched_s=20.0,
    submitted=(Submission(0.0, 3), Submission(8.0, 1), Submission(10.0, 3)),
    completed_s=(5.0, 6.0, 8.0, 10.0, 12.0, 13.0, 14.0),
    starts=(1,) * 7,
    workers=(
        WorkerLife(created_s=1.0, first_task_s=3.0, gone_s=18.0),
        WorkerLife(created_s=2.0, first_task_s=4.0, gone_s=9.0),
        WorkerLife(created_s=11.0, first_task_s=12.0, gone_s=20.0),
    ),
)
ASKED: Levels = [(0.0, 2), (4.0, 1), (8.0, 0)]
GIVEN: Levels = [(1.0, 1), (3.0, 2), (6.0, 1), (10.0, 0)]
"""One short in 0 to 1 twice over, and in 1 to 3; one to spare in 4 to 6 and in 8 to 10."""


def test_demand_is_what_was_submitted_and_has_not_ended_up_to_the_most_workers() -> None:
    assert list(demand(RUN)) == [
        *((0.0, 2), (5.0, 2), (6.0, 1), (8.0, 1), (10.0, 2)),
        *((12.0, 2), (13.0, 1), (14.0, 0)),
    ]


def test_supply_counts_workers_from_their_first_task_until_they_are_gone() -> None:
    levels = [(3.0, 1), (4.0, 2), (9.0, 1), (12.0, 2), (18.0, 1), (20.0, 0)]
    assert list(supply(RUN)) == levels


def test_accuracy_is_the_mean_number_of_workers_short_and_to_spare() -> None:
    assert accuracy(ASKED, GIVEN, 10.0) == pytest.approx((0.4, 0.4))
    assert accuracy(ASKED, GIVEN, 20.0) == pytest.approx((0.2, 0.2))


def test_a_timeshare_is_the_share_of_the_time_short_and_with_spare_workers() -> None:
    assert timeshare(ASKED, GIVEN, 10.0) == pytest.approx((0.3, 0.4))


def test_jitter_is_the_surplus_of_changes_in_a_minute() -> None:
    assert jitter_per_min(ASKED, GIVEN, 10.0) == 0
    restless = [(1.0, 2), (2.0, 1), (3.0, 2), (6.0, 1), (10.0, 0)]
    assert jitter_per_min(ASKED, restless, 10.0) == pytest.approx(12)
    assert jitter_per_min(ASKED, [(1.0, 2)], 10.0) == pytest.approx(-12)


times = st.floats(0, 100, allow_subnormal=False)
levels = st.lists(
    st.tuples(times, st.integers(0, 9)), max_size=8, unique_by=lambda one: one[0]
).map(sorted)


@given(asked=levels, given_=levels, until_s=st.floats(1, 120))
def test_short_and_spare_differ_by_the_means_of_supply_and_demand(
    asked: Levels, given_: Levels, until_s: float
) -> None:
    under, over = accuracy(asked, given_, until_s)
    supplied, _ = accuracy(given_, [], until_s)
    demanded, _ = accuracy(asked, [], until_s)
    assert over - under == pytest.approx(supplied - demanded, abs=1e-9)
    assert accuracy(given_, asked, until_s) == pytest.approx((over, under), abs=1e-9)
    assert accuracy(asked, asked, until_s) == (0, 0)
    short, spare = timeshare(asked, given_, until_s)
    assert 0 <= short + spare <= 1 + 1e-9
    assert (short > 0, spare > 0) == (under > 0, over > 0)


def test_the_time_of_workers_is_that_of_their_processes() -> None:
    assert worker_time_s(RUN) == 17 + 7 + 9
    kept = replace(RUN, workers=(*RUN.workers[:2], RUN.workers[2]._replace(gone_s=None)))
    assert worker_time_s(kept) == 17 + 7 + 9


def test_a_reaction_is_the_decision_and_the_start_of_the_process() -> None:
    assert (decision_s(RUN, 0), process_start_s(RUN, 0), reaction_s(RUN, 0)) == (1, 2, 3)
    assert (decision_s(RUN, 1), process_start_s(RUN, 1), reaction_s(RUN, 1)) == (1, 1, 2)


def test_a_rise_that_no_new_worker_followed_has_no_reaction() -> None:
    kept = replace(RUN, workers=RUN.workers[:2])
    assert first_new(kept, 1) is None
    assert reaction_s(kept, 1) is None
    assert reaction_s(replace(RUN, submitted=RUN.submitted[:1]), 1) is None


def test_the_supply_is_full_if_it_was_while_the_first_tasks_ran() -> None:
    assert full_supply_s(RUN) == 4
    assert full_supply_s(replace(RUN, most=3)) is None
    assert full_supply_s(replace(RUN, workers=RUN.workers[::2])) is None


def test_workers_are_released_when_the_last_is_gone() -> None:
    assert release_s(RUN) == 6
    assert release_s(replace(RUN, workers=(RUN.workers[0]._replace(gone_s=None),))) is None
    assert release_s(replace(RUN, completed_s=())) is None


def test_tasks_that_workers_started_again_ran_twice() -> None:
    assert ran_twice(RUN) == 0
    assert ran_twice(replace(RUN, starts=(1, 2, 3, 0, 1, 1, 1))) == 2


def test_the_most_workers_are_those_that_existed_at_the_same_time() -> None:
    assert most_workers(RUN) == 2
    assert most_workers(replace(RUN, workers=())) == 0


def test_fixed_workers_are_paid_until_the_last_result() -> None:
    assert fixed_worker_time_s(RUN) == 2 * 14.0
    assert fixed_worker_time_s(replace(RUN, verdict="hung")) is None
