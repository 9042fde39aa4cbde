"""Bytes into and out of tasks: seconds per task, and MB/s."""

import random
import statistics
from collections.abc import Iterator

from typing_extensions import override

from compare.experiments.experiment import Experiment, Pace, Scope
from compare.experiments.section import Column, Columns, Curve, Section
from compare.measure.bench import Bench
from compare.observations.metric import Better, Metric, metric
from compare.observations.reader import Runs
from compare.presets import Sizes
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan, refine
from engines.interface import Capability
from workload.interface import Task
from workload.kernels import payload

SIZES = (1_000, 64_000, 1_000_000, 16_000_000, 64_000_000)
IN, OUT = "in", "out"
BATCHES = ("first", "second", "third")
"""Three batches, because the first access to memory may take many times as long as later ones."""
_TASKS_PER_WORKER = 16
_MOST_BYTES = 128_000_000
"""Limit for all tasks of a batch together; there is always at least one task per worker."""
_BYTES_PER_S = 400e6
"""Approximate rate if no link is limited."""
_BITS = {"k": 1e3, "m": 1e6, "g": 1e9}
MOST_BYTES = Sizes(quick=16_000_000, standard=64_000_000, full=64_000_000)
"""Largest payload."""

_SECTION = Section(
    title="Moving data",
    explanation="""Bytes that go into each task (*in*: different bytes for each task) or come back
from it (*out*).  All tasks of a batch are submitted at once.  The columns show makespan / tasks,
and MB/s (10^6 bytes) through the driver.  A block's value is the median of three batches, after one
that is not measured: the first access to memory takes longer than later ones, most of all in an
object store.  In all other experiments, arguments are paths and results are labels.""",
    table=Columns(
        axes=(("direction", "direction"), ("bytes", "bytes")),
        columns=(
            Column(metric="payload_per_task", heading="a task"),
            Column(metric="payload_rate", heading="MB/s"),
        ),
    ),
    pictures=(
        Curve(
            name="payload",
            x="bytes",
            metric="payload_rate",
            x_label="bytes into each task (log)",
            y_label="MB/s (log), higher is better",
            log_y=True,
            where=("direction", "in"),
        ),
    ),
)


class Payload(Experiment):
    """One case for each size and direction."""

    name = "payload"
    with_ceiling = False
    parts = BATCHES
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        return tuple(
            Case(experiment=self.name, parameters={"direction": direction, "bytes": size})
            for direction in (IN, OUT)
            for size in SIZES
            if size <= MOST_BYTES.of(scope.preset)
        )

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.PARALLEL})

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        size = int(case.parameters["bytes"])
        batches = 1 + len(BATCHES)
        return 0.3 + batches * _tasks(size, pace.workers) * size / _bytes_per_s(
            plan.options.link_rate
        )

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        size, direction = int(case.parameters["bytes"]), str(case.parameters["direction"])
        workers = bench.plan.workers
        # Unmeasured: connections open, buffers grow, and workers make the bytes they will return.
        bench.run(case, _batch(bench, direction, size, 2 * workers), spans=False)
        for part in BATCHES:
            yield bench.run(
                refine(case, part=part),
                _batch(bench, direction, size, _tasks(size, workers)),
                spans=False,
                returned=size if direction == OUT else None,
            )

    @override
    def metrics(self, plan: Plan, case: Case) -> tuple[Metric[Runs], ...]:
        size = float(case.parameters["bytes"])

        def seconds_per_task(runs: Runs) -> float:
            return statistics.median(run.makespan_s / run.tasks for run in runs.values())

        return (
            metric("payload_per_task", "s", Better.LOWER, seconds_per_task),
            metric(
                "payload_rate",
                "MB/s",
                Better.HIGHER,
                lambda runs: size / 1e6 / seconds_per_task(runs),
            ),
        )


def _bytes_per_s(link_rate: str | None) -> float:
    """Expected rate with a link limit such as ``100mbit``."""
    if link_rate is None:
        return _BYTES_PER_S
    number, prefix = link_rate[: -len("kbit")], link_rate[-len("kbit")]
    return min(_BYTES_PER_S, int(number) * _BITS[prefix] / 8)


def _tasks(size: int, workers: int) -> int:
    return max(1, min(_TASKS_PER_WORKER, _MOST_BYTES // (size * workers))) * workers


def _batch(bench: Bench, direction: str, size: int, count: int) -> list[Task]:
    label = bench.label()
    if direction == OUT:
        return [payload.task_out(label, size)] * count
    first = random.Random(label).randrange(2**32)  # noqa: S311 - different bytes in each batch
    return [payload.task_in(label, size, first + number) for number in range(count)]
