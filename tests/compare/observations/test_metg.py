"""METG of engines whose costs are known, against the closed forms."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from compare.observations.metg import Limit, Point, efficiency_of_work, fitted, metg, point
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
    assert of(run, "metg50")[0] == pytest.approx(2 * cost_s, rel=0.08 if noise else 0.05)
    if noise == 0:  # the curve is so flat there that 2% of noise move the crossing by 20%
        assert of(run, "metg90")[0] == pytest.approx(10 * cost_s, rel=0.05)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_one_dispatcher_needs_tasks_as_long_as_all_workers_wait_for_theirs(noise: float) -> None:
    """METG(50%) = p·s where one dispatcher needs s for a task of p workers."""
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.0003, one_dispatcher=True), noise)
    assert of(run, "metg50")[0] == pytest.approx(WORKERS * 0.0003, rel=0.08)


def test_a_block_that_does_not_reach_a_threshold_is_counted_as_such() -> None:
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.001))

    def is_long(record: Record) -> bool:
        return (
            isinstance(record, TaskRun)
            and record.session in ("1-ray", "3-ray")
            and int(record.case.parameters.get("iterations", 0)) * fakes.ITERATION_S > 0.001
        )

    few = tuple(record for record in run.records if not is_long(record))
    value, verdict = of(replace(run, records=few), "metg50")
    assert value is None
    assert verdict is not None
    assert re.fullmatch(r"more than [123]\.\d+ ms in 2 of 3 blocks", verdict)


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (1.5, "took 150% of its earlier time in the second half of the sweep"),
        (0.6, "took 60% of its earlier time in the second half of the sweep"),
    ],
)
def test_a_block_in_which_the_speed_changed_for_good_has_no_metg(later: float, reason: str) -> None:
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.001))
    busy_s = [fakes.ITERATION_S * (1.0 if n < 5 else later) for n in range(10)]
    value, verdict = of(fakes.calibrated(run, "2-ray", busy_s=tuple(busy_s)), "metg50")
    assert value == pytest.approx(0.004, rel=0.05)
    assert verdict is not None
    assert verdict.startswith("disturbed in 1 of 3 blocks")
    assert reason in verdict


@pytest.mark.parametrize(
    ("after", "reason"),
    [(1.3, "took 130% of its time before"), (0.7, "took 70% of its time before")],
)
def test_without_calibrations_on_busy_cores_those_on_an_idle_one_decide(
    after: float, reason: str
) -> None:
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.001))
    idle = {"before_s": fakes.ITERATION_S, "after_s": after * fakes.ITERATION_S}
    _, verdict = of(fakes.calibrated(run, "2-ray", busy_s=(), **idle), "metg50")
    assert verdict is not None
    assert reason in verdict


def test_a_core_that_goes_back_and_forth_between_two_speeds_has_a_metg() -> None:
    """As where its other hardware thread belongs to somebody else."""
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.001))
    busy_s = [fakes.ITERATION_S * (0.8 if n % 2 else 1.2) for n in range(10)]
    idle = {"before_s": fakes.ITERATION_S, "after_s": 1.6 * fakes.ITERATION_S}
    value, verdict = of(fakes.calibrated(run, "2-ray", busy_s=tuple(busy_s), **idle), "metg50")
    assert value == pytest.approx(0.004, rel=0.05)
    assert verdict is None


@pytest.mark.parametrize(("workers_a_core", "given"), [(1.0, False), (2.0, True)])
def test_an_engine_that_does_not_rest_does_not_make_its_own_100_percent_smaller(
    workers_a_core: float,
    given: bool,  # noqa: FBT001
) -> None:
    """Cores that are four times slower than an idle one all the time; twice with two workers."""
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.001))
    idle_s = fakes.ITERATION_S / 4
    changes = {"before_s": idle_s, "after_s": idle_s, "workers_a_core": workers_a_core}
    _, verdict = of(fakes.calibrated(run, "2-ray", **changes), "metg50")
    assert (verdict is None) == given
    if verdict is not None:
        assert "on busy cores the kernel mostly took 400% of its time on an idle core" in verdict


@pytest.mark.parametrize(("slower", "given"), [(1.3, True), (1.6, False)])
def test_no_batch_is_faster_than_the_fastest_calibration(slower: float, given: bool) -> None:  # noqa: FBT001
    """Calibrations that something else slowed down make every batch look efficient."""
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.0001))
    busy_s = [fakes.ITERATION_S * (1.1 if n % 2 else slower) for n in range(10)]
    _, verdict = of(fakes.calibrated(run, "2-ray", busy_s=tuple(busy_s)), "metg50")
    assert (verdict is None) == given


def test_a_block_in_which_busy_cores_became_slow_is_disturbed() -> None:
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.001))

    def crowded(one: Record) -> Record:
        if not isinstance(one, Calibration) or one.session != "2-ray":
            return one
        first, *rest = one.busy_s
        return replace(one, busy_s=(first, *(4 * busy_s for busy_s in rest)))

    _, verdict = of(replace(run, records=tuple(map(crowded, run.records))), "metg50")
    assert verdict is not None
    assert verdict.startswith("disturbed in 1 of 3 blocks: on busy cores the kernel mostly took 4")


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
        replace(one, busy_s=(*one.busy_s, *(2 * busy_s for busy_s in one.busy_s)))
        if isinstance(one, Calibration)
        else one
        for one in swept(run)
    ]
    repeated = swept(again) if end == "finished" else swept(again)[:3]
    others = [one for one in run.records if one not in swept(run)]
    value, verdict = of(replace(run, records=(*others, *drifted, *repeated)), "metg50")
    # A mean of three blocks on the log scale, one of which has twice the cost of the others.
    assert value == pytest.approx(0.004 * (2 ** (1 / 3) if end == "finished" else 1), rel=0.05)
    assert (verdict is None) == (end == "finished")


def swept(costs_s: Sequence[float], efficiencies: Sequence[float]) -> list[Point]:
    return [
        Point(granularity_s=size, efficiency=efficiency)
        for size, efficiency in zip(costs_s, efficiencies, strict=True)
    ]


@given(st.floats(1e-6, 1e-1), st.integers(1, 64), st.floats(0.05, 0.95))
def test_a_cost_that_every_task_pays_gives_its_exact_metg(
    cost_s: float, workers: int, threshold: float
) -> None:
    """Efficiency w / (w + c) is x at w = c · x / (1 - x), where the granularity is c / (1 - x)."""
    points = [
        point(makespan_s=100 * (cost_s + work), workers=workers, tasks=100 * workers, work_s=work)
        for work in (cost_s * 2.0**step for step in range(-6, 8))
    ]
    assert metg(points, threshold) == pytest.approx(cost_s / (1 - threshold))


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=15))
def test_the_fit_of_sizes_far_apart_is_that_of_scipy(efficiencies: list[float]) -> None:
    """They have no neighbours, so that the fit is the isotonic regression alone."""
    works = [1e-6 * 3.0**step for step in range(len(efficiencies))]
    points = swept([w / e for w, e in zip(works, efficiencies, strict=True)], efficiencies)
    expected = isotonic_regression(efficiencies)
    assert [one.efficiency for one in fitted(points)] == pytest.approx(list(expected.x))


@given(st.lists(st.floats(1e-4, 1.0), min_size=2, max_size=30), st.floats(0, 0.1))
def test_the_fit_of_any_sizes_is_exact_where_every_task_pays_the_same(
    works: list[float], cost_s: float
) -> None:
    points = [Point(granularity_s=w + cost_s, efficiency=w / (w + cost_s)) for w in works]
    for work, one in zip(sorted(works), fitted(points), strict=True):
        assert one.efficiency == pytest.approx(work / (work + cost_s))


def test_one_batch_that_took_twice_as_long_does_not_move_the_curve() -> None:
    """Also where it has neighbours on one side only."""
    works = [3.0, 3.1, 3.9, 4.6, 4.8, 4.8, 5.2, 6.3]
    noise = [1.01, 0.98, 1.0, 1.02, 0.99, 1.01, 0.99, 2.0]
    points = [
        Point(granularity_s=(w + 4) * noisy, efficiency=w / (w + 4) / noisy)
        for w, noisy in zip(works, noise, strict=True)
    ]
    assert metg(points, 0.5) == pytest.approx(8.0, rel=0.05)


@given(
    st.lists(st.tuples(st.floats(1e-6, 1.0), st.floats(0.01, 1.0)), min_size=1, max_size=30),
)
def test_longer_tasks_are_never_less_efficient_in_the_fit(
    batches: list[tuple[float, float]],
) -> None:
    fit = fitted([Point(granularity_s=w / e, efficiency=e) for w, e in batches])
    assert [one.efficiency for one in fit] == sorted(one.efficiency for one in fit)
    assert len(fit) == len(batches)


def test_no_share_of_the_time_is_more_than_useful() -> None:
    """Although the machine was faster in a batch than in the calibrations."""
    points = swept((0.001, 0.01, 0.1), (0.5, 1.05, 1.1))
    assert [efficiency_of_work(points, work_s) for work_s in (0.02, 1.0)] == [1, 1]
    assert efficiency_of_work(points, 0.0005) == pytest.approx(0.5)


def test_a_threshold_that_no_size_reaches_is_a_limit_not_a_gap() -> None:
    points = swept((1.0, 2.0, 4.0), (0.2, 0.3, 0.6))
    assert metg(points, 0.9) == Limit(value=points[-1].granularity_s, more=True)
    assert metg(points, 0.1) == Limit(value=points[0].granularity_s, more=False)


def test_the_useful_share_of_a_length_is_its_work_over_work_and_cost() -> None:
    """A cost of 2 ms for each task leaves 10 / 12 of the time to tasks of 10 ms."""
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.002 / WORKERS))
    shares = {
        one.case["work_s"]: one
        for one in rows(run)
        if (one.engine, one.metric) == ("ray", "useful_share")
    }
    assert shares[0.01].value == pytest.approx(10 / 12, rel=0.03)
    assert shares[0.0001].value is None
    assert str(shares[0.0001].verdict).startswith("less than ")
    assert str(shares[0.1].verdict).startswith("more than 9")


@given(st.floats(0.001, 0.5), st.floats(1e-5, 1e-2))
def test_at_half_of_metg_50_half_of_the_time_is_useful(step: float, cost_s: float) -> None:
    works = [cost_s * (1 + step) ** power for power in range(-40, 41)]
    points = [Point(granularity_s=w + cost_s, efficiency=w / (w + cost_s)) for w in works]
    found = metg(points, 0.5)
    assert isinstance(found, float)
    assert efficiency_of_work(points, found / 2) == pytest.approx(0.5, rel=1e-6)


def test_the_fixed_cost_of_a_batch_is_no_cost_of_its_tasks() -> None:
    run = measured(fakes.FakeEngine(fixed_s=0.1, per_task_s=0.001))
    assert of(run, "metg50")[0] == pytest.approx(2 * WORKERS * 0.001, rel=0.05)
    assert of(run, "metg90")[0] == pytest.approx(10 * WORKERS * 0.001, rel=0.05)


def test_cores_that_slow_each_other_down_are_no_cost_of_the_engine() -> None:
    """The idle core as a measure asks for more than the machine has."""
    run = measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.001, busy_slowdown=1.2))
    assert of(run, "metg50")[0] == pytest.approx(0.004, rel=0.05)
    idle, _ = of(run, "metg50_idle")
    assert isinstance(idle, float)
    assert idle > 1.2 * 0.004


def test_the_curve_is_given_where_every_block_has_points() -> None:
    found = efficiency_curve(measured(fakes.FakeEngine(fixed_s=0.0, per_task_s=0.001), 0.02), "ray")
    assert found is not None
    curve = found.mean
    assert len(curve) > 20
    assert all(estimate.n == 3 for _, estimate in curve)
    assert curve[0][1].value < 0.5 < curve[-1][1].value
