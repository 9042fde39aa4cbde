"""From records to estimates.  Pure functions: no files, no clock, no printing.

Every planned (experiment, engine, metric) has a row: losses, failures, what was refused, what does
not apply and what is missing as well.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from compare.experiments import EXPERIMENTS
from compare.experiments.base import workers_of
from compare.experiments.fractional import AFTER, COLD, WARM, resource_of, slots
from compare.experiments.overhead import is_sweep
from compare.granularity import efficiency_at
from compare.intervals import Estimate, geometric_mean, mean, median
from compare.metrics import (
    ADMITTED,
    BY_DEFINITION,
    CAPACITY_AFTER,
    CPU_TIME,
    ENGINE_EFFICIENCY,
    METG,
    OVERHEAD,
    PEAK_MEMORY,
    SCALING_EFFICIENCY,
    SPEEDUP,
    THROUGHPUT,
    Metric,
    Quantity,
    accuracy_of,
    admitted,
    fractional_metrics,
    of_part,
    part_metrics,
    startup_metrics,
)
from compare.observations import (
    Absence,
    Observations,
    Observed,
    Why,
    absent,
    engines,
    planned_cases,
    valid,
)
from compare.records import CEILING, SERIAL, Case, Plan, Row, Run, Scalar
from compare.studies import STUDIES

_T = TypeVar("_T")
_CURVE_STEPS = 40


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
    """What stands against the numbers, or explains them."""

    @property
    def usable(self) -> bool:
        """There is a number, and no block broke a gate.

        One block with wrong results is enough: an engine that is right in two of three runs has
        no throughput.
        """
        broken = any(absence.why is Why.INVALID for absence in self.absences.values())
        return bool(self.values) and not broken


def rows(run: Run) -> tuple[Row, ...]:
    """All rows, in the order experiment, engine, case, metric."""
    return tuple(one if isinstance(one, Row) else _row(one) for one in _estimable(run))


def series(run: Run) -> tuple[Series, ...]:
    """What the rows with numbers are estimated from, in the same order."""
    return tuple(one for one in _estimable(run) if isinstance(one, Series))


def throughput_ratio(run: Run, engine: str, other: str) -> Estimate | None:
    """Throughput of ``engine`` over that of ``other``, paired within blocks.

    ``None`` when no block has both, or either has none at all because a gate was broken.
    """
    observations = Observations(run)
    ours, theirs = _speed(observations, engine), _speed(observations, other)
    if not (ours.usable and theirs.usable):
        return None
    ratios = [
        v / theirs.values[block] for block, v in ours.values.items() if block in theirs.values
    ]
    return geometric_mean(ratios) if ratios else None


def efficiency_curve(run: Run, engine: str) -> tuple[tuple[float, Estimate], ...]:
    """Granularities in seconds, evenly spaced on a logarithmic axis over what all blocks reached,
    and the efficiency at each.
    """
    observations = Observations(run)
    sweeps = [
        points
        for case in sweeps_of(run.plan, engine)
        for points in valid(observations.sweep(engine, case)).values()
    ]
    if not sweeps:
        return ()
    low = max(min(one.granularity_s for one in points) for points in sweeps)
    high = min(max(one.granularity_s for one in points) for points in sweeps)
    curve = []
    for step in range(_CURVE_STEPS + 1):
        granularity_s = min(max(low * (high / low) ** (step / _CURVE_STEPS), low), high)
        values = [efficiency_at(points, granularity_s) for points in sweeps]
        found = [value for value in values if value is not None]
        if found:
            curve.append((granularity_s, mean(found)))
    return tuple(curve)


def sweeps_of(plan: Plan, engine: str) -> tuple[Case, ...]:
    """The sweeps of the overhead experiment."""
    return tuple(case for case in cases_of(plan, engine, "overhead") if is_sweep(case))


def cases_of(plan: Plan, engine: str, experiment: str) -> tuple[Case, ...]:
    """What the engine measures of an experiment."""
    return tuple(case for case in planned_cases(plan, engine) if case.experiment == experiment)


def _estimable(run: Run) -> Iterator[Series | Row]:
    observations = Observations(run)
    plan = run.plan
    for experiment in plan.experiments:
        read = _EXPERIMENTS.get(experiment, partial(_study, experiment=experiment))
        for engine in engines(plan):
            if cases_of(plan, engine, experiment):
                yield from read(observations, engine)
    for engine in engines(plan):
        yield from _startup(observations, engine)
    for engine in engines(plan):
        if "throughput" in plan.experiments and cases_of(plan, engine, "throughput"):
            yield from _memory(observations, engine)


def _throughput(observations: Observations, engine: str) -> Iterator[Series]:
    plan = observations.plan
    observed = observations.throughput(engine)
    speed = _speed(observations, engine)
    yield speed
    yield _paired(speed, _speed(observations, SERIAL), SPEEDUP)
    yield _paired(speed, _speed(observations, CEILING), ENGINE_EFFICIENCY)
    yield _of("throughput", engine, _batch_case(plan), CPU_TIME, observed)
    for part in part_metrics(workers_of(engine, plan.workers)):
        yield _of("throughput", engine, _batch_case(plan), part, observed)
    if plan.workload is not None and plan.workload.labels is not None:
        accuracy = _of(
            "throughput", engine, _batch_case(plan), accuracy_of(plan.workload.labels), observed
        )
        random = "by chance: the weights are random"
        yield replace(accuracy, note=random if plan.workload.random_weights else None)


def _speed(observations: Observations, engine: str) -> Series:
    observed = observations.throughput(engine)
    return _of("throughput", engine, _batch_case(observations.plan), THROUGHPUT, observed)


def _paired(ours: Series, theirs: Series, quantity: Quantity) -> Series:
    """Ratios within blocks, so that a drift of the machine from block to block cancels out."""
    if ours.engine == theirs.engine and ours.case == theirs.case:
        quantity = replace(quantity, estimate=median)
        return replace(
            ours, quantity=quantity, values=dict.fromkeys(ours.values, 1.0), note=BY_DEFINITION
        )
    unit = theirs.values if theirs.usable else {}
    lacking = Absence(
        why=Why.NOT_GIVEN, reason=f"{theirs.engine} has no valid throughput in the same block"
    )
    return replace(
        ours,
        quantity=quantity,
        values={block: v / unit[block] for block, v in ours.values.items() if block in unit},
        absences={**ours.absences, **{b: lacking for b in ours.values if b not in unit}},
    )


def _overhead(observations: Observations, engine: str) -> Iterator[Series]:
    observed = observations.overhead(engine)
    case = _budget(observations.plan)
    for metric in OVERHEAD:
        yield _of("overhead", engine, case, metric, observed)
    for planned in sweeps_of(observations.plan, engine):
        swept = observations.sweep(engine, planned)
        for size in METG:
            yield _of("overhead", engine, case, size, swept)


def _fractional(
    observations: Observations, engine: str, experiment: str = "fractional"
) -> Iterator[Series | Row]:
    plan = observations.plan
    for planned in cases_of(plan, engine, experiment):
        resource, share = resource_of(planned)
        fitting = slots(plan.workers, share)
        for phase in (COLD, WARM):
            observed = observations.share(engine, planned, phase)
            case = {resource: share, "phase": phase, **_budget(plan)}
            numbers = [
                _of(experiment, engine, case, metric, observed)
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
        case = {resource: share, "phase": AFTER, **_budget(plan)}
        yield _of(experiment, engine, case, CAPACITY_AFTER, after)


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


def _study(observations: Observations, engine: str, experiment: str) -> Iterator[Series]:
    study, plan = STUDIES[experiment], observations.plan
    for planned in cases_of(plan, engine, experiment):
        observed = observations.runs(engine, planned, study.parts)
        for metric in study.metrics(plan, planned):
            yield _of(experiment, engine, _study_case(plan, planned), metric, observed)


def _scaling(observations: Observations, engine: str) -> Iterator[Series]:
    """Images/s with p workers, and as a share of p times those with one."""
    plan = observations.plan
    speeds: dict[tuple[str, int], Series] = {}
    for planned in cases_of(plan, engine, "scaling"):
        observed = observations.runs(engine, planned, ("",))
        case = _study_case(plan, planned)
        kind, p = str(planned.parameters["kind"]), int(planned.parameters["workers"])
        speeds[kind, p] = _of("scaling", engine, case, of_part(THROUGHPUT), observed)
    for (kind, p), speed in sorted(speeds.items()):
        yield speed
        efficiency = _paired(speed, speeds[kind, 1], SCALING_EFFICIENCY)
        values = {block: value / p for block, value in efficiency.values.items()}
        yield efficiency if p == 1 else replace(efficiency, values=values)


def _sweeps(observations: Observations, engine: str, experiment: str) -> Iterator[Series]:
    plan = observations.plan
    for planned in cases_of(plan, engine, experiment):
        swept = observations.sweep(engine, planned)
        for size in METG:
            yield _of(experiment, engine, _study_case(plan, planned), size, swept)


def _study_case(plan: Plan, planned: Case) -> dict[str, Scalar]:
    return {**_budget(plan), **planned.parameters}


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
        return _absence_verdict(others, measured=len(told))
    if len(set(told)) > 1:
        return ", ".join(
            f"{word} in {n} of {len(told)} blocks" for word, n in Counter(told).items()
        )
    if refusals:
        return next(iter(refusals.values())).reason
    return wrong or _absence_verdict(others, measured=len(told))


def _startup(observations: Observations, engine: str) -> Iterator[Series]:
    plan = observations.plan
    classifies = any(EXPERIMENTS[c.experiment].classifies for c in planned_cases(plan, engine))
    observed = observations.lifecycle(engine)
    for metric in startup_metrics(warm_up=classifies):
        yield _of("startup", engine, _budget(plan), metric, observed)


def _memory(observations: Observations, engine: str) -> Iterator[Series]:
    observed = observations.throughput(engine)
    yield _of("memory", engine, _batch_case(observations.plan), PEAK_MEMORY, observed)


_EXPERIMENTS: Mapping[str, Callable[[Observations, str], Iterator[Series | Row]]] = {
    "throughput": _throughput,
    "overhead": _overhead,
    "fractional": _fractional,
    "scaling": _scaling,
    "matrix": partial(_fractional, experiment="matrix"),
    "submission": partial(_sweeps, experiment="submission"),
    "dependencies": partial(_sweeps, experiment="dependencies"),
}
"""The others are read as their study says."""


def _of(
    experiment: str,
    engine: str,
    case: Mapping[str, Scalar],
    metric: Metric[_T],
    observed: Observed[_T],
) -> Series:
    values, absences = {}, absent(observed)
    for block, one in valid(observed).items():
        number = metric.value(one)
        if number is None:
            absences[block] = Absence(why=Why.NOT_GIVEN, reason=metric.lacking)
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


def _row(one: Series) -> Row:
    estimate = one.quantity.estimate(list(one.values.values())) if one.usable else None
    absences = _absence_verdict(one.absences, measured=len(one.values))
    return Row(
        experiment=one.experiment,
        engine=one.engine,
        metric=one.quantity.name,
        unit=one.quantity.unit,
        value=None if estimate is None else estimate.value,
        low=None if estimate is None else estimate.low,
        high=None if estimate is None else estimate.high,
        n=0 if estimate is None else estimate.n,
        case=one.case,
        verdict="; ".join(filter(None, (absences, one.note if estimate else None))) or None,
    )


def _absence_verdict(absences: Mapping[int, Absence], *, measured: int) -> str | None:
    """The gravest absence, and how many blocks it is about when it is not about all.

    ``measured`` is the number of blocks without an absence.  Blocks that were not reached yet are
    told once, in the report's first line.
    """
    told = [one for one in absences.values() if one.why is not Why.PENDING]
    if not told:
        return None if measured else next((str(one) for one in absences.values()), None)
    gravest = min(told, key=lambda one: list(Why).index(one.why))
    alike = sum(one.why is gravest.why for one in told)
    total = measured + len(told)
    where = f" in {alike} of {total} blocks" if alike < total else ""
    return f"{gravest.why}{where}: {gravest.reason}"


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


def _budget(plan: Plan) -> dict[str, Scalar]:
    return {
        "workers": plan.workers,
        "threads": plan.threads_per_worker,
        "config": plan.config.value,
    }


def _batch_case(plan: Plan) -> dict[str, Scalar]:
    workload = plan.workload
    if workload is None:
        return _budget(plan)
    return {
        **_budget(plan),
        "chunk": workload.chunk,
        "model": workload.model,
        "dtype": workload.dtype,
        "n_images": len(workload.images),
    }
