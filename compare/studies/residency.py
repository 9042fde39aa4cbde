"""What it is worth to keep the model in the worker."""

from compare.experiments.residency import PER
from compare.metrics import Better, Metric, images_per_s, metric
from compare.observations import Runs
from compare.records import Case, Plan
from compare.studies.base import Column, Study


def _metrics(_plan: Plan, _case: Case) -> tuple[Metric[Runs], ...]:
    image, task, worker = PER
    return (
        metric("per_image", "images/s", Better.HIGHER, lambda runs: images_per_s(runs[image])),
        metric("per_task", "images/s", Better.HIGHER, lambda runs: images_per_s(runs[task])),
        metric("per_worker", "images/s", Better.HIGHER, lambda runs: images_per_s(runs[worker])),
        metric(
            "residency_gain",
            "× loaded per image",
            Better.HIGHER,
            lambda runs: images_per_s(runs[worker]) / images_per_s(runs[image]),
        ),
    )


STUDY = Study(
    experiment="residency",
    title="Where the model lives",
    explanation="""The same images, in tasks of two, by a program that loads the model for each
image and classifies it alone (as the talk's own program does), for each task, or once in each
worker before the clock starts.  Images/s; higher is better.""",
    axes=(),
    columns=(
        Column(metric="per_image", heading="per image (images/s)"),
        Column(metric="per_task", heading="per task (images/s)"),
        Column(metric="per_worker", heading="per worker (images/s)"),
        Column(metric="residency_gain", heading="per worker against per image (×)"),
    ),
    metrics=_metrics,
    parts=PER,
)
