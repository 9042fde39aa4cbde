"""Compares the engines with each other within the blocks of one run."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

from compare.analysis.blocks import Difference, Residual, Values, difference, residual
from compare.analysis.intervals import CONFIDENCE, Estimate, geometric_mean, holm
from compare.experiments.experiment import Versus
from compare.experiments.section import Pairs, Section
from compare.observations.metric import FEWEST_BLOCKS, Mean
from compare.observations.series import Series
from compare.records.plan import SERIAL, is_contender, original_of

_FEWEST_FOR_A_RESIDUAL = 3
"""Engines: with two, the residual of the run is that of the pair itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One quantity of two engines, tested as one of the pairs of a family."""

    engine: str
    other: str
    ratio: Estimate
    """``engine`` over ``other``, paired within blocks; the interval is that of the single pair."""
    p: float
    """P value, adjusted for the number of pairs of the family (Holm)."""
    half_width: float
    """Half the width of the interval of the single pair, as a share of the ratio."""

    @property
    def difference_shown(self) -> bool:
        """Whether the difference is shown: at most 5% of runs show any false one in the family."""
        return self.p <= 1 - CONFIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparisons:
    """One quantity, compared between the engines of a run.

    Neither the serial engine nor a control enlarges the family of pairs.
    """

    pairs: tuple[Pair, ...]
    """Every pair of the engines that a reader may choose."""
    against_serial: tuple[Pair, ...]
    """Each of these engines against the serial engine: a family of its own."""
    within: float | None
    """With 95% confidence for all ``pairs`` together, no ratio exceeds this factor; ``None``
    without pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """An engine that is measured as two engines; the difference between them is noise."""

    engine: str
    compared: int
    """Number of quantities that both have in at least three blocks.  Quantities that differ only in
    their unit, such as a makespan and a throughput, count once."""
    differing: tuple[str, ...]
    """Names of the quantities whose interval of the ratio, paired within blocks, excludes 1."""


def compare_engines(values: Values, forms: Collection[str] = ()) -> Comparisons:
    """Test all pairs of engines in one quantity; ``values`` are positive, by engine and block.

    Neither the ceiling, nor a control, nor one of the ``forms`` of another engine has a pair.
    """
    names = [name for name in values if is_contender(name) and name not in (SERIAL, *forms)]
    shared = _shared_residual({name: values[name] for name in names})
    pairs = list(combinations(names, 2))
    tested = {
        (one, other): difference(values[one], values[other], shared, comparisons=len(pairs))
        for one, other in pairs
    }
    known = {pair: result for pair, result in tested.items() if result is not None}
    serial = values.get(SERIAL, {})
    baseline = {
        (name, SERIAL): result
        for name in names
        if (result := difference(values[name], serial, shared)) is not None
    }
    return Comparisons(
        pairs=_family(known),
        against_serial=_family(baseline),
        within=max((result.most for result in known.values()), default=None),
    )


def _shared_residual(values: Values) -> Residual | None:
    return residual(values) if len(values) >= _FEWEST_FOR_A_RESIDUAL else None


def _family(results: Mapping[tuple[str, str], Difference]) -> tuple[Pair, ...]:
    adjusted = holm([result.p for result in results.values()])
    return tuple(
        Pair(engine=engine, other=other, ratio=result.ratio, p=p, half_width=result.half_width)
        for ((engine, other), result), p in zip(results.items(), adjusted, strict=True)
    )


def all_comparisons(
    sections: Iterable[tuple[str, Section]],
    series: Sequence[Series],
    forms: Collection[str] = (),
) -> dict[tuple[str, str], Comparisons]:
    """Comparisons for every table of pairs, by experiment and metric."""
    wanted = [
        (experiment, column.metric)
        for experiment, section in sections
        if isinstance(section.table, Pairs)
        for column in section.table.columns
    ]
    return {key: compare_engines(values_of(series, *key), forms) for key in wanted}


def values_of(series: Iterable[Series], experiment: str, metric: str) -> Values:
    """The values of a metric by engine and block, of engines without an invalid block.

    Of a metric with several cases the first one counts.  An engine with a value that is not
    positive, as a cost per task lost in noise, has no logarithm and is left out.
    """
    values: dict[str, Mapping[int, float]] = {}
    for item in series:
        if (item.experiment, item.quantity.name) != (experiment, metric) or not item.usable:
            continue
        if min(item.values.values()) > 0:
            values.setdefault(item.engine, item.values)
    return values


def ratios(values: Values) -> dict[tuple[str, str], Estimate]:
    """The ratio of each ordered pair of engines that share a block, also of baselines."""
    names = [name for name in values if is_contender(name) and name != SERIAL]
    shared = _shared_residual({name: values[name] for name in names})
    return dict(_ratios(values, shared))


def _ratios(values: Values, shared: Residual | None) -> Iterator[tuple[tuple[str, str], Estimate]]:
    for one, other in permutations(values, 2):
        result = difference(values[one], values[other], shared)
        if result is not None:
            yield (one, other), result.ratio
            continue
        single = [
            values[one][block] / values[other][block]
            for block in values[one]
            if block in values[other]
        ]
        if single:
            yield (one, other), geometric_mean(single)


def versus(
    comparisons: Comparisons | None, known: Mapping[tuple[str, str], Estimate]
) -> dict[tuple[str, str], Versus]:
    """The comparisons for the headline, which compares the fastest engine with each other one.

    If each pair were tested alone, the fastest of five equal engines would seem to differ from
    another one in a quarter of the runs.  A difference is therefore shown only if it is shown
    among all pairs.
    """
    tested = () if comparisons is None else (*comparisons.pairs, *comparisons.against_serial)
    apart = {frozenset((pair.engine, pair.other)) for pair in tested if pair.difference_shown}
    return {
        pair: Versus(value=ratio.value, shown=frozenset(pair) in apart)
        for pair, ratio in known.items()
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
        (name, geometric_mean(ratios))
        for name, ratios in both.values()
        if len(ratios) >= FEWEST_BLOCKS
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
