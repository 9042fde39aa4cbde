"""Computes the rows of the summary.  Pure functions: no files, no clock, no printing.

Every planned (experiment, engine, metric) has a row, also for losses, failures, refusals, cases
that do not apply, and missing engines.
"""

from collections.abc import Iterable, Sequence

from compare.analysis.intervals import estimated
from compare.analysis.session_rows import NAME as STARTUP
from compare.analysis.session_rows import session_rows
from compare.experiments.experiment import Estimable
from compare.experiments.registry import load_experiment
from compare.experiments.shared_metrics import HOSTS
from compare.experiments.throughput import MEMORY
from compare.observations.reader import Observations, cases_of, engines
from compare.observations.series import Row, Series, absence_verdict


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


def row_of(item: Estimable) -> Row:
    """The row of a series or of answers."""
    return _row(item) if isinstance(item, Series) else item.row()


def _row(series: Series) -> Row:
    estimate = (
        estimated(list(series.values.values()), series.quantity.mean) if series.usable else None
    )
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
