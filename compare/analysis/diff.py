"""What changed between two runs, and whether the change can be distinguished from noise."""

import enum
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from compare.analysis.analysis import Analysis
from compare.analysis.family import Tried, discoveries, tested
from compare.analysis.intervals import Estimate, Ratio
from compare.analysis.relative import (
    Key,
    Kind,
    Machine,
    Pair,
    case_key,
    key,
    kind,
    machine_of,
    measurable,
    relative,
)
from compare.formatting import short
from compare.observations.absence import Why
from compare.observations.metric import Better
from compare.observations.series import BY_DEFINITION, Row, Series
from compare.options import compared_fields, differing, spelled
from compare.records.plan import SERIAL, Scalar

_HARMLESS = (Why.NOT_GIVEN, Why.DISTURBED, Why.BEYOND, Why.PENDING)
"""Absences that say nothing about an engine."""


class DifferentPlansError(Exception):
    """The runs did not measure the same thing on the same machine."""


class Outcome(enum.StrEnum):
    """The result of comparing one row.  The value is printed."""

    SLOWER = "slower"
    """Worse in the direction of the metric: slower, or more expensive."""
    LOST = "no number any more"
    FASTER = "faster"
    GAINED = "a number now"
    NOT_GIVEN = "not given this time"
    """The data did not suffice for a number, which is no slow-down."""
    CHANGED_WORD = "another answer"
    NO_DIFFERENCE = "no difference shown"
    NO_INTERVAL = "no interval from one block"
    NO_RATIO = "no ratio, because a value is zero or its unit is missing"
    NO_NUMBER = "no number in either run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The comparison of one row that both runs have."""

    experiment: str
    engine: str
    metric: str
    case: Mapping[str, Scalar]
    ratio: Estimate | None
    """B/A with its 95% interval, of times and rates relative to the machine's speed; ``None`` if a
    run has no positive number."""
    outcome: Outcome
    detail: str | None = None
    kind: Kind = Kind.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """The rows that both runs have and whose metric has a direction, and the changed answers."""

    run_a: str
    run_b: str
    machine: Machine | None
    """The speed of the machine; ``None`` if it was not measured in both runs."""
    changes: tuple[Change, ...]

    @property
    def slower(self) -> tuple[Change, ...]:
        """The rows that became significantly worse, or that lost their number."""
        return tuple(c for c in self.changes if c.outcome in (Outcome.SLOWER, Outcome.LOST))


def compare_runs(a: Analysis, b: Analysis, *, anyway: bool = False) -> Differences:
    """Compare two runs: ratios b/a of the geometric means over their blocks.

    Times and rates are relative to the machine's speed in the same block (see
    ``compare.analysis.relative``).  The intervals belong to single rows.  *Slower* and *faster* are
    decided over all rows together (see ``compare.analysis.family``).  If two runs do not differ,
    at most one such pair of runs in twenty therefore shows any difference, also if the machine was
    slower in one of them.

    Raises:
        DifferentPlansError: the runs measured different things, or on different machines, and
            ``anyway`` is not set.
    """
    unequal = list(what_differs(a, b))
    if unequal and not anyway:
        raise DifferentPlansError(
            f"the runs cannot be compared: {'; '.join(unequal)}; measure again with equal "
            "settings on one machine, or pass --anyway"
        )
    machine = machine_of(a.series, b.series, (a.calibrated, b.calibrated))
    return Differences(
        run_a=a.plan.run_id,
        run_b=b.plan.run_id,
        machine=machine,
        changes=(*compare_series(a.series, b.series, machine), *_words(a.rows, b.rows)),
    )


def compare_series(
    old: Sequence[Series], new: Sequence[Series], machine: Machine | None
) -> tuple[Change, ...]:
    """The changes of all numbers that have a direction, as one family of tests.

    The serial engine has no rows for its times and rates, which are the units of the others, unless
    it lost or gained a number.
    """
    pairs = list(_compared(old, new, machine))
    rows = {
        place: Tried(before=before, after=after, pair=pair)
        for place, (before, after, pair) in enumerate(pairs)
        if _has_ratio(before, after, pair)
    }
    ratios = tested(list(rows.values()))
    changed = discoveries(list(rows.values()), ratios)
    results = dict(zip(rows, zip(ratios, changed, strict=True), strict=True))
    return tuple(
        _change(before, after, *results.get(place, (None, False)))
        for place, (before, after, _) in enumerate(pairs)
    )


def _change(before: Series, after: Series, ratio: Ratio | None, changed: bool) -> Change:  # noqa: FBT001
    return Change(
        experiment=before.experiment,
        engine=before.engine,
        metric=before.quantity.name,
        case=before.case,
        ratio=None if ratio is None else ratio.estimate,
        outcome=_outcome(before, after, ratio, significant=changed),
        detail=_why_none(after) if before.usable and not after.usable else None,
        kind=kind(before.quantity),
    )


def _compared(
    old: Sequence[Series], new: Sequence[Series], machine: Machine | None
) -> Iterator[tuple[Series, Series, Pair]]:
    earlier, later = ({key(series): series for series in items} for items in (old, new))
    known: set[tuple[str, tuple[float, ...]]] = set()
    for name, before in earlier.items():
        after = later.get(name)
        if after is None or before.quantity.better is Better.NEITHER or _is_unit(before, after):
            continue
        serial = key(before, SERIAL)
        pair = relative(before, after, (earlier.get(serial), later.get(serial)), machine)
        shape = _up_to_units(before, after, pair)
        if (before.engine, shape) not in known:
            yield before, after, pair
        if any(shape):
            known.add((before.engine, shape))


def _is_unit(before: Series, after: Series) -> bool:
    """Whether both are the unit of other rows, or 1 by definition."""
    if before.note == after.note == BY_DEFINITION:
        return True
    timed = before.engine == SERIAL and kind(before.quantity) is not Kind.OTHER
    return timed and before.usable and after.usable


def _up_to_units(before: Series, after: Series, pair: Pair) -> tuple[float, ...]:
    """A key that a quantity shares with its multiples and their inverses: a speed-up repeats the
    throughput relative to serial, and a rate the time of a task.
    """
    if not _has_ratio(before, after, pair):
        return ()
    logs = [math.log(value) for value in (*pair.before.values(), *pair.after.values())]
    apart = [round(log - logs[0], 9) for log in logs]
    sign = next((math.copysign(1.0, one) for one in apart if one), 1.0)
    return tuple(sign * one for one in apart)


def _has_ratio(before: Series, after: Series, pair: Pair) -> bool:
    return bool(measurable(before) and measurable(after) and pair.before and pair.after)


def _outcome(before: Series, after: Series, ratio: Ratio | None, *, significant: bool) -> Outcome:
    if before.usable and not after.usable:
        return Outcome.NOT_GIVEN if _merely_not_given(after) else Outcome.LOST
    if not before.usable:
        return Outcome.GAINED if after.usable else Outcome.NO_NUMBER
    if ratio is None:
        return Outcome.NO_RATIO
    if not significant:
        return Outcome.NO_INTERVAL if ratio.p is None else Outcome.NO_DIFFERENCE
    rose = ratio.estimate.value > 1
    return Outcome.FASTER if rose == (before.quantity.better is Better.HIGHER) else Outcome.SLOWER


def _merely_not_given(item: Series) -> bool:
    return bool(item.absences) and all(one.why in _HARMLESS for one in item.absences.values())


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
                outcome=_outcome_of_words(after),
                detail=f"{before.value}, now {after.value or after.verdict}",
            )


def _outcome_of_words(after: Row) -> Outcome:
    if after.value is not None:
        return Outcome.CHANGED_WORD
    harmless = (after.verdict or "").startswith(tuple(f"{why}" for why in _HARMLESS))
    return Outcome.NOT_GIVEN if harmless else Outcome.LOST


def _why_none(series: Series) -> str | None:
    return next((str(absence) for absence in series.absences.values()), None)


def _row_key(row: Row) -> Key:
    return row.experiment, row.engine, row.metric, case_key(row.experiment, row.case)


def what_differs(a: Analysis, b: Analysis) -> Iterator[str]:
    """Yield the differences between the two runs, the machine first, then the options."""
    for name in ("cpu_model", "cores"):
        yield from _difference(name, a.environment.get(name), b.environment.get(name))
    ours, theirs = a.plan.effective_options(), b.plan.effective_options()
    for field in differing(ours, theirs, compared_fields()):
        yield from _difference(spelled(field), getattr(ours, field), getattr(theirs, field))
    yield from _difference("list of images", _image_names(a), _image_names(b))
    yield from _difference("content of the job", _job_content(a), _job_content(b))


def _difference(name: str, ours: object, theirs: object) -> Iterator[str]:
    if ours != theirs:
        yield f"{name} is {short(str(ours))} in one and {short(str(theirs))} in the other"


def _job_content(run: Analysis) -> str | None:
    return None if run.plan.job is None else run.plan.job.sha256


def _image_names(run: Analysis) -> list[str]:
    workload = run.plan.workload
    return [] if workload is None else [PurePath(image).name for image in workload.images]
