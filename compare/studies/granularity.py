"""Images per second against images per task."""

from compare.metrics import THROUGHPUT, Metric, of_part
from compare.observations import Runs
from compare.records import Case, Plan
from compare.studies.base import Column, Curve, Study


def _metrics(_plan: Plan, _case: Case) -> tuple[Metric[Runs], ...]:
    return (of_part(THROUGHPUT),)


STUDY = Study(
    experiment="granularity",
    title="Images per task",
    explanation="""The same images in tasks of other sizes.  A task is one batch of the model, so
the ceiling, which has no engine, changes with the size as well: what an engine costs is its
distance from the ceiling at the same size.  Higher is better.""",
    axes=(("chunk", "images per task"),),
    columns=(Column(metric="throughput", heading="images/s"),),
    metrics=_metrics,
    pictures=(
        Curve(
            name="granularity",
            x="chunk",
            metric="throughput",
            x_label="images per task (log)",
            y_label="images/s, higher is better",
        ),
    ),
)
