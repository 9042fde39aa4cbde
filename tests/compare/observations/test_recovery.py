"""What a fault cost, checked against values computed by hand."""

from dataclasses import replace

import pytest

from compare.observations.compound import Trial
from compare.observations.recovery import correct, ran_twice, recovery_s, time_lost_s
from compare.records.measurements import FaultRun, Span
from compare.records.plan import Case
from tests.compare import fakes

WORKERS, TASKS = 2, 24
EVERY_S = 0.5
"""Between the ends of two tasks in the twin."""
TWIN = fakes.task_run(
    makespan_s=TASKS * EVERY_S + 0.1,
    spans=tuple(Span(n, 0, n * EVERY_S, (n + 1) * EVERY_S, 0.0) for n in range(TASKS)),
)
FAULT_S = 3.0


def faulty(*completed_s: float, **changes: object) -> Trial:
    base = FaultRun(
        session="1-ray",
        block=1,
        position=0,
        engine="ray",
        case=Case(experiment="faults", parameters={}),
        tasks=TASKS,
        verdict="finished",
        words="",
        ended_s=15.0,
        deadline_s=60.0,
        fault_s=FAULT_S,
        received=(1,) * TASKS,
        wrong=0,
        starts=(1,) * TASKS,
        completed_s=completed_s,
    )
    return Trial(twin=TWIN, faulty=replace(base, **changes))  # type: ignore[arg-type]


def ends(first_s: float, every_s: float, count: int) -> list[float]:
    return [first_s + n * every_s for n in range(count)]


def test_results_are_right_if_each_came_once_with_its_content() -> None:
    assert correct(faulty()) == 1
    assert correct(faulty(received=(1, 2) + (1,) * (TASKS - 2))) == 0
    assert correct(faulty(received=(1, 0) + (1,) * (TASKS - 2))) == 0
    assert correct(faulty(wrong=1)) == 0


def test_tasks_that_were_started_more_than_once_are_counted_once_each() -> None:
    assert ran_twice(faulty()) == 0
    assert ran_twice(faulty(starts=(1, 4, 2) + (1,) * (TASKS - 3))) == 2


def test_the_time_lost_is_the_difference_to_the_twin_of_what_finished() -> None:
    assert time_lost_s(faulty()) == pytest.approx(15.0 - 12.1)
    assert time_lost_s(faulty(verdict="failed")) is None
    assert time_lost_s(faulty(verdict="hung")) is None


def test_an_engine_that_does_not_notice_has_recovered_with_the_next_task() -> None:
    assert recovery_s(faulty(*ends(0.5, EVERY_S, TASKS)), WORKERS) == 0


def test_the_rate_is_back_with_the_first_task_of_eight_as_fast_as_in_the_twin() -> None:
    # One worker of two for six seconds, then both.
    slow, fast = ends(3.5, 1.0, 6), ends(9.5, EVERY_S, 12)
    assert recovery_s(faulty(*slow, *fast), WORKERS) == pytest.approx(8.5 - FAULT_S + 1.0)


def test_nothing_for_some_seconds_is_no_recovery_either() -> None:
    assert recovery_s(faulty(*ends(7.0, EVERY_S, 12)), WORKERS) == pytest.approx(4.0)


def test_a_rate_of_95_of_100_is_enough_and_one_of_94_is_not() -> None:
    assert recovery_s(faulty(*ends(3.5, EVERY_S / 0.951, 12)), WORKERS) == pytest.approx(0.5)
    assert recovery_s(faulty(*ends(3.5, EVERY_S / 0.94, 12)), WORKERS) is None


def test_too_few_tasks_after_the_fault_show_no_recovery() -> None:
    assert recovery_s(faulty(*ends(3.5, EVERY_S, 8)), WORKERS) is None
    assert recovery_s(faulty(*ends(3.5, EVERY_S, 9)), WORKERS) == pytest.approx(0.5)
