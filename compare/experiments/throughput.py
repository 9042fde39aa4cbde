"""Images per second of ViT batch inference, all images available at the start.

The Offline scenario of MLPerf Inference (https://arxiv.org/abs/1911.02549): samples / makespan.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from typing_extensions import override

from compare.experiments.experiment import Estimable, Experiment, Facts, Pace, Scope
from compare.experiments.section import (
    MIB,
    PERCENT,
    Column,
    Columns,
    Intervals,
    Lanes,
    Pairs,
    Section,
)
from compare.experiments.shared_metrics import (
    PAIRS_EXPLAINED,
    PEAK_MEMORY,
    THROUGHPUT,
    UNREADABLE_HOST,
    host_rows,
    images_per_s,
)
from compare.formatting import enumeration, estimate, number, plural
from compare.measure.bench import Bench
from compare.measure.image_tasks import image_tasks
from compare.observations.makespan import Parts, parts
from compare.observations.metric import FEWEST_BLOCKS, Better, Mean, Metric, Quantity, metric
from compare.observations.reader import Observations, Observed, cases_of
from compare.observations.series import Row, Series, batch_case, paired, series_of
from compare.observations.spans import median_s
from compare.options import PresetName
from compare.presets import Sizes
from compare.records.measurements import Record, TaskRun
from compare.records.plan import (
    CEILING,
    SERIAL,
    Case,
    Plan,
    is_contender,
    original_of,
    workers_of,
)

NAME = "throughput"
MEMORY = "memory"
"""The ``experiment`` of the rows about peak memory."""

_WANTED_BLOCKS = Sizes(quick=1, standard=5, full=10)
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

_MAIN = Section(
    title="Throughput",
    explanation="""All images are available at the start, one chunk of images is one task, and the
clock runs from before the first submission until the last result is in the driver (MLPerf
Inference, Offline).  The *ceiling* is the throughput of the same kernel calls in plain processes
without a framework: an engine at 100% of it costs nothing.  It is a measured reference and no
bound, so noise can put an engine above it.  CPU time includes the engine's own daemons.  Higher is
better, except for CPU time.""",
    table=Columns(
        columns=(
            Column(metric="throughput", heading="images/s"),
            Column(metric="speedup", heading="× serial"),
            Column(metric="engine_efficiency", heading="of the ceiling (%)", scale=PERCENT),
            Column(metric="cpu_time", heading="CPU time"),
            Column(metric="accuracy", heading="accuracy (%)", scale=PERCENT),
        ),
        against_fastest=True,
    ),
    pictures=(
        Intervals(
            name="throughput",
            description="Throughput of each engine with its interval, and the ceiling",
            metric="throughput",
            x_label="images/s, higher is better",
        ),
        Lanes(
            name="lanes", description="When each worker ran which task, in the first valid block"
        ),
    ),
)
_PAIRS = Section(
    title="",
    explanation=PAIRS_EXPLAINED,
    table=Pairs(columns=(Column(metric="throughput", heading="images/s (×)"),)),
    details=True,
)
_PARTS = Section(
    title="",
    explanation="""Where the time went, in seconds per worker.  These parts add up to the makespan:
before the first task started, in tasks, idle between tasks, idle when no task was left, and until
the last result was in the driver.  A part can be zero, so each is a mean over the blocks, and its
parentheses hold the smallest and the largest block instead of an interval.  The last two columns,
with intervals again, are medians over the tasks: from submission until the task started, and from
its end until its result was in the driver.""",
    table=Columns(
        columns=(
            Column(metric="submit", heading="before the first task"),
            Column(metric="run", heading="in tasks"),
            Column(metric="between", heading="between tasks"),
            Column(metric="tail", heading="at the end"),
            Column(metric="return", heading="last result"),
            Column(metric="task_wait_p50", heading="median task waits"),
            Column(metric="task_return_p50", heading="its result"),
        )
    ),
    details=True,
)
_MEMORY = Section(
    title="Memory",
    explanation="""The peak during the batch inference, as the sum of the proportional set sizes of
driver, daemons, JVM and workers (a page that k processes share counts 1/k in each).  Lower is
better.""",
    table=Columns(columns=(Column(metric="peak_memory", heading="peak memory (MiB)", scale=MIB),)),
    rows_of=MEMORY,
    details=True,
)


class Throughput(Experiment):
    """One case: all images, in chunks."""

    name = NAME
    classifies = True
    needs_images = True
    gives_reference = True
    ceiling_twice = True
    sections = (_MAIN, _PAIRS, _PARTS, _MEMORY)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        return (Case(experiment=self.name, parameters={"chunk": scope.need_workload().chunk}),)

    @override
    def wanted_blocks(self, preset: PresetName) -> int:
        return _WANTED_BLOCKS.of(preset)

    @override
    def traced_cases(self, cases: tuple[Case, ...]) -> tuple[Case, ...]:
        return cases

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        images = () if plan.workload is None else plan.workload.images
        return len(images) * pace.image_s / pace.workers

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        """Measure one batch over all images, and sample the memory meanwhile."""
        tasks = image_tasks(bench.plan, bench.label())
        items = sum(len(task.payload) for task in tasks)
        yield bench.run(case, tasks, items=items, memory=True)

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        plan = observations.plan
        case = batch_case(plan)
        observed = batches(observations, engine)
        ours = speed(observations, engine)
        yield ours
        yield paired(ours, speed(observations, SERIAL), SPEEDUP)
        yield paired(ours, speed(observations, CEILING), ENGINE_EFFICIENCY)
        for time_metric in (CPU_TIME, *_part_metrics(workers_of(engine, plan.workers))):
            yield series_of(NAME, engine, case, time_metric, observed)
        if plan.workload is not None and plan.workload.labels is not None:
            accuracy = series_of(NAME, engine, case, _accuracy_of(plan.workload.labels), observed)
            random = "by chance: the weights are random"
            yield replace(accuracy, note=random if plan.workload.random_weights else None)
        yield series_of(MEMORY, engine, case, PEAK_MEMORY, observed)
        if original_of(engine) in plan.clusters:
            yield from host_rows(engine, case, observed)

    @override
    def answer(self, facts: Facts) -> str | None:
        return _answer(facts)

    @override
    def progress(self, records: Sequence[Record]) -> str | None:
        speeds = [images_per_s(record) for record in records if isinstance(record, TaskRun)]
        return f"{speeds[-1]:.2f} images/s" if speeds else None


def batches(observations: Observations, engine: str) -> Observed[TaskRun]:
    """The batch inference of each block; empty if it was not planned."""
    for planned in cases_of(observations.plan, engine, NAME):
        return observations.batch(engine, planned)
    return {}


def speed(observations: Observations, engine: str) -> Series:
    """Images/s in each block; of the ceiling the geometric mean of both ends of the block."""
    case = batch_case(observations.plan)
    turns = [
        series_of(NAME, engine, case, THROUGHPUT, observations.batch(engine, planned))
        for planned in cases_of(observations.plan, engine, NAME)
    ]
    if len(turns) < 2:  # noqa: PLR2004 - only the ceiling has two
        return series_of(NAME, engine, case, THROUGHPUT, batches(observations, engine))
    first, last = turns
    both = first.values.keys() & last.values.keys()
    values = {block: math.sqrt(first.values[block] * last.values[block]) for block in sorted(both)}
    absences = {**last.absences, **first.absences}
    return replace(first, values=values, absences=absences)


def fastest(rows: Sequence[Row]) -> str | None:
    """The engine with the highest throughput, without the ceiling and controls."""
    values = {
        row.engine: row.value
        for row in rows
        if _is_speed(row) and isinstance(row.value, float) and is_contender(row.engine)
    }
    return max(values, key=lambda engine: values[engine], default=None)


def _is_speed(row: Row) -> bool:
    return row.experiment == NAME and row.metric == THROUGHPUT.quantity.name


def _accuracy_of(labels: Sequence[str]) -> Metric[TaskRun]:
    """Share of the images that get their true label.

    It has no interval: valid outputs are equal in every block, so the blocks do not show the error
    of the accuracy.
    """

    def share_right(run: TaskRun) -> float | None:
        if run.outputs is None:
            return None
        return sum(map(str.__eq__, run.outputs, labels)) / len(labels)

    return metric("accuracy", "share", Better.NEITHER, share_right, mean=Mean.MEDIAN)


def _part_metrics(workers: int) -> tuple[Metric[TaskRun], ...]:
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


def _answer(facts: Facts) -> str:
    best, plan = fastest(facts.rows), facts.observations.plan
    if best is None or plan.workload is None:
        return "No engine gave a valid throughput."
    row = next(row for row in facts.rows if _is_speed(row) and row.engine == best)
    machine = (
        "this machine"
        if facts.cores is None
        else f"this machine with {plural(facts.cores, 'core')}"
    )
    first = (
        f"On {machine}, `{best}` had the highest throughput with {plural(plan.workers, 'worker')} "
        f"and {plural(len(plan.workload.images), 'image')}, "
        f"{estimate(row, usual_n=row.n)} images/s"
    )
    return "; ".join([first, *_against_others(facts, best, row.n)]) + "."


def _against_others(facts: Facts, best: str, blocks: int) -> Iterator[str]:
    """The differences between the fastest engine and each other one, as clauses."""
    shown: list[str] = []
    tied: list[str] = []
    without: list[str] = []
    for other in dict.fromkeys(row.engine for row in facts.rows if _is_speed(row)):
        if other == best or not is_contender(other):
            continue
        versus = facts.versus.get((best, other))
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
        yield from _tested(facts, shown, tied)
    if without:
        yield f"there is no valid number for {enumeration(without)} in the same blocks"


def _tested(facts: Facts, shown: list[str], tied: list[str]) -> Iterator[str]:
    if shown:
        yield f"the difference to {enumeration(shown)} is shown"
    if tied:
        yield f"no difference is shown to {enumeration(tied)}"
        most = facts.within.get((NAME, THROUGHPUT.quantity.name))
        if most is not None:
            yield (
                f"any two of the parallel engines lie within {most - 1:.0%} of each other (95%, "
                "all pairs together)"
            )
