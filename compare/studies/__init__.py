"""How each experiment beside the first three is read and said."""

from collections.abc import Mapping

from compare.experiments.fractional import CPUS, SLOTS
from compare.records import Scalar
from compare.studies import (
    dependencies,
    granularity,
    hybrid,
    imbalance,
    lying,
    payload,
    residency,
    scaling,
    submission,
    timeline,
)
from compare.studies.base import Study

STUDIES: dict[str, Study] = {
    study.experiment: study
    for study in (
        submission.STUDY,
        lying.STUDY,
        hybrid.STUDY,
        granularity.STUDY,
        residency.STUDY,
        scaling.STUDY,
        imbalance.STUDY,
        payload.STUDY,
        timeline.STUDY,
        dependencies.STUDY,
    )
}


def telling(experiment: str, case: Mapping[str, Scalar]) -> tuple[str, ...]:
    """Parameters of a case, or a row, by which those of an experiment are told apart."""
    if experiment in STUDIES:
        return tuple(name for name, _ in STUDIES[experiment].axes)
    return tuple(name for name in (CPUS, SLOTS, "phase") if name in case)
