"""One quantity of one engine over the blocks, and the resulting row of the summary."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from compare.observations.absence import Absence, Beyond, Why
from compare.observations.metric import Mean, Metric, Quantity
from compare.observations.reader import Observed, absent, valid
from compare.records.plan import Case, Plan, Scalar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One quantity of one engine in one case: for each planned block a number or an absence."""

    experiment: str
    engine: str
    quantity: Quantity
    case: Mapping[str, Scalar]
    values: Mapping[int, float]
    absences: Mapping[int, Absence]
    note: str | None = None
    """A caveat to the numbers, or their explanation."""

    @property
    def usable(self) -> bool:
        """Whether there is a number, and no block is invalid or beyond what was measured.

        One invalid block is enough to reject the series: an engine whose results are right in two
        of three runs has no throughput.  And the mean of the blocks that did reach a threshold
        would be the mean of the lucky ones.
        """
        rejecting = (Why.INVALID, Why.BEYOND)
        broken = any(absence.why in rejecting for absence in self.absences.values())
        return bool(self.values) and not broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A question that each block answers with a word, for one engine in one case."""

    experiment: str
    engine: str
    name: str
    case: Mapping[str, Scalar]
    words: Mapping[int, str]
    reasons: Mapping[int, str]
    """The reason for a block's word, if the engine gave one: its message of refusal."""
    absences: Mapping[int, Absence]
    note: str | None = None
    """A caveat to the answer."""

    def row(self) -> "Row":
        """The word of most blocks.  One invalid block is enough to withhold the answer."""
        broken = any(absence.why is Why.INVALID for absence in self.absences.values())
        counted = Counter(self.words.values())
        value = None if broken or not counted else counted.most_common(1)[0][0]
        return Row(
            experiment=self.experiment,
            engine=self.engine,
            metric=self.name,
            unit="word",
            value=value,
            low=None,
            high=None,
            n=0 if value is None else len(self.words),
            values=(),
            case=self.case,
            verdict=self._verdict(value, counted),
        )

    def _verdict(self, value: str | None, counted: Mapping[str, int]) -> str | None:
        blocks = len(self.words)
        if value is None:
            return absence_verdict(self.absences, measured=blocks)
        if len(counted) > 1:
            return ", ".join(f"{word} in {n} of {blocks} blocks" for word, n in counted.items())
        reason = next(iter(self.reasons.values()), None)
        return reason or self.note or absence_verdict(self.absences, measured=blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One estimate, as other programs read it from ``summary.json``."""

    experiment: str
    engine: str
    metric: str
    unit: str
    value: float | str | None
    """A number; a word for ``admitted``; ``None`` if there is no valid measurement."""
    low: float | None
    """Bounds of the 95% interval over the blocks; ``None`` below three blocks, and for counts.  Of
    quantities with ``Mean.RANGE``: the smallest and the largest block."""
    high: float | None
    n: int
    """Valid blocks."""
    values: tuple[float, ...]
    """The value of each valid block, in their order; empty if the value is a word."""
    case: Mapping[str, Scalar]
    verdict: str | None
    """Why there is no number, or a caveat to it; ``None`` if there is neither."""


BY_DEFINITION = "by definition"
"""The verdict of a ratio of an engine to itself."""


def series_of(
    experiment: str,
    engine: str,
    case: Mapping[str, Scalar],
    metric: Metric[_T],
    observed: Observed[_T],
) -> Series:
    """The value of the metric in each block, or the reason it is missing."""
    values, absences = {}, absent(observed)
    for block, measurement in valid(observed).items():
        number = metric.value(measurement)
        if number is None:
            absences[block] = Absence(why=Why.NOT_GIVEN, reason=metric.lacking)
        elif isinstance(number, Absence):
            absences[block] = number
        else:
            values[block] = float(number)
    return Series(
        experiment=experiment,
        engine=engine,
        quantity=metric.quantity,
        case=case,
        values=values,
        absences=absences,
    )


def paired(ours: Series, theirs: Series, quantity: Quantity) -> Series:
    """Ratios within blocks, so that a drift of the machine from block to block cancels out."""
    if ours.engine == theirs.engine and ours.case == theirs.case:
        quantity = replace(quantity, mean=Mean.MEDIAN)
        return replace(
            ours, quantity=quantity, values=dict.fromkeys(ours.values, 1.0), note=BY_DEFINITION
        )
    unit = theirs.values if theirs.usable else {}
    lacking = Absence(
        why=Why.NOT_GIVEN,
        reason=f"{theirs.engine} has no valid {theirs.quantity.name} in the same block",
    )
    # A baseline runs in every block, also in those that were added for another experiment.
    planned = {*theirs.values, *theirs.absences}
    common = [block for block in ours.values if block in planned] or [*ours.values]
    return replace(
        ours,
        quantity=quantity,
        values={block: ours.values[block] / unit[block] for block in common if block in unit},
        absences={**ours.absences, **{b: lacking for b in common if b not in unit}},
    )


def absence_verdict(absences: Mapping[int, Absence], *, measured: int) -> str | None:
    """The most serious absence, and the number of blocks with it, unless all have it.

    ``measured`` is the number of blocks without an absence.  Blocks that were not reached yet are
    not counted: the report's first line says how much of the plan was run.
    """
    reasons = [absence for absence in absences.values() if absence.why is not Why.PENDING]
    if not reasons:
        return None if measured else next((str(pending) for pending in absences.values()), None)
    most_serious = min(reasons, key=lambda absence: list(Why).index(absence.why))
    alike = sum(absence.why is most_serious.why for absence in reasons)
    total = measured + len(reasons)
    where = f" in {alike} of {total} blocks" if alike < total else ""
    if most_serious.why is Why.BEYOND:
        return _widest(reasons).reason + where
    return f"{most_serious.why}{where}: {most_serious.reason}"


def _widest(absences: Sequence[Absence]) -> Beyond:
    """The limit that holds in every block that has one."""
    limits = [absence for absence in absences if isinstance(absence, Beyond)]
    most_cautious = min if limits[0].more else max
    return most_cautious(limits, key=lambda one: one.limit)


def planned_case(plan: Plan, planned: Case) -> dict[str, Scalar]:
    """The ``case`` of the rows of one planned case."""
    return {**budget_case(plan), **planned.parameters}


def budget_case(plan: Plan) -> dict[str, Scalar]:
    """The ``case`` of rows that depend only on the resources."""
    return {
        "workers": plan.workers,
        "threads": plan.options.threads_per_worker,
        "config": plan.options.config.value,
    }


def batch_case(plan: Plan) -> dict[str, Scalar]:
    """The ``case`` of the rows of the batch inference."""
    workload = plan.workload
    if workload is None:
        return budget_case(plan)
    return {
        **budget_case(plan),
        "chunk": workload.chunk,
        "model": workload.model,
        "dtype": workload.dtype,
        "n_images": len(workload.images),
    }
