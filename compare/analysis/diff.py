"""What changed between two runs, and whether the change can be distinguished from noise."""

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from scipy import stats

from compare.analysis.analysis import Analysis
from compare.analysis.intervals import CONFIDENCE, Estimate, unpaired_ratio
from compare.experiments.registry import identity
from compare.formatting import short
from compare.observations.absence import Why
from compare.observations.metric import Better
from compare.observations.series import Row, Series
from compare.options import compared_fields, differing, spelled
from compare.records.plan import Scalar


class DifferentPlansError(Exception):
    """The runs did not measure the same thing on the same machine."""


class Outcome(enum.StrEnum):
    """The result of comparing one row.  The value is printed."""

    SLOWER = "slower"
    """Worse in the direction of the metric: slower, or more expensive."""
    FASTER = "faster"
    LOST = "no number any more"
    GAINED = "a number now"
    NOT_GIVEN = "not given this time"
    """The data did not suffice for a number, which is no slow-down."""
    NO_DIFFERENCE = "no difference shown"
    NO_INTERVAL = "no interval from one block"
    CHANGED_WORD = "another answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The comparison of one row that both runs have."""

    experiment: str
    engine: str
    metric: str
    case: Mapping[str, Scalar]
    ratio: Estimate | None
    """B/A with its 95% interval; ``None`` if a run has no positive number."""
    outcome: Outcome
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """The rows that both runs have and whose metric has a direction, and the changed answers."""

    run_a: str
    run_b: str
    changes: tuple[Change, ...]

    @property
    def slower(self) -> tuple[Change, ...]:
        """The rows that became significantly worse, or that lost their number."""
        return tuple(c for c in self.changes if c.outcome in (Outcome.SLOWER, Outcome.LOST))


def compare_runs(a: Analysis, b: Analysis, *, anyway: bool = False) -> Differences:
    """Compare two runs: unpaired ratios b/a over their blocks, Welch's t on logarithms.

    The intervals belong to single rows.  *Slower* and *faster* are decided over all rows together,
    with a false discovery rate of 5% (Benjamini and Hochberg 1995).  If two runs do not differ,
    at most one such pair of runs in twenty therefore shows any difference.

    Raises:
        DifferentPlansError: the runs measured different things, or on different machines, and
            ``anyway`` is not set.
    """
    unequal = list(_unequal(a, b))
    if unequal and not anyway:
        raise DifferentPlansError(
            f"the runs cannot be compared: {'; '.join(unequal)}; measure again with equal "
            "settings on one machine, or pass --anyway"
        )
    return Differences(
        run_a=a.plan.run_id,
        run_b=b.plan.run_id,
        changes=(*_numbers(a.series, b.series), *_words(a.rows, b.rows)),
    )


def _numbers(old: Sequence[Series], new: Sequence[Series]) -> Iterator[Change]:
    """Yield the changes of all metrics that have a direction."""
    later = {_key(series): series for series in new}
    pairs = [
        (series, later[_key(series)])
        for series in old
        if _key(series) in later and series.quantity.better is not Better.NEITHER
    ]
    tested = {}
    for place, (before, after) in enumerate(pairs):
        if before.usable and after.usable and _positive(before) and _positive(after):
            tested[place] = unpaired_ratio(
                list(after.values.values()), list(before.values.values())
            )
    significant = _discoveries({place: ratio.p for place, ratio in tested.items()})
    for place, (before, after) in enumerate(pairs):
        ratio = tested[place].estimate if place in tested else None
        yield Change(
            experiment=before.experiment,
            engine=before.engine,
            metric=before.quantity.name,
            case=before.case,
            ratio=ratio,
            outcome=_outcome(before, after, ratio, significant=place in significant),
            detail=_why_none(after) if before.usable and not after.usable else None,
        )


def _outcome(
    before: Series, after: Series, ratio: Estimate | None, *, significant: bool
) -> Outcome:
    if before.usable and not after.usable:
        return Outcome.NOT_GIVEN if _merely_not_given(after) else Outcome.LOST
    if after.usable and not before.usable:
        return Outcome.GAINED
    if ratio is None or not significant:
        alone = ratio is not None and ratio.low is None
        return Outcome.NO_INTERVAL if alone else Outcome.NO_DIFFERENCE
    rose = ratio.value > 1
    return Outcome.FASTER if rose == (before.quantity.better is Better.HIGHER) else Outcome.SLOWER


def _merely_not_given(item: Series) -> bool:
    harmless = {Why.NOT_GIVEN, Why.DISTURBED}
    return bool(item.absences) and all(one.why in harmless for one in item.absences.values())


def _words(old: Sequence[Row], new: Sequence[Row]) -> Iterator[Change]:
    """Yield the changes of the rows whose value is a word."""
    later = {_row_key(row): row for row in new}
    for before in old:
        after = later.get(_row_key(before))
        if isinstance(before.value, str) and after is not None and after.value != before.value:
            yield Change(
                experiment=before.experiment,
                engine=before.engine,
                metric=before.metric,
                case=before.case,
                ratio=None,
                outcome=Outcome.LOST if after.value is None else Outcome.CHANGED_WORD,
                detail=f"{before.value}, now {after.value or after.verdict}",
            )


def _discoveries(p_values: Mapping[int, float | None]) -> frozenset[int]:
    known = {place: p for place, p in p_values.items() if p is not None}
    if not known:
        return frozenset()
    adjusted = stats.false_discovery_control(list(known.values()), method="bh")
    return frozenset(place for place, p in zip(known, adjusted, strict=True) if p <= 1 - CONFIDENCE)


def _positive(series: Series) -> bool:
    return min(series.values.values()) > 0


def _why_none(series: Series) -> str | None:
    return next((str(absence) for absence in series.absences.values()), None)


def _key(series: Series) -> tuple[str, str, str, str]:
    return (
        series.experiment,
        series.engine,
        series.quantity.name,
        _case_key(series.experiment, series.case),
    )


def _row_key(row: Row) -> tuple[str, str, str, str]:
    return row.experiment, row.engine, row.metric, _case_key(row.experiment, row.case)


def _case_key(experiment: str, case: Mapping[str, Scalar]) -> str:
    # Different settings were refused before, or the user allowed them: they give no other row.
    return " ".join(f"{name}={case[name]}" for name in identity(experiment, case))


def _unequal(a: Analysis, b: Analysis) -> Iterator[str]:
    """Yield the differences between the two runs, the machine first, then the options."""
    for name in ("cpu_model", "cores"):
        yield from _difference(name, a.environment.get(name), b.environment.get(name))
    ours, theirs = a.plan.effective_options(), b.plan.effective_options()
    for field in differing(ours, theirs, compared_fields()):
        yield from _difference(spelled(field), getattr(ours, field), getattr(theirs, field))
    yield from _difference("list of images", _image_names(a), _image_names(b))


def _difference(name: str, ours: object, theirs: object) -> Iterator[str]:
    if ours != theirs:
        yield f"{name} is {short(str(ours))} in one and {short(str(theirs))} in the other"


def _image_names(run: Analysis) -> list[str]:
    workload = run.plan.workload
    return [] if workload is None else [PurePath(image).name for image in workload.images]
