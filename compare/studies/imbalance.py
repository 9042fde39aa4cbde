"""How close an engine comes to the shortest possible schedule of unequal tasks."""

from compare.experiments.imbalance import best_s, durations_s
from compare.metrics import Better, Metric, metric
from compare.observations import Runs
from compare.records import Case, Plan
from compare.studies.base import Column, Study


def _metrics(plan: Plan, case: Case) -> tuple[Metric[Runs], ...]:
    def over_best(runs: Runs) -> float:
        run = runs[""]
        return run.makespan_s / best_s(durations_s(case, plan.seed, run.block), plan.workers)

    return (
        metric("makespan", "s", Better.LOWER, lambda runs: runs[""].makespan_s),
        metric("imbalance", "× the best possible", Better.LOWER, over_best),
    )


STUDY = Study(
    experiment="imbalance",
    title="Unequal tasks",
    explanation="""Sleeping tasks of lognormal length (sigma 1), 16 a worker, drawn anew in each
block and the same for all engines.  No schedule is shorter than max(sum / workers, longest task):
*over the best* is the makespan as a multiple of that.  Lower is better.""",
    axes=(),
    columns=(
        Column(metric="makespan", heading="makespan (s)"),
        Column(metric="imbalance", heading="over the best (×)"),
    ),
    metrics=_metrics,
)
