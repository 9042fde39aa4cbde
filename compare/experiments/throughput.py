"""Images per second of ViT batch inference, all images available at the start.

The Offline scenario of MLPerf Inference (https://arxiv.org/abs/1911.02549): samples / makespan.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from typing_extensions import override

from compare.experiments import batch_rows
from compare.experiments.batch_rows import (
    CPU_TIME,
    PARTS,
    PARTS_EXPLAINED,
    WANTED_BLOCKS,
    Batches,
    fastest_sentence,
    part_metrics,
    speed_columns,
)
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
    host_rows,
    images_per_s,
)
from compare.formatting import plural
from compare.measure.bench import Bench
from compare.measure.image_tasks import image_tasks
from compare.observations.metric import Better, Mean, Metric, Quantity, metric
from compare.observations.reader import Observations, Observed
from compare.observations.series import Row, Series, batch_case, series_of
from compare.options import PresetName
from compare.records.measurements import Record, TaskRun
from compare.records.plan import Case, Plan, original_of, workers_of

NAME = "throughput"
MEMORY = "memory"
"""The ``experiment`` of the rows about peak memory."""
FORMS = "forms"
"""The ``experiment`` of the rows about other forms of engines."""
PLAIN = "plain"
"""Parameter of the case of these rows: the engine that a form is another form of."""
AGAINST_PLAIN = Quantity(name="against_plain", unit="× plain form", better=Better.HIGHER)
"""Throughput, divided by that of the plain form in the same block."""

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
            *speed_columns("images/s"),
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
_PARTS = Section(title="", explanation=PARTS_EXPLAINED, table=Columns(columns=PARTS), details=True)
_MEMORY = Section(
    title="Memory",
    explanation="""The peak during the batch inference, as the sum of the proportional set sizes of
driver, daemons, JVM and workers (a page that k processes share counts 1/k in each).  Lower is
better.""",
    table=Columns(columns=(Column(metric="peak_memory", heading="peak memory (MiB)", scale=MIB),)),
    rows_of=MEMORY,
    details=True,
)
_FORMS = Section(
    title="Each engine's other forms",
    explanation="""The same images through other APIs of the same framework, as its own
documentation recommends for batches: the open track.  The ratio compares a form with the plain task
API of its engine, the closed track, in the same blocks; above 1 the form is faster.  Like every
number here, both stand only if all labels equal those of the serial engine.""",
    lead="Images/s in the form that each engine's documentation recommends for batches.",
    table=Columns(
        axes=((PLAIN, "form of"),),
        columns=(
            Column(metric=THROUGHPUT.quantity.name, heading="images/s"),
            Column(metric=AGAINST_PLAIN.name, heading="against the plain form (×)"),
        ),
    ),
    rows_of=FORMS,
)


class Throughput(Experiment):
    """One case: all images, in chunks."""

    name = NAME
    classifies = True
    needs_images = True
    gives_reference = True
    ceiling_twice = True
    sections = (_MAIN, _PAIRS, _PARTS, _FORMS, _MEMORY)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        return (Case(experiment=self.name, parameters={"chunk": scope.need_workload().chunk}),)

    @override
    def wanted_blocks(self, preset: PresetName) -> int:
        return WANTED_BLOCKS.of(preset)

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
        yield from _batches(plan).speed_rows(observations, engine)
        for time_metric in (CPU_TIME, *part_metrics(workers_of(engine, plan.workers))):
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
        workload = facts.observations.plan.workload
        if workload is None:
            return "No engine gave a valid throughput."
        of = plural(len(workload.images), "image")
        return fastest_sentence(facts, NAME, of=of, unit="images/s")

    @override
    def progress(self, records: Sequence[Record]) -> str | None:
        speeds = [images_per_s(record) for record in records if isinstance(record, TaskRun)]
        return f"{speeds[-1]:.2f} images/s" if speeds else None


def _batches(plan: Plan) -> Batches:
    return Batches(experiment=NAME, case=batch_case(plan), throughput=THROUGHPUT)


def batches(observations: Observations, engine: str) -> Observed[TaskRun]:
    """The batch inference of each block; empty if it was not planned."""
    return _batches(observations.plan).of(observations, engine)


def speed(observations: Observations, engine: str) -> Series:
    """Images/s in each block; of the ceiling the geometric mean of both ends of the block."""
    return _batches(observations.plan).speed(observations, engine)


def fastest(rows: Sequence[Row], forms: Collection[str]) -> str | None:
    """The engine with the highest throughput; neither the ceiling, nor a control, nor a form."""
    return batch_rows.fastest(rows, NAME, forms)


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
