"""Tasks that wait, blocking their worker or not."""

from compare.intervals import median
from compare.metrics import Better, Metric, metric, peak_concurrency
from compare.observations import Runs
from compare.records import Case, Plan
from compare.studies.base import Column, Lanes, Study


def _metrics(_plan: Plan, case: Case) -> tuple[Metric[Runs], ...]:
    seconds = float(case.parameters["seconds"])
    return (
        metric("makespan", "s", Better.LOWER, lambda runs: runs[""].makespan_s),
        metric(
            "waits_at_once",
            "tasks",
            Better.HIGHER,
            lambda runs: peak_concurrency(runs[""]),
            estimate=median,
        ),
        metric(
            "over_one_wait",
            "× one task's wait",
            Better.LOWER,
            lambda runs: runs[""].makespan_s / seconds,
        ),
    )


STUDY = Study(
    experiment="timeline",
    title="Waiting tasks",
    explanation="""Four sleeping tasks a worker.  *Blocking*: a task keeps its worker while it
sleeps.  *Awaited*: it is a coroutine, and the worker runs others meanwhile (Ray and Dask: an
actor in each worker; serial: asyncio).  An engine that has no such thing says
so.  Lower is better.""",
    axes=(("how", "how a task waits"),),
    columns=(
        Column(metric="makespan", heading="makespan (s)"),
        Column(metric="waits_at_once", heading="at once"),
        Column(metric="over_one_wait", heading="over one wait (×)"),
    ),
    metrics=_metrics,
    pictures=(
        Lanes(
            name="timeline",
            description="when each worker ran which task, in the first valid block",
            by="how",
            cannot="cannot await",
        ),
    ),
)
