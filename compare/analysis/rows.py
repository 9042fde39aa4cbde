"""Computes the rows of the summary.  Pure functions: no files, no clock, no printing.

Every planned (experiment, engine, metric) has a row, also for losses, failures, refusals, cases
that do not apply, and missing engines.
"""

from collections.abc import Collection, Iterable, Sequence

from compare.analysis import blocks
from compare.analysis.intervals import Estimate, estimated
from compare.analysis.session_rows import NAME as STARTUP
from compare.analysis.session_rows import session_rows
from compare.experiments.experiment import Estimable
from compare.experiments.registry import load_experiment
from compare.experiments.shared_metrics import HOSTS
from compare.experiments.throughput import MEMORY
from compare.observations.metric import Mean
from compare.observations.reader import Observations, cases_of, engines
from compare.observations.series import Row, Series, absence_verdict
from compare.records.plan import SERIAL, is_contender


def estimable(observations: Observations) -> tuple[Estimable, ...]:
    """The values that become rows, in the order experiment, engine, case, metric."""
    plan = observations.plan
    items = [
        item
        for experiment in plan.experiments
        for engine in engines(plan)
        if cases_of(plan, engine, experiment)
        for item in load_experiment(experiment).rows(observations, engine)
    ]
    items += [item for engine in engines(plan) for item in session_rows(observations, engine)]
    return tuple(_ordered(items, plan.experiments, engines(plan)))


def _ordered(
    items: Iterable[Estimable], experiments: Sequence[str], engine_names: Sequence[str]
) -> list[Estimable]:
    """Sort the items; rows that belong to sessions come last, whichever experiment yields them."""
    groups = (*experiments, STARTUP, MEMORY, HOSTS)

    def place(item: Estimable) -> tuple[int, int]:
        return groups.index(item.experiment), engine_names.index(item.engine)

    return sorted(items, key=place)


def rows_of(items: Sequence[Estimable], forms: Collection[str] = ()) -> tuple[Row, ...]:
    """The row of each series, and of answers; ``forms`` have a noise of their own."""
    alike: dict[str, list[Series]] = {}
    for item in items:
        if isinstance(item, Series) and _is_alike(item, forms):
            alike.setdefault(_measured(item), []).append(item)
    return tuple(
        _row(item, alike.get(_measured(item), [])) if isinstance(item, Series) else item.row()
        for item in items
    )


def _is_alike(series: Series, forms: Collection[str]) -> bool:
    """Whether its noise says something about that of other engines."""
    name = series.engine
    compared = is_contender(name) and name not in (SERIAL, *forms)
    return compared and series.usable and series.quantity.mean is Mean.GEOMETRIC_ALIKE


def _measured(series: Series) -> str:
    """What was measured, on whatever engine."""
    return f"{series.experiment} {series.quantity.name} {sorted(series.case.items())}"


def _estimate(series: Series, alike: Sequence[Series]) -> Estimate | None:
    if not series.usable:
        return None
    values = list(series.values.values())
    others = [list(one.values.values()) for one in alike if one is not series]
    if len(others) == len(alike):  # it is none of them
        return estimated(values, series.quantity.mean)
    return blocks.alike(values, blocks.spread(others))


def _row(series: Series, alike: Sequence[Series]) -> Row:
    estimate = _estimate(series, alike)
    absences = absence_verdict(series.absences, measured=len(series.values))
    return Row(
        experiment=series.experiment,
        engine=series.engine,
        metric=series.quantity.name,
        unit=series.quantity.unit,
        value=None if estimate is None else estimate.value,
        low=None if estimate is None else estimate.low,
        high=None if estimate is None else estimate.high,
        n=0 if estimate is None else estimate.n,
        values=tuple(series.values.values()),
        case=series.case,
        verdict="; ".join(filter(None, (absences, series.note if estimate else None))) or None,
    )
