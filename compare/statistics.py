"""From records to estimates.  Pure functions: no files, no clock, no printing.

Every planned (experiment, engine, metric) has a row: losses, failures, what was refused, what does
not apply and what is missing as well.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from compare.experiments.fractional import slots
from compare.intervals import Estimate, geometric_mean
from compare.metrics import (
    ADMITTED,
    ENGINE_EFFICIENCY,
    SPEEDUP,
    Metric,
    Quantity,
    accuracy_metric,
    admitted,
    fractional_metrics,
    images_per_s,
    memory_metrics,
    overhead_metrics,
    peak_concurrency,
    startup_metrics,
    throughput_metrics,
)
from compare.observations import (
    PHASES,
    Absence,
    Observations,
    Observed,
    Why,
    absent,
    engines,
    planned_cases,
    valid,
)
from compare.records import CEILING, SERIAL, Plan, Row, Run, Scalar, TaskRun

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One quantity of one engine in one case: a number, a word or an absence for each block."""

    experiment: str
    engine: str
    quantity: Quantity
    case: Mapping[str, Scalar]
    values: Mapping[int, float]
    absences: Mapping[int, Absence]
    note: str | None = None
    """What stands against the numbers."""

    @property
    def usable(self) -> bool:
        """There is a number, and no block broke a gate.

        One block that returned wrong results is enough: an engine that is right in two of three
        runs has no throughput.
        """
        broken = any(absence.why is Why.INVALID for absence in self.absences.values())
        return bool(self.values) and not broken


def rows(run: Run) -> tuple[Row, ...]:
    """All rows, in the order experiment, engine, case, metric."""
    observations = Observations(run)
    found: list[Row] = []
    for one in _all_series(observations):
        if isinstance(one, Series):
            found.append(_row(one))
        else:
            found.append(one)
    return tuple(found)


def series(run: Run) -> tuple[Series, ...]:
    """The same as ``rows`` before the estimate, without the words."""
    return tuple(one for one in _all_series(Observations(run)) if isinstance(one, Series))


def throughput_ratio(run: Run, engine: str, other: str) -> Estimate | None:
    """Throughput of ``engine`` over that of ``other``, paired within blocks.

    ``None`` when no block holds a valid run of both.
    """
    observations = Observations(run)
    ours, theirs = _images_per_s(observations, engine), _images_per_s(observations, other)
    ratios = [ours[block] / theirs[block] for block in ours if block in theirs]
    return geometric_mean(ratios) if ratios else None
