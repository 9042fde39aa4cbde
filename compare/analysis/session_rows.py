"""Start and stop of the engines: rows that every run has, with any experiments."""

from collections.abc import Iterator

from compare.experiments.registry import load_experiment
from compare.experiments.section import Column, Columns, Section, Stacked
from compare.observations.metric import Better, Mean, Metric, metric
from compare.observations.reader import Observations, planned_cases
from compare.observations.series import Series, budget_case, series_of
from compare.records.measurements import Lifecycle

NAME = "startup"
OPEN, FIRST_RESULT = "open", "first_result"

_PARTS = (
    Column(metric=OPEN, heading="open"),
    Column(metric=FIRST_RESULT, heading="first result"),
    Column(metric="warm_up", heading="warm-up"),
    Column(metric="close", heading="close"),
)

SECTION = Section(
    title="Start and stop",
    explanation="""*Open* lasts until the engine accepts tasks, and includes the framework's import.
*First result* is the time of one no-op on the new engine.  *Warm-up* lasts until every worker has
loaded the model.  *Close* lasts until the engine reports that it has stopped.  None of these times
is part of the throughput.  Lower is better.""",
    table=Columns(columns=_PARTS),
    rows_of=NAME,
    pictures=(
        Stacked(
            name="startup",
            description="What an engine takes once, beside its batches: to start, and to stop",
            parts=_PARTS,
            x_label="seconds, lower is better; the mean of each part over the blocks",
        ),
    ),
)

_WARM_UP: Metric[Lifecycle] = metric("warm_up", "s", Better.LOWER, lambda life: life.warm_up_s)
_METRICS: tuple[Metric[Lifecycle], ...] = (
    metric(OPEN, "s", Better.LOWER, lambda life: life.open_s),
    metric(FIRST_RESULT, "s", Better.LOWER, lambda life: life.first_result_s),
    _WARM_UP,
    metric("close", "s", Better.LOWER, lambda life: life.close_s, mean=Mean.GEOMETRIC_IF_POSITIVE),
)


def session_rows(observations: Observations, engine: str) -> Iterator[Series]:
    """One series for each metric; warm-up only if there is a model or a job to load."""
    plan = observations.plan
    experiments = [load_experiment(case.experiment) for case in planned_cases(plan, engine)]
    warmed_up = any(one.classifies or one.needs_job for one in experiments)
    observed = observations.lifecycle(engine)
    for duration in _METRICS:
        if warmed_up or duration is not _WARM_UP:
            yield series_of(NAME, engine, budget_case(plan), duration, observed)
