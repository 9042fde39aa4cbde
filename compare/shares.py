"""The rows of tasks that ask for a share: what the engine answers, and what was seen."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from compare.experiments.fractional import AFTER, COLD, WARM, resource_of, slots
from compare.metrics import ADMITTED, CAPACITY_AFTER, admitted, fractional_metrics
from compare.observations import Absence, Observations, Why, absent, valid
from compare.records import Case, Row, Scalar
from compare.series import Series, absence_verdict, budget_case, cases_of, series_of


def fractional_rows(
    observations: Observations, engine: str, experiment: str = "fractional"
) -> Iterator[Series | Row]:
    """Of each share that the experiment asks for: cold, warm, and when it is given back."""
    plan = observations.plan
    for planned in cases_of(plan, engine, experiment):
        resource, share = resource_of(planned)
        fitting = slots(plan.workers, share)
        for phase in (COLD, WARM):
            observed = observations.share(engine, planned, phase)
            case = {resource: share, "phase": phase, **budget_case(plan)}
            numbers = [
                series_of(experiment, engine, case, metric, observed)
                for metric in fractional_metrics(plan, share)
            ]
            peaks = numbers[0].values.values()
            wrong = _wrong_admission(peaks, fitting, warm=phase == WARM)
            words = _words(observations, engine, planned, share)
            yield _admitted_row(experiment, engine, case, words, wrong)
            for one in numbers:
                counted = one.quantity.name in ("peak_concurrency", "admission_accuracy")
                yield replace(one, note=wrong or _spread(peaks)) if counted else one
        after = observations.share(engine, planned, AFTER)
        case = {resource: share, "phase": AFTER, **budget_case(plan)}
        yield series_of(experiment, engine, case, CAPACITY_AFTER, after)


def _words(
    observations: Observations, engine: str, planned: Case, share: float
) -> Mapping[int, str | Absence]:
    """What each block says of the share.

    The warm wave decides: in a cold one processes may still be starting.
    """
    return {
        block: one if isinstance(one, Absence) else admitted(observations.plan, share, one)
        for block, one in observations.share(engine, planned, WARM).items()
    }


def _admitted_row(
    experiment: str,
    engine: str,
    case: Mapping[str, Scalar],
    words: Mapping[int, str | Absence],
    wrong: str | None,
) -> Row:
    """A refusal is an answer here, with the engine's own words as the verdict."""
    refusals = {block: one for block, one in absent(words).items() if one.why is Why.REJECTED}
    others = {block: one for block, one in absent(words).items() if block not in refusals}
    told = [*valid(words).values(), *(str(one.why) for one in refusals.values())]
    broken = any(one.why is Why.INVALID for one in others.values())
    value = Counter(told).most_common(1)[0][0] if told and not broken else None
    return Row(
        experiment=experiment,
        engine=engine,
        metric=ADMITTED,
        unit="word",
        value=value,
        low=None,
        high=None,
        n=0 if value is None else len(told),
        case=case,
        verdict=_admitted_verdict(value, told, refusals, others, wrong),
    )


def _admitted_verdict(
    value: str | None,
    told: Sequence[str],
    refusals: Mapping[int, Absence],
    others: Mapping[int, Absence],
    wrong: str | None,
) -> str | None:
    if value is None:
        return absence_verdict(others, measured=len(told))
    if len(set(told)) > 1:
        return ", ".join(
            f"{word} in {n} of {len(told)} blocks" for word, n in Counter(told).items()
        )
    if refusals:
        return next(iter(refusals.values())).reason
    return wrong or absence_verdict(others, measured=len(told))


def _wrong_admission(peaks: Collection[float], fitting: int, *, warm: bool) -> str | None:
    most = max(peaks, default=fitting)
    if most > fitting:
        return f"over-admission: {most:.0f} tasks ran at once, room is for {fitting}"
    if warm and most < fitting:
        return f"{most:.0f} tasks ran at once, though {fitting} fit"
    return None


def _spread(peaks: Collection[float]) -> str | None:
    if len(set(peaks)) < 2:  # noqa: PLR2004 - one value has no spread
        return None
    return f"{min(peaks):.0f} to {max(peaks):.0f} tasks over the blocks"
