"""The sweep over task sizes, and the warm-up, on an engine of known cost."""

from dataclasses import replace

import pytest

from compare.measure.sweep import Sweep
from compare.measure.warm_up import settled, warm_up
from compare.observations.metg import THRESHOLDS
from compare.records.measurements import TaskRun
from compare.records.plan import SERIAL, Case
from tests.compare import fakes
from tests.compare.fake_bench import FakeBench

COST_S = 0.001
"""Paid in each worker."""


def sizes_of_a_sweep(cost_s: float = COST_S, engine: str = "multiprocessing") -> list[float]:
    """``cost_s`` is that of tasks with work; the pilots have none."""
    plan = fakes.plan()
    session = next(one for one in plan.sessions if one.engine == engine)
    bench = FakeBench(plan, session, fakes.FakeEngine())

    def batch(iterations: int, count: int) -> TaskRun:
        each_s = cost_s + iterations * fakes.ITERATION_S if iterations else COST_S
        makespan_s = count / bench.workers * each_s
        case = Case(experiment="overhead", parameters={"iterations": iterations})
        return replace(fakes.task_run(), case=case, tasks=count, makespan_s=makespan_s)

    with bench.calibrated(patient=False):
        runs = list(
            Sweep(bench, Case(experiment="overhead", parameters={"point_s": 0.1}), batch).run()
        )
        points = sum(run.case.parameters["iterations"] != 0 for run in runs)
        assert len(bench.busy_s) == 1 + points // (1 if engine == SERIAL else 2)
    return [int(run.case.parameters["iterations"]) * fakes.ITERATION_S for run in runs]


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_sizes_around_each_crossing_are_measured_several_times(threshold: float) -> None:
    crossing_s = COST_S * threshold / (1 - threshold)
    near = [size for size in sizes_of_a_sweep() if 0.7 < size / crossing_s < 1.4]
    assert len(near) >= {0.5: 12, 0.9: 3}[threshold]
    assert min(near) < crossing_s < max(near)


def test_the_upper_crossing_is_not_at_the_end_of_the_sizes() -> None:
    # Just below twice the largest size of the ladder, as where tasks cost more than empty ones.
    crossing_s = 15.3 * COST_S
    sizes = sizes_of_a_sweep(cost_s=crossing_s / 9)
    assert max(sizes) > 1.4 * crossing_s


def test_a_reference_has_fewer_sizes_with_a_calibration_after_each() -> None:
    assert len(sizes_of_a_sweep(engine=SERIAL)) < len(sizes_of_a_sweep())


def test_the_pilots_are_part_of_the_records() -> None:
    assert sizes_of_a_sweep().count(0) == 6


def cooling_down(seconds_a_task: list[float]) -> list[TaskRun]:
    """Batches on an engine whose tasks cost this, one batch after the other."""
    costs = iter(seconds_a_task)

    def batch(count: int) -> TaskRun:
        return replace(fakes.task_run(), tasks=count, makespan_s=count * next(costs))

    return list(warm_up(batch, limit_s=10.0))


def test_an_engine_is_warm_when_twice_as_many_tasks_cost_the_same_each() -> None:
    runs = cooling_down([0.010, 0.007, 0.005, 0.0049, 0.001])
    assert [run.tasks for run in runs] == [50, 100, 200, 400]
    assert settled(runs)


def test_an_engine_that_stays_cold_is_not_warmed_up_without_end() -> None:
    runs = cooling_down([0.016, 0.013, 0.010, 0.008, 0.006, 0.004])
    assert sum(run.makespan_s for run in runs) <= 10.0
    assert not settled(runs)
