"""What it costs to move bytes into tasks and out of them."""

import statistics

from compare.experiments.payload import BATCHES
from compare.metrics import Better, Metric, metric
from compare.observations import Runs
from compare.records import Case, Plan
from compare.studies.base import Column, Curve, Study

_MB = 1e6


def _metrics(_plan: Plan, case: Case) -> tuple[Metric[Runs], ...]:
    size = float(case.parameters["bytes"])

    def seconds_per_task(runs: Runs) -> float:
        return statistics.median(run.makespan_s / run.tasks for run in runs.values())

    return (
        metric("payload_per_task", "s", Better.LOWER, seconds_per_task),
        metric(
            "payload_rate", "MB/s", Better.HIGHER, lambda runs: size / _MB / seconds_per_task(runs)
        ),
    )


STUDY = Study(
    experiment="payload",
    title="Moving data",
    explanation="""Bytes that go into each task (*in*: other ones in each) or come back from it
(*out*), in batches submitted at once; makespan / tasks, and MB/s (10^6 bytes) through the driver.
Of a block the median of three batches, after one that is not measured: memory that is touched for
the first time takes longer than the same memory later, most of all in an object store.
Everywhere else arguments are paths and results are labels.""",
    axes=(("direction", "direction"), ("bytes", "bytes")),
    columns=(
        Column(metric="payload_per_task", heading="a task (ms)", scale=1e3),
        Column(metric="payload_rate", heading="MB/s"),
    ),
    metrics=_metrics,
    parts=BATCHES,
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
