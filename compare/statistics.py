"""From records to estimates.  Pure functions: no files, no clock, no printing.

Every planned (experiment, engine, metric) has a row: losses, failures, what was refused, what does
not apply and what is missing as well.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

from compare.experiments import EXPERIMENTS
from compare.experiments.base import workers_of
from compare.granularity import efficiency_at
from compare.hosts import HEAD, ROLES
from compare.intervals import (
    CONFIDENCE,
    Estimate,
    geometric_mean,
    holm,
    mean,
    median,
    paired_p,
)
from compare.metrics import (
    CPU_TIME,
    ENGINE_EFFICIENCY,
    HEAD_CPU,
    METG,
    OVERHEAD,
    PEAK_MEMORY,
    SCALING_EFFICIENCY,
    SPEEDUP,
    THROUGHPUT,
    accuracy_of,
    node_metrics,
    of_part,
    part_metrics,
    startup_metrics,
)
from compare.observations import (
    Observations,
    engines,
    planned_cases,
    valid,
)
from compare.records import CEILING, SERIAL, Row, Run, original_of
from compare.series import (
    Series,
    absence_verdict,
    batch_case,
    budget_case,
    cases_of,
    paired,
    series_of,
    study_case,
    sweeps_of,
)
from compare.shares import fractional_rows
from compare.studies import STUDIES

_CURVE_STEPS = 40


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
    ratios = _throughput_ratios(Observations(run), engine, other)
    return geometric_mean(ratios) if ratios else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two engines' throughput compared, among all pairs of a run."""

    engine: str
    other: str
    ratio: Estimate
    """``engine`` over ``other``, paired within blocks."""
    p: float
    """Adjusted by Holm for the number of pairs."""

    @property
    def difference_shown(self) -> bool:
        """With at most 5% chance of one wrong among all pairs."""
        return self.p <= 1 - CONFIDENCE


def all_pairs(run: Run) -> tuple[Pair, ...]:
    """Every pair of engines that share two blocks or more; the ceiling is none."""
    observations = Observations(run)
    names = [name for name in engines(run.plan) if name != CEILING]
    compared = [
        (engine, other, ratios)
        for engine, other in combinations(names, 2)
        if len(ratios := _throughput_ratios(observations, engine, other)) > 1
    ]
    adjusted = holm([paired_p(ratios) or 0.0 for *_, ratios in compared])
    return tuple(
        Pair(engine=engine, other=other, ratio=geometric_mean(ratios), p=p)
        for (engine, other, ratios), p in zip(compared, adjusted, strict=True)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """An engine measured as two: what differs between the two is noise."""

    engine: str
    compared: int
    """Quantities that both have in two blocks or more; those that say the same in other units, as a
    makespan and a throughput do, are one."""
    differing: tuple[str, ...]
    """Names of those whose interval of the ratio, paired within blocks, excludes 1."""


def controls(run: Run) -> tuple[Control, ...]:
    """One for each engine that the plan holds twice."""
    of_engine: dict[str, dict[str, Series]] = {}
    for one in series(run):
        place = f"{one.experiment} {one.quantity.name} {sorted(one.case.items())}"
        of_engine.setdefault(one.engine, {})[place] = one
    found = []
    for engine in run.plan.engines:
        original = original_of(engine)
        if original == engine:
            continue
        both: dict[tuple[float, ...], tuple[str, list[float]]] = {}
        for place, one in of_engine.get(engine, {}).items():
            other = of_engine.get(original, {}).get(place)
            if other is not None and one.quantity.estimate is not median:  # it has no interval
                ratios = _shared_ratios(one, other)
                both.setdefault(_up_to_units(ratios), (one.quantity.name, ratios))
        estimates = [
            (name, geometric_mean(ratios)) for name, ratios in both.values() if len(ratios) > 1
        ]
        found.append(
            Control(
                engine=original,
                compared=len(estimates),
                differing=tuple(name for name, ratio in estimates if ratio.difference_shown),
            )
        )
    return tuple(found)


def _shared_ratios(one: Series, other: Series) -> list[float]:
    """Within blocks; none when a value is not positive, or all are equal as counts are."""
    shared = [block for block in one.values if block in other.values]
    pairs = [(one.values[block], other.values[block]) for block in shared]
    if not (one.usable and other.usable) or any(min(pair) <= 0 for pair in pairs):
        return []
    ratios = [a / b for a, b in pairs]
    return ratios if len(set(ratios)) > 1 else []


def _up_to_units(ratios: Sequence[float]) -> tuple[float, ...]:
    """The same for a quantity, any multiple of it, and any multiple of its inverse."""
    logs = [round(math.log(ratio), 9) for ratio in ratios]
    sign = math.copysign(1.0, logs[0]) if logs else 1.0
    return tuple(sign * log for log in logs)


def _throughput_ratios(observations: Observations, engine: str, other: str) -> list[float]:
    """One for each block that has both; none when either is not usable."""
    ours, theirs = _speed(observations, engine), _speed(observations, other)
    if not (ours.usable and theirs.usable):
        return []
    return [
        value / theirs.values[block]
        for block, value in ours.values.items()
        if block in theirs.values
    ]


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
    for engine in engines(plan):
        if original_of(engine) in plan.clusters:
            yield from _hosts(observations, engine)


def _throughput(observations: Observations, engine: str) -> Iterator[Series]:
    plan = observations.plan
    observed = observations.throughput(engine)
    speed = _speed(observations, engine)
    yield speed
    yield paired(speed, _speed(observations, SERIAL), SPEEDUP)
    yield paired(speed, _speed(observations, CEILING), ENGINE_EFFICIENCY)
    yield series_of("throughput", engine, batch_case(plan), CPU_TIME, observed)
    for part in part_metrics(workers_of(engine, plan.workers)):
        yield series_of("throughput", engine, batch_case(plan), part, observed)
    if plan.workload is not None and plan.workload.labels is not None:
        accuracy = series_of(
            "throughput", engine, batch_case(plan), accuracy_of(plan.workload.labels), observed
        )
        random = "by chance: the weights are random"
        yield replace(accuracy, note=random if plan.workload.random_weights else None)


def _speed(observations: Observations, engine: str) -> Series:
    observed = observations.throughput(engine)
    return series_of("throughput", engine, batch_case(observations.plan), THROUGHPUT, observed)


def _overhead(observations: Observations, engine: str) -> Iterator[Series]:
    observed = observations.overhead(engine)
    case = budget_case(observations.plan)
    for metric in OVERHEAD:
        yield series_of("overhead", engine, case, metric, observed)
    for planned in sweeps_of(observations.plan, engine):
        swept = observations.sweep(engine, planned)
        for size in METG:
            yield series_of("overhead", engine, case, size, swept)


def _study(observations: Observations, engine: str, experiment: str) -> Iterator[Series]:
    study, plan = STUDIES[experiment], observations.plan
    for planned in cases_of(plan, engine, experiment):
        observed = observations.runs(engine, planned, study.parts)
        for metric in study.metrics(plan, planned):
            yield series_of(experiment, engine, study_case(plan, planned), metric, observed)


def _scaling(observations: Observations, engine: str) -> Iterator[Series]:
    """Images/s with p workers, and as a share of p times those with one."""
    plan = observations.plan
    speeds: dict[tuple[str, int], Series] = {}
    for planned in cases_of(plan, engine, "scaling"):
        observed = observations.runs(engine, planned, ("",))
        case = study_case(plan, planned)
        kind, p = str(planned.parameters["kind"]), int(planned.parameters["workers"])
        speeds[kind, p] = series_of("scaling", engine, case, of_part(THROUGHPUT), observed)
    for (kind, p), speed in sorted(speeds.items()):
        yield speed
        efficiency = paired(speed, speeds[kind, 1], SCALING_EFFICIENCY)
        values = {block: value / p for block, value in efficiency.values.items()}
        yield efficiency if p == 1 else replace(efficiency, values=values)


def _sweeps(observations: Observations, engine: str, experiment: str) -> Iterator[Series]:
    plan = observations.plan
    for planned in cases_of(plan, engine, experiment):
        swept = observations.sweep(engine, planned)
        for size in METG:
            yield series_of(experiment, engine, study_case(plan, planned), size, swept)


def _startup(observations: Observations, engine: str) -> Iterator[Series]:
    plan = observations.plan
    classifies = any(EXPERIMENTS[c.experiment].classifies for c in planned_cases(plan, engine))
    observed = observations.lifecycle(engine)
    for metric in startup_metrics(warm_up=classifies):
        yield series_of("startup", engine, budget_case(plan), metric, observed)


def _memory(observations: Observations, engine: str) -> Iterator[Series]:
    observed = observations.throughput(engine)
    yield series_of("memory", engine, batch_case(observations.plan), PEAK_MEMORY, observed)


def _hosts(observations: Observations, engine: str) -> Iterator[Series]:
    plan = observations.plan
    if cases_of(plan, engine, "throughput"):
        observed = observations.throughput(engine)
        for role in ROLES:
            case = {**batch_case(plan), "role": role}
            for metric in node_metrics(role):
                yield series_of("hosts", engine, case, metric, observed)
    if cases_of(plan, engine, "overhead"):
        case = {**budget_case(plan), "role": HEAD}
        yield series_of("hosts", engine, case, HEAD_CPU, observations.overhead(engine))


_EXPERIMENTS: Mapping[str, Callable[[Observations, str], Iterator[Series | Row]]] = {
    "throughput": _throughput,
    "overhead": _overhead,
    "fractional": fractional_rows,
    "scaling": _scaling,
    "matrix": partial(fractional_rows, experiment="matrix"),
    "submission": partial(_sweeps, experiment="submission"),
    "dependencies": partial(_sweeps, experiment="dependencies"),
}
"""The others are read as their study says."""


def _row(one: Series) -> Row:
    estimate = one.quantity.estimate(list(one.values.values())) if one.usable else None
    absences = absence_verdict(one.absences, measured=len(one.values))
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
