"""The overhead of an engine: no-op throughput, a + b·N, round-trip latency, METG."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from typing_extensions import override

from compare.experiments.done_first import SECTIONS as DONE_FIRST
from compare.experiments.experiment import Estimable, Experiment, Facts, Pace, Scope
from compare.experiments.section import (
    PERCENT,
    Column,
    Columns,
    Efficiency,
    NoOps,
    Pairs,
    Section,
)
from compare.experiments.shared_metrics import (
    HOSTS,
    METG,
    METG_IDLE,
    NO_SUCH_HOST,
    PAIRS_EXPLAINED,
    host_total,
)
from compare.experiments.throughput import batches
from compare.experiments.useful_share import SECTION as USEFUL_SHARES
from compare.experiments.useful_share import useful_shares
from compare.formatting import enumeration, estimate, seconds
from compare.measure.bench import Bench
from compare.measure.hosts import HEAD
from compare.measure.no_ops import expected_costs_s, measured_costs
from compare.measure.sweep import expected_sweep_s, spin_sweep
from compare.observations.compound import Costs
from compare.observations.fits import STRAIGHT, Line, fit_line, percentile, samples_needed
from compare.observations.metric import Better, Mean, Metric, metric
from compare.observations.reader import Observations, Observed, cases_of, valid
from compare.observations.series import budget_case, series_of
from compare.options import PresetName
from compare.presets import Sizes
from compare.records.measurements import Measurement, Record, TaskRun
from compare.records.plan import (
    CEILING,
    SERIAL,
    Case,
    Plan,
    is_contender,
    original_of,
)

NAME = "overhead"
BUDGET_S = Sizes(quick=0.3, standard=0.3, full=4.0)
"""Seconds for the largest batch of no-ops."""
POINT_S = Sizes(quick=0.06, standard=0.15, full=2.0)
"""Seconds for each task size of a sweep; longer if an engine's fixed cost is high."""
PERCENTILES = (0.50, 0.95, 0.99)
"""Percentiles of the round trips."""
WANTED_BLOCKS = Sizes(quick=1, standard=5, full=5)
"""METG differs from session to session more than within one, so it needs as many as throughput."""
_FEW_SIZES = f"a line and its residual need three sizes of N from {STRAIGHT} up"

_SECTION = Section(
    title="Overhead",
    explanation="""Costs are measured with no-ops, after a warm-up that is the same for every
engine: batches of twice as many tasks each, until two agree on the cost of a task within 10%.  *b*
is the cost of one more task: in each block, the slope of makespan(N) over batches of at least 100
tasks, by least squares of the relative deviations.  *a* is the cost of any batch: the makespan of a
single task, less b.  *residual* is the distance of the batches from the line (root mean square).  A
*cold task* is one of the first 50 on a fresh engine.  A *round trip* is one task, submitted and
awaited; a percentile p needs 10/(1 − p) samples per block.

*METG(x%)*, the minimum effective task granularity (Task Bench, SC20), is the average task
granularity (makespan × workers / tasks, overhead included, a taken off) at which x% of the workers'
time is useful.  100% is what the cores do when all of them are busy with the same work in plain
processes; *of idle cores* takes one core, while the others are idle, as the measure: where busy
cores slow each other down (hardware threads of one core, shared caches) it asks for more than the
machine has.  The efficiency is a smoothed isotonic regression on the size of the tasks, over all
batches of a block.  The interval of METG(50%) uses the noise of all engines, which is about the
same.  Lower is better, except for no-ops/s, which are taken from the largest N.""",
    table=Columns(
        columns=(
            Column(metric="noop_throughput", heading="no-ops/s"),
            Column(metric="metg50", heading="METG(50%)"),
            Column(metric="metg90", heading="METG(90%)"),
            Column(metric="metg50_idle", heading="METG(50%) of idle cores", details=True),
            Column(metric="per_task_cost", heading="b, per task"),
            Column(metric="cold_task", heading="cold task", details=True),
            Column(metric="fixed_cost", heading="a, fixed", details=True),
            Column(metric="fit_residual", heading="residual (%)", scale=PERCENT, details=True),
            Column(metric="round_trip_p50", heading="round trip p50"),
            Column(metric="round_trip_p95", heading="p95", details=True),
            Column(metric="round_trip_p99", heading="p99", details=True),
        )
    ),
    pictures=(
        NoOps(
            name="overhead",
            description="Makespan against the number of no-ops, with the fitted lines",
        ),
        Efficiency(name="efficiency", description="Efficiency against task granularity"),
    ),
)


_PAIRS = Section(
    title="",
    explanation=PAIRS_EXPLAINED,
    table=Pairs(
        columns=(
            Column(metric="metg50", heading="METG(50%) (×)"),
            Column(metric="metg90", heading="METG(90%) (×)"),
            Column(metric="per_task_cost", heading="per task (×)"),
            Column(metric="round_trip_p50", heading="round trip p50 (×)"),
        )
    ),
    details=True,
)


class Overhead(Experiment):
    """No-ops, as many as fit into a time budget, and fixed work in tasks of many sizes."""

    name = NAME
    ceiling_once = True
    sections = (_SECTION, USEFUL_SHARES, _PAIRS, *DONE_FIRST)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        return (
            Case(experiment=self.name, parameters={"budget_s": BUDGET_S.of(scope.preset)}),
            Case(experiment=self.name, parameters={"point_s": POINT_S.of(scope.preset)}),
        )

    @override
    def wanted_blocks(self, preset: PresetName) -> int:
        return WANTED_BLOCKS.of(preset)

    @override
    def sweeps(self, case: Case) -> bool:
        return "point_s" in case.parameters

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        """Seconds for the largest N, the smaller N and the round trips, or for the points of a
        sweep and its calibration.
        """
        if self.sweeps(case):
            return expected_sweep_s(case, pace.fixed_s)
        return expected_costs_s(plan.options.preset, case)

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[Measurement]:
        """Measure no-ops in batches of several sizes in random order and singly, or a sweep."""
        return spin_sweep(bench, case).run() if self.sweeps(case) else measured_costs(bench, case)

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        plan = observations.plan
        case = budget_case(plan)
        observed = costs(observations, engine)
        for cost in _METRICS:
            yield series_of(NAME, engine, case, cost, observed)
        for planned in sweep_cases(plan, engine):
            swept = observations.sweep(engine, planned)
            for size in (*METG, METG_IDLE):
                yield series_of(NAME, engine, case, size, swept)
            yield from useful_shares(NAME, engine, case, swept)
        if original_of(engine) in plan.clusters:
            yield series_of(HOSTS, engine, {**case, "role": HEAD}, _HEAD_CPU, observed)

    @override
    def answer(self, facts: Facts) -> str | None:
        return _answer(facts)

    @override
    def progress(self, records: Sequence[Record]) -> str | None:
        rates = [run.tasks / run.makespan_s for run in records if isinstance(run, TaskRun)]
        return f"{max(rates):,.0f} no-ops/s" if rates else None


def costs(observations: Observations, engine: str) -> Observed[Costs]:
    """The no-ops and round trips of each block; empty if they were not planned."""
    for planned in cases_of(observations.plan, engine, NAME):
        if "budget_s" in planned.parameters:
            return observations.costs(engine, planned)
    return {}


def sweep_cases(plan: Plan, engine: str) -> tuple[Case, ...]:
    """The planned sweeps of this experiment."""
    return tuple(case for case in cases_of(plan, engine, NAME) if "point_s" in case.parameters)


def line(block: Costs) -> Line | None:
    """makespan(N) = a + b·N over the no-ops of one block."""
    return fit_line([run.tasks for run in block.no_ops], [run.makespan_s for run in block.no_ops])


def _most_no_ops_per_s(block: Costs) -> float | None:
    """Rate of the largest batch, because the fixed cost matters in small batches."""
    largest = block.largest
    return None if largest is None else largest.tasks / largest.makespan_s


def _cold_task_s(block: Costs) -> float | None:
    """Cost of a task in the first batch on a fresh engine."""
    return block.pilots[0].makespan_s / block.pilots[0].tasks if block.pilots else None


def _of_line(part: Callable[[Line], float]) -> Callable[[Costs], float | None]:
    def value(block: Costs) -> float | None:
        fitted = line(block)
        return None if fitted is None else part(fitted)

    return value


def _round_trip_metric(share: float) -> Metric[Costs]:
    return metric(
        f"round_trip_p{share * 100:.0f}",
        "s",
        Better.LOWER,
        partial(_round_trip, share=share),
        lacking=f"needs {samples_needed(share)} samples a block",
    )


def _round_trip(block: Costs, share: float) -> float | None:
    return percentile(block.round_trips_s, share)


_METRICS: tuple[Metric[Costs], ...] = (
    metric("noop_throughput", "tasks/s", Better.HIGHER, _most_no_ops_per_s),
    metric(
        "per_task_cost",
        "s",
        Better.LOWER,
        _of_line(lambda fitted: fitted.per_task_s),
        mean=Mean.GEOMETRIC_IF_POSITIVE,
        lacking=_FEW_SIZES,
    ),
    metric(
        "cold_task",
        "s",
        Better.LOWER,
        _cold_task_s,
        lacking="no batch was run before the engine was warm",
    ),
    metric(
        "fixed_cost",
        "s",
        Better.NEITHER,
        _of_line(lambda fitted: fitted.fixed_s),
        mean=Mean.ARITHMETIC,
        lacking=_FEW_SIZES,
    ),
    metric(
        "fit_residual",
        "share of the makespan",
        Better.NEITHER,
        _of_line(lambda fitted: fitted.residual),
        mean=Mean.MEDIAN,
        lacking=_FEW_SIZES,
    ),
    *map(_round_trip_metric, PERCENTILES),
)


def _head_cpu_per_task_s(block: Costs) -> float | None:
    largest = block.largest
    if largest is None:
        return None
    cpu_s = host_total(largest, HEAD, lambda node: node.cpu_s)
    return None if cpu_s is None else cpu_s / largest.tasks


_HEAD_CPU = metric(
    "cpu_per_task",
    "s",
    Better.LOWER,
    _head_cpu_per_task_s,
    mean=Mean.GEOMETRIC_IF_POSITIVE,
    lacking=NO_SUCH_HOST,
)
"""CPU time of the head for the largest batch of no-ops of a block."""


def _answer(facts: Facts) -> str:
    cost = _on_engines(facts, "per_task_cost")
    if not cost:
        return "No engine gave a valid cost per task."
    clauses = [f"An empty task costs {cost}"]
    # Half of the granularity METG(50%) is the task's own work; the other half is overhead.
    work = _on_engines(facts, "metg50", scale=0.5)
    if work:
        clauses.append(
            f"tasks whose own work is shorter than {work} lose at least half of the workers' time"
        )
    task_s = _image_task_s(facts.observations)
    if task_s is not None:
        clauses.append(f"the image tasks here took {seconds(task_s)}")
    return "; ".join(clauses) + "."


def _on_engines(facts: Facts, metric: str, *, scale: float = 1.0) -> str:
    """The numbers of a metric times ``scale``, each with its engine; empty if there is none."""
    rows = [
        row
        for row in facts.rows
        if row.experiment == NAME
        and row.metric == metric
        and isinstance(row.value, float)
        and is_contender(row.engine)
        and row.engine != SERIAL
    ]
    usual_n = max((row.n for row in rows), default=0)
    return enumeration(
        [f"{estimate(row, scale, usual_n=usual_n)} on `{row.engine}`" for row in rows]
    )


def _image_task_s(observations: Observations) -> float | None:
    """Mean duration of an image task on the ceiling."""
    spans = [
        span for run in valid(batches(observations, CEILING)).values() for span in run.spans or ()
    ]
    return sum(span.end_s - span.start_s for span in spans) / len(spans) if spans else None
