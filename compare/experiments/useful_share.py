"""How much of the workers' time is useful, by the length of a task: from the sweep of ``overhead``.

This is the efficiency curve, read at lengths that a user knows: those of the own tasks.
"""

from collections.abc import Iterator, Mapping
from functools import partial

from compare.experiments.section import PERCENT, Column, Columns, Section
from compare.experiments.shared_metrics import beyond
from compare.formatting import seconds
from compare.observations.absence import Absence
from compare.observations.metg import Limit, Swept, efficiency_of_work
from compare.observations.metric import Better, Mean, Metric, metric
from compare.observations.reader import Observed
from compare.observations.series import Series, series_of
from compare.records.plan import Scalar

_NAME, _AXIS = "useful_share", "work_s"
_LENGTHS_S = (0.0001, 0.001, 0.01, 0.1)

SECTION = Section(
    title="",
    explanation="""Which engine for which task: the share of the workers' time that is useful if
each task has that much work of its own, from the fitted efficiency curve of each block.  *More
than* and *less than* stand where an engine was not measured with tasks of that length: longer
tasks are not less efficient.  Higher is better.""",
    table=Columns(
        columns=tuple(
            Column(
                metric=_NAME,
                heading=f"useful (%) of tasks of {seconds(length_s, digits=1)}",
                scale=PERCENT,
                where=(_AXIS, length_s),
            )
            for length_s in _LENGTHS_S
        )
    ),
)


def useful_shares(
    experiment: str, engine: str, case: Mapping[str, Scalar], swept: Observed[Swept]
) -> Iterator[Series]:
    """The useful share of the workers' time at each length."""
    for length_s in _LENGTHS_S:
        yield series_of(experiment, engine, {**case, _AXIS: length_s}, _metric(length_s), swept)


def _metric(length_s: float) -> Metric[Swept]:
    value = partial(_share, length_s=length_s)
    unit = "share of the workers' time"
    # METG comes from the same measurement and is compared: this is no comparison of its own.
    return metric(_NAME, unit, Better.NEITHER, value, mean=Mean.SHARE)


def _share(swept: Swept, length_s: float) -> float | Absence | None:
    found = efficiency_of_work(swept.busy, length_s)
    return beyond(found, "{:.0%}".format) if isinstance(found, Limit) else found
