"""METG of engines whose costs are known, against the closed forms."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.observations.metg import Point, bracket, efficiency_at, metg, point
from compare.records.measurements import Calibration, Record, Run, TaskRun
from tests.compare import fakes
from tests.compare.analysed import efficiency_curve, rows

WORKERS = 2


def of(run: Run, metric: str) -> tuple[float | str | None, str | None]:
    (row,) = [one for one in rows(run) if one.engine == "ray" and one.metric == metric]
    return row.value, row.verdict


def measured(engine: fakes.FakeEngine, noise: float = 0.0) -> Run:
    return fakes.run(engines={**fakes.ENGINES, "ray": engine}, noise=noise)


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("cost_s", [0.00005, 0.002])
def test_a_cost_paid_in_each_worker_is_half_the_metg(cost_s: float, noise: float) -> None:
    """METG(50%) = 2d and METG(90%) = 10d for a cost d inside each worker."""
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=cost_s / WORKERS), noise)
    assert of(run, "metg50")[0] == pytest.approx(2 * cost_s, rel=0.05)
    if noise == 0:  # the curve is so flat there that 2% of noise move the crossing by 20%
        assert of(run, "metg90")[0] == pytest.approx(10 * cost_s, rel=0.05)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_one_dispatcher_needs_tasks_as_long_as_all_workers_wait_for_theirs(noise: float) -> None:
    """METG(50%) = p·s where one dispatcher needs s for a task of p workers."""
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.0003, one_dispatcher=True), noise)
    assert of(run, "metg50")[0] == pytest.approx(WORKERS * 0.0003, rel=0.05)


def test_a_sweep_that_does_not_reach_across_has_no_metg() -> None:
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.001))
    few = tuple(
        record
        for record in run.records
        if not isinstance(record, TaskRun)
        or int(record.case.parameters.get("iterations", 0)) * fakes.ITERATION_S < 0.001
    )
    value, verdict = of(replace(run, records=few), "metg50")
    assert value is None
    assert verdict is not None
    assert "no task size of the sweep lies on the other side of 50%" in verdict


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (1.0, 1.3, "took 130% of its time before the sweep"),
        (2.0, 2.0, "shows that the calibration was disturbed"),
    ],
)
def test_a_block_whose_calibration_was_disturbed_has_no_metg(
    before: float, after: float, reason: str
) -> None:
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.001))
    broken = tuple(
        replace(record, before_s=before * fakes.ITERATION_S, after_s=after * fakes.ITERATION_S)
        if isinstance(record, Calibration) and record.session == "2-ray"
        else record
        for record in run.records
    )
    value, verdict = of(replace(run, records=broken), "metg50")
    assert value == pytest.approx(0.004, rel=0.05)
    assert verdict is not None
    assert verdict.startswith("disturbed in 1 of 3 blocks")
    assert reason in verdict


@pytest.mark.parametrize("end", ["finished", "interrupted"])
def test_of_a_sweep_that_was_measured_again_the_last_whole_one_counts(end: str) -> None:
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.001))
    again = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.002))

    def swept(of: Run) -> list[Record]:
        return [
            one
            for one in of.records
            if one.session == "2-ray"
            and isinstance(one, Calibration | TaskRun)
            and "point_s" in one.case.parameters
        ]

    drifted = [
        replace(one, after_s=1.5 * one.before_s) if isinstance(one, Calibration) else one
        for one in swept(run)
    ]
    repeated = swept(again) if end == "finished" else swept(again)[:3]
    others = [one for one in run.records if one not in swept(run)]
    value, verdict = of(replace(run, records=(*others, *drifted, *repeated)), "metg50")
    # A mean of three blocks on the log scale, one of which has twice the cost of the others.
    assert value == pytest.approx(0.004 * (2 ** (1 / 3) if end == "finished" else 1), rel=0.05)
    assert (verdict is None) == (end == "finished")


@given(st.floats(1e-6, 1e-1), st.integers(1, 64), st.floats(0.05, 0.95))
def test_the_interpolated_point_lies_between_its_neighbours(
    cost_s: float, workers: int, threshold: float
) -> None:
    points = [
        point(makespan_s=100 * (cost_s + work), workers=workers, tasks=100 * workers, work_s=work)
        for work in (cost_s * 2.0**step for step in range(-6, 8))
    ]
    found, between = metg(points, threshold), bracket(points, threshold)
    assert found is not None
    assert between is not None
    below, above = between
    assert below.efficiency < threshold <= above.efficiency
    assert below.granularity_s <= found <= above.granularity_s
    at = efficiency_at(points, found)
    assert at is not None
    assert below.efficiency - 1e-9 <= at <= above.efficiency + 1e-9


def test_a_noisy_dip_below_the_threshold_counts_from_the_large_tasks_down() -> None:
    points = [
        Point(granularity_s=size, efficiency=efficiency)
        for size, efficiency in ((1.0, 0.3), (2.0, 0.6), (4.0, 0.4), (8.0, 0.8))
    ]
    assert metg(points, 0.5) == pytest.approx(5.0)


def test_the_curve_is_given_where_every_block_has_points() -> None:
    found = efficiency_curve(measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.001), 0.02), "ray")
    assert found is not None
    curve = found.mean
    assert len(curve) > 20
    assert all(estimate.n == 3 for _, estimate in curve)
    assert curve[0][1].value < 0.5 < curve[-1][1].value
