"""Compares the engines with each other within the blocks of one run."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

from compare.analysis.intervals import CONFIDENCE, Estimate, geometric_mean, holm, paired_p
from compare.experiments.experiment import Versus
from compare.experiments.throughput import speed
from compare.observations.metric import Mean
from compare.observations.reader import Observations, engines
from compare.observations.series import Series
from compare.records.plan import CEILING, original_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The throughputs of two engines, compared as one of all pairs of a run."""

    engine: str
    other: str
    ratio: Estimate
    """``engine`` over ``other``, paired within blocks."""
    p: float
    """P value, adjusted for the number of pairs (Holm)."""

    @property
    def difference_shown(self) -> bool:
        """With a probability of at most 5% of any false difference among all pairs."""
        return self.p <= 1 - CONFIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """An engine that is measured as two engines; the difference between them is noise."""

    engine: str
    compared: int
    """Number of quantities that both have in at least two blocks.  Quantities that differ only in
    their unit, such as a makespan and a throughput, count once."""
    differing: tuple[str, ...]
    """Names of the quantities whose interval of the ratio, paired within blocks, excludes 1."""


def throughput_ratios(observations: Observations) -> dict[tuple[str, str], tuple[float, ...]]:
    """Ratios of the throughputs of each ordered pair of engines, one value per block.

    Pairs without a common block, or with an invalid engine, are left out.
    """
    speeds = {engine: speed(observations, engine) for engine in engines(observations.plan)}
    ratios = {
        (engine, other): _ratios(speeds[engine], speeds[other])
        for engine, other in permutations(speeds, 2)
    }
    return {pair: values for pair, values in ratios.items() if values}


def _ratios(ours: Series, theirs: Series) -> tuple[float, ...]:
    if not (ours.usable and theirs.usable):
        return ()
    return tuple(
        value / theirs.values[block]
        for block, value in ours.values.items()
        if block in theirs.values
    )


def all_pairs(
    names: Iterable[str], ratios: Mapping[tuple[str, str], Sequence[float]]
) -> tuple[Pair, ...]:
    """Every pair of engines with at least two common blocks, without the ceiling."""
    compared = [
        (engine, other, ratios[engine, other])
        for engine, other in combinations([name for name in names if name != CEILING], 2)
        if len(ratios.get((engine, other), ())) > 1
    ]
    adjusted = holm([paired_p(values) or 0.0 for *_, values in compared])
    return tuple(
        Pair(engine=engine, other=other, ratio=geometric_mean(values), p=p)
        for (engine, other, values), p in zip(compared, adjusted, strict=True)
    )


def versus(
    pairs: Sequence[Pair], ratios: Mapping[tuple[str, str], Estimate]
) -> dict[tuple[str, str], Versus]:
    """The comparisons for the headline, which compares the fastest engine with each other one.

    If each pair were tested alone, the fastest of five equal engines would seem to differ from
    another one in a quarter of the runs.  A difference is therefore shown only if it is shown
    among all pairs.
    """
    apart = {frozenset((pair.engine, pair.other)) for pair in pairs if pair.difference_shown}
    return {
        pair: Versus(value=ratio.value, shown=frozenset(pair) in apart)
        for pair, ratio in ratios.items()
    }


def controls(names: Iterable[str], series: Sequence[Series]) -> tuple[Control, ...]:
    """One control for each engine that the plan contains twice."""
    of_engine: dict[str, dict[str, Series]] = {}
    for item in series:
        key = f"{item.experiment} {item.quantity.name} {sorted(item.case.items())}"
        of_engine.setdefault(item.engine, {})[key] = item
    return tuple(
        _control(original_of(name), of_engine.get(name, {}), of_engine.get(original_of(name), {}))
        for name in names
        if original_of(name) != name
    )


def _control(engine: str, ours: Mapping[str, Series], theirs: Mapping[str, Series]) -> Control:
    both: dict[tuple[float, ...], tuple[str, list[float]]] = {}
    for key, item in ours.items():
        other = theirs.get(key)
        if other is not None and item.quantity.mean is not Mean.MEDIAN:  # a median has no interval
            ratios = _shared_ratios(item, other)
            both.setdefault(_up_to_units(ratios), (item.quantity.name, ratios))
    estimates = [
        (name, geometric_mean(ratios)) for name, ratios in both.values() if len(ratios) > 1
    ]
    return Control(
        engine=engine,
        compared=len(estimates),
        differing=tuple(name for name, ratio in estimates if ratio.difference_shown),
    )


def _shared_ratios(ours: Series, theirs: Series) -> list[float]:
    """Ratios within blocks; none if a value is not positive, or if all are equal (counts)."""
    shared = [block for block in ours.values if block in theirs.values]
    pairs = [(ours.values[block], theirs.values[block]) for block in shared]
    if not (ours.usable and theirs.usable) or any(min(pair) <= 0 for pair in pairs):
        return []
    ratios = [a / b for a, b in pairs]
    return ratios if len(set(ratios)) > 1 else []


def _up_to_units(ratios: Sequence[float]) -> tuple[float, ...]:
    """A key that is equal for a quantity, its multiples, and the multiples of its inverse."""
    logs = [round(math.log(ratio), 9) for ratio in ratios]
    sign = math.copysign(1.0, logs[0]) if logs else 1.0
    return tuple(sign * log for log in logs)
