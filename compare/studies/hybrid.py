"""What it gains to run tasks that wait together with tasks that compute."""

from compare.experiments.hybrid import IMAGES, IMAGES_TOGETHER, NAPS, NAPS_TOGETHER, PARTS
from compare.experiments.together import makespan_s
from compare.metrics import Better, Metric, metric
from compare.observations import Runs
from compare.records import Case, Plan
from compare.studies.base import Column, Study


def _together_s(runs: Runs) -> float:
    return makespan_s((runs[NAPS_TOGETHER], runs[IMAGES_TOGETHER]))


def _gain(runs: Runs) -> float:
    apart_s = runs[IMAGES].makespan_s + runs[NAPS].makespan_s
    return apart_s / _together_s(runs)


def _metrics(_plan: Plan, _case: Case) -> tuple[Metric[Runs], ...]:
    return (
        metric("images_alone", "s", Better.LOWER, lambda runs: runs[IMAGES].makespan_s),
        metric("naps_alone", "s", Better.LOWER, lambda runs: runs[NAPS].makespan_s),
        metric("together", "s", Better.LOWER, _together_s),
        metric("hybrid_gain", "× one after the other", Better.HIGHER, _gain),
    )


STUDY = Study(
    experiment="hybrid",
    title="Hybrid runs",
    explanation="""Image tasks that ask for one core each, and four tasks that ask for 0.1 of a
core each and sleep half as long again as the images take alone.  *Together* is from the first
submission until the last result of both; the *gain* is the time of one after the other over it.
An engine that plans with shares runs images beside the naps: on two cores the naps hold a part of
one, so the other is left for images, and at best the gain is (1 + 1.5) / 1.75 = 1.43.  Every
process has the model loaded before.""",
    axes=(),
    columns=(
        Column(metric="images_alone", heading="images alone (s)"),
        Column(metric="naps_alone", heading="naps alone (s)"),
        Column(metric="together", heading="together (s)"),
        Column(metric="hybrid_gain", heading="gain (×)"),
    ),
    metrics=_metrics,
    parts=PARTS,
)
