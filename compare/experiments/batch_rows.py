"""What experiments say that time one batch of tasks on every engine and on the ceiling."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from compare.experiments.experiment import Facts
from compare.experiments.section import PERCENT, Column
from compare.experiments.shared_metrics import THROUGHPUT, UNREADABLE_HOST
from compare.formatting import apart, enumeration, estimate, number, plural
from compare.observations.makespan import Parts, parts
from compare.observations.metric import FEWEST_BLOCKS, Better, Mean, Metric, Quantity, metric
from compare.observations.reader import Observations, Observed, cases_of
from compare.observations.series import Row, Series, paired, series_of
from compare.observations.spans import median_s
from compare.presets import Sizes
from compare.records.measurements import TaskRun
from compare.records.plan import CEILING, SERIAL, Scalar, is_contender

WANTED_BLOCKS = Sizes(quick=1, standard=5, full=10)
SPEEDUP = Quantity(name="speedup", unit="× serial", better=Better.HIGHER)
"""Throughput, divided by that of the serial engine in the same block."""
ENGINE_EFFICIENCY = Quantity(
    name="engine_efficiency", unit="share of the ceiling", better=Better.HIGHER
)
"""Throughput, divided by that of the engine-free ceiling in the same block."""
CPU_TIME: Metric[TaskRun] = metric(
    "cpu_time",
    "s",
    Better.LOWER,
    lambda run: run.cpu_s,
    mean=Mean.GEOMETRIC_IF_POSITIVE,
    lacking=UNREADABLE_HOST,
)
PARTS_EXPLAINED = """\
Where the time went, in seconds per worker.  These parts add up to the makespan: before the first
task started, in tasks, idle between tasks, idle when no task was left, and until
the last result was in the driver.  A part can be zero, so each is a mean over the blocks, and its
parentheses hold the smallest and the largest block instead of an interval.  The last two columns,
with intervals again, are medians over the tasks: from submission until the task started, and from
its end until its result was in the driver."""
PARTS = (
    Column(metric="submit", heading="before the first task"),
    Column(metric="run", heading="in tasks"),
    Column(metric="between", heading="between tasks"),
    Column(metric="tail", heading="at the end"),
    Column(metric="return", heading="last result"),
    Column(metric="task_wait_p50", heading="median task waits"),
    Column(metric="task_return_p50", heading="its result"),
)
"""The columns of ``part_metrics``."""


def speed_columns(unit: str) -> tuple[Column, ...]:
    """The columns of ``speed_rows``."""
    return (
        Column(metric=THROUGHPUT.quantity.name, heading=unit),
        Column(metric="speedup", heading="× serial"),
        Column(metric="engine_efficiency", heading="of the ceiling (%)", scale=PERCENT),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """The batches of one experiment that has one case."""

    experiment: str
    case: Mapping[str, Scalar]
    """Of the rows."""
    throughput: Metric[TaskRun]

    def of(self, observations: Observations, engine: str) -> Observed[TaskRun]:
        """The batch of each block; empty if it was not planned."""
        for planned in cases_of(observations.plan, engine, self.experiment):
            return observations.batch(engine, planned)
        return {}

    def speed(self, observations: Observations, engine: str) -> Series:
        """Throughput of each block; of the ceiling the geometric mean of both ends of the block."""
        turns = [
            self.series(engine, self.throughput, observations.batch(engine, planned))
            for planned in cases_of(observations.plan, engine, self.experiment)
        ]
        if len(turns) < 2:  # noqa: PLR2004 - only the ceiling has two
            return self.series(engine, self.throughput, self.of(observations, engine))
        first, last = turns
        both = first.values.keys() & last.values.keys()
        values = {
            block: math.sqrt(first.values[block] * last.values[block]) for block in sorted(both)
        }
        absences = {**last.absences, **first.absences}
        return replace(first, values=values, absences=absences)

    def speed_rows(self, observations: Observations, engine: str) -> Iterator[Series]:
        """Throughput, against the serial engine and against the ceiling of the same block."""
        ours = self.speed(observations, engine)
        yield ours
        yield paired(ours, self.speed(observations, SERIAL), SPEEDUP)
        yield paired(ours, self.speed(observations, CEILING), ENGINE_EFFICIENCY)

    def series(self, engine: str, of: Metric[TaskRun], observed: Observed[TaskRun]) -> Series:
        """One metric of the batches."""
        return series_of(self.experiment, engine, self.case, of, observed)


def part_metrics(workers: int) -> tuple[Metric[TaskRun], ...]:
    """Parts of the makespan in seconds per worker, and median waits of the tasks.

    Makespan components can be zero, and their means add up to the mean makespan.
    """

    def part_of(part: Callable[[Parts], float]) -> Callable[[TaskRun], float | None]:
        return lambda run: None if (split := parts(run, workers)) is None else part(split)

    return (
        metric("submit", "s", Better.LOWER, part_of(lambda p: p.submit_s), mean=Mean.RANGE),
        metric("run", "s", Better.LOWER, part_of(lambda p: p.kernel_s), mean=Mean.RANGE),
        metric("between", "s", Better.LOWER, part_of(lambda p: p.gaps_s), mean=Mean.RANGE),
        metric("tail", "s", Better.LOWER, part_of(lambda p: p.tail_s), mean=Mean.RANGE),
        metric("return", "s", Better.LOWER, part_of(lambda p: p.return_s), mean=Mean.RANGE),
        metric(
            "task_wait_p50",
            "s",
            Better.NEITHER,
            lambda run: median_s(run, lambda span: span.start_s),
            mean=Mean.GEOMETRIC_IF_POSITIVE,
        ),
        metric(
            "task_return_p50",
            "s",
            Better.LOWER,
            lambda run: median_s(run, lambda span: span.received_s - span.end_s),
            mean=Mean.GEOMETRIC_IF_POSITIVE,
        ),
    )


def fastest(rows: Sequence[Row], experiment: str, forms: Collection[str]) -> str | None:
    """The engine with the highest throughput; neither the ceiling, nor a control, nor a form.

    ``forms`` are the other forms of engines of the run, each of which is compared with its engine.
    """
    values = {
        row.engine: row.value
        for row in rows
        if _is_speed(row, experiment) and isinstance(row.value, float)
        if is_contender(row.engine) and row.engine not in forms
    }
    return max(values, key=lambda engine: values[engine], default=None)


def _is_speed(row: Row, experiment: str) -> bool:
    return row.experiment == experiment and row.metric == THROUGHPUT.quantity.name


def fastest_sentence(facts: Facts, experiment: str, *, of: str, unit: str) -> str:
    """Which engine is the fastest, and which differences to the others are shown.

    ``of`` says what was run, such as ``24 images``, and ``unit`` what is counted in a second.
    """
    plan = facts.observations.plan
    best = fastest(facts.rows, experiment, plan.forms)
    if best is None:
        return "No engine gave a valid throughput."
    speeds = {row.engine: row for row in facts.rows if _is_speed(row, experiment)}
    row = speeds[best]
    machine = (
        "this machine"
        if facts.cores is None
        else f"this machine with {plural(facts.cores, 'core')}"
    )
    first = (
        f"On {machine}, `{best}` had the highest throughput with {plural(plan.workers, 'worker')} "
        f"and {of}, {estimate(row, usual_n=row.n)} {unit}"
    )
    others = [name for name in speeds if name not in (best, *plan.forms) and is_contender(name)]
    clauses = _against_others(facts, experiment, (best, *others), row.n)
    return "; ".join([first, *clauses]) + "."


def _against_others(
    facts: Facts, experiment: str, engines: Sequence[str], blocks: int
) -> Iterator[str]:
    """The differences between the first engine and each other one, as clauses."""
    best, *others = engines
    known = facts.versus.get(experiment, {})
    shown: list[str] = []
    tied: list[str] = []
    without: list[str] = []
    for other in others:
        versus = known.get((best, other))
        if versus is None:
            without.append(f"`{other}`")
        else:
            (shown if versus.shown else tied).append(f"`{other}` ({number(versus.value)} ×)")
    if blocks < FEWEST_BLOCKS:
        if shown + tied:
            yield (
                f"{plural(blocks, 'block')} can show no difference, and the ratios are only a "
                f"hint: {enumeration(shown + tied)}"
            )
    else:
        yield from _tested(facts, experiment, shown, tied)
    if without:
        yield f"there is no valid number for {enumeration(without)} in the same blocks"


def _tested(facts: Facts, experiment: str, shown: list[str], tied: list[str]) -> Iterator[str]:
    if shown:
        yield f"the difference to {enumeration(shown)} is shown"
    if tied:
        yield f"no difference is shown to {enumeration(tied)}"
        most = facts.within.get((experiment, THROUGHPUT.quantity.name))
        if most is not None:
            yield (
                f"any two of the parallel engines lie within {apart(most)} of each other (95%, "
                "all pairs together)"
            )
