"""The user's own job: tasks per second, the makespan, the length of a task, and memory."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from typing_extensions import override

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
from compare.experiments.experiment import Estimable, Experiment, Facts, Opening, Pace, Scope
from compare.experiments.on_the_curves import on_the_curves
from compare.experiments.section import (
    MIB,
    Column,
    Columns,
    Intervals,
    Lanes,
    Pairs,
    Section,
)
from compare.experiments.share_rows import CPUS
from compare.experiments.shared_metrics import PAIRS_EXPLAINED, PEAK_MEMORY
from compare.formatting import plural
from compare.measure import job_tasks
from compare.measure.adapters import capabilities
from compare.measure.bench import Bench
from compare.observations.metric import Better, Mean, Metric, metric
from compare.observations.reader import Observations, Observed
from compare.observations.series import budget_case
from compare.observations.spans import median_s
from compare.options import PresetName
from compare.records.measurements import Record, Rejected, TaskRun
from compare.records.plan import (
    INPUTS,
    Case,
    Job,
    Plan,
    Scalar,
    workers_of,
)
from engines.errors import CpusRejectedError
from engines.interface import Capability
from workload.interface import Task

NAME = "job"
_WHOLE = "each task takes a whole worker: the engine knows no shares of a core"

_MAIN = Section(
    title="Your job",
    explanation="""All inputs are available at the start, one input is one task, and the clock runs
from before the first submission until the last output is in the driver.  Before that every worker
has imported the job, called its `load()` and run the first input (*warm-up* under *Start and
stop*).  The *ceiling* is the throughput of the same calls in plain processes without a framework.
*A task takes* is the median time inside `run`.  Memory is the peak, as the sum of the proportional
set sizes of driver, daemons, JVM and workers.  Higher is better for the first three columns, lower
for the others.  If the job asks for a share of a core, an engine that knows shares runs as many
tasks at once as fit, after one batch that does not count.""",
    table=Columns(
        columns=(
            *speed_columns("tasks/s"),
            Column(metric="makespan", heading="makespan"),
            Column(metric="task_length", heading="a task takes"),
            Column(metric="peak_memory", heading="peak memory (MiB)", scale=MIB),
            Column(metric="cpu_time", heading="CPU time", details=True),
        ),
    ),
    pictures=(
        Intervals(
            name="job",
            description="Tasks per second of each engine with its interval, and the ceiling",
            metric="throughput",
            x_label="tasks/s, higher is better",
        ),
        Lanes(
            name="job-lanes",
            description="When each worker ran which task, in the first valid block",
        ),
    ),
)
_PAIRS = Section(
    title="",
    explanation=PAIRS_EXPLAINED,
    table=Pairs(columns=(Column(metric="throughput", heading="tasks/s (×)"),)),
    details=True,
)
_PARTS = Section(title="", explanation=PARTS_EXPLAINED, table=Columns(columns=PARTS), details=True)

THROUGHPUT: Metric[TaskRun] = metric(
    "throughput", "tasks/s", Better.HIGHER, lambda run: run.tasks / run.makespan_s
)
MAKESPAN: Metric[TaskRun] = metric("makespan", "s", Better.LOWER, lambda run: run.makespan_s)
TASK_LENGTH: Metric[TaskRun] = metric(
    "task_length",
    "s",
    Better.LOWER,
    lambda run: median_s(run, lambda span: span.end_s - span.start_s),
    mean=Mean.GEOMETRIC_IF_POSITIVE,
    lacking="the hosts have no common clock",
)


class OwnJob(Experiment):
    """One case: all inputs, each as a task."""

    name = NAME
    needs_job = True
    ceiling_twice = True
    sections = (_MAIN, _PAIRS, _PARTS)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        if scope.job is None:
            return ()
        return (Case(experiment=self.name, parameters=_parameters(scope.job)),)

    @override
    def wanted_blocks(self, preset: PresetName) -> int:
        return WANTED_BLOCKS.of(preset)

    @override
    def traced_cases(self, cases: tuple[Case, ...]) -> tuple[Case, ...]:
        return cases

    @override
    def warm_up_task(self, plan: Plan, label: str) -> Task:
        return job_tasks.warm_up_task(plan, label)

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        job = job_tasks.job_of(plan)
        warm_up_s = job.import_s + (job.load_s or 0.0) + job.task_s
        batches = 1 if job.cpus == 1.0 else 2
        return warm_up_s + batches * job.inputs * job.task_s * job.cpus / pace.workers

    @override
    def opening(self, case: Case, workers: int) -> Opening:
        share = float(case.parameters.get(CPUS, 1.0))
        if share == 1.0:
            return Opening(workers=workers)
        return Opening(workers=workers, smallest_share=share, label=NAME)

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[Record]:
        """Measure one batch over all inputs, and sample the memory meanwhile.

        An engine that knows no shares of a core gives every task a whole worker.
        """
        share = job_tasks.job_of(bench.plan).cpus
        cpus = share if _knows_shares(bench.session.engine) else 1.0
        as_text = job_tasks.as_text(bench.plan)

        def batch() -> TaskRun:
            tasks = job_tasks.job_tasks(bench.plan, bench.label())
            items = len(tasks)
            return bench.run(case, tasks, items=items, cpus=cpus, memory=True, as_text=as_text)

        try:
            if cpus < 1.0:
                batch()  # starts the processes that the share asks for
            yield batch()
        except CpusRejectedError as error:
            yield Rejected(**bench.head(), case=case, words=str(error))

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        runs = _batches(observations.plan)
        observed = runs.of(observations, engine)
        whole = observations.plan.job is not None and observations.plan.job.cpus < 1.0
        note = _WHOLE if whole and not _knows_shares(engine) else None
        for row in runs.speed_rows(observations, engine):
            yield replace(row, note=row.note or note)
        workers = workers_of(engine, observations.plan.workers)
        for each in (MAKESPAN, TASK_LENGTH, PEAK_MEMORY, CPU_TIME, *part_metrics(workers)):
            yield runs.series(engine, each, observed)

    @override
    def answer(self, facts: Facts) -> str | None:
        job = job_tasks.job_of(facts.observations.plan)
        of = f"{plural(job.inputs, 'task')} of your job *{job.label}*"
        name = TASK_LENGTH.quantity.name
        own = [row for row in facts.rows if (row.experiment, row.metric) == (NAME, name)]
        lengths = {row.engine: row.value for row in own if isinstance(row.value, float)}
        sentences = [
            fastest_sentence(facts, NAME, of=of, unit="tasks/s"),
            on_the_curves(facts, lengths),
        ]
        return " ".join(filter(None, sentences))

    @override
    def progress(self, records: Sequence[Record]) -> str | None:
        speeds = [r.tasks / r.makespan_s for r in records if isinstance(r, TaskRun)]
        return f"{speeds[-1]:.4g} tasks/s" if speeds else None


def _parameters(job: Job) -> dict[str, Scalar]:
    shares = {} if job.cpus == 1.0 else {CPUS: job.cpus}
    return {INPUTS: job.inputs, **shares}


def _knows_shares(engine: str) -> bool:
    return Capability.FRACTIONAL_CPUS in capabilities(engine)


def _batches(plan: Plan) -> Batches:
    job = job_tasks.job_of(plan)
    case = {**budget_case(plan), "label": job.label, **_parameters(job)}
    return Batches(experiment=NAME, case=case, throughput=THROUGHPUT)


def batches(observations: Observations, engine: str) -> Observed[TaskRun]:
    """The batch of each block; empty if no job was planned."""
    return (
        {}
        if observations.plan.job is None
        else _batches(observations.plan).of(observations, engine)
    )
