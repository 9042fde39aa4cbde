"""Tasks of very unequal length: how close an engine comes to the best possible makespan."""

import math
import random
from collections.abc import Iterator

from typing_extensions import override

from compare.experiments.experiment import Experiment, Pace, Scope
from compare.experiments.section import Column, Columns, Section
from compare.measure.bench import Bench
from compare.observations.metric import Better, Metric, metric
from compare.observations.reader import Runs
from compare.presets import Sizes
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan
from engines.interface import Capability
from workload.kernels import sleep

_TASKS_PER_WORKER = 16
_SIGMA = 1.0
"""Standard deviation of the logarithm: one task in forty lasts over seven times the median."""
MEAN_S = Sizes(quick=0.05, standard=0.1, full=0.2)
"""Mean length of the tasks."""

_SECTION = Section(
    title="Unequal tasks",
    explanation="""Sleeping tasks with lognormal durations (sigma 1), 16 per worker.  The durations
differ between blocks and are the same for all engines.  No schedule is shorter than
max(sum / workers, longest task); *over the best* is the makespan as a multiple of this bound.
Lower is better.""",
    table=Columns(
        columns=(
            Column(metric="makespan", heading="makespan"),
            Column(metric="imbalance", heading="over the best (×)"),
        )
    ),
)


class Imbalance(Experiment):
    """Sleeping tasks, because their durations are known in advance."""

    name = "imbalance"
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        parameters = {"tasks": _TASKS_PER_WORKER * scope.workers, "mean_s": MEAN_S.of(scope.preset)}
        return (Case(experiment=self.name, parameters=parameters),)

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.PARALLEL})

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        return int(case.parameters["tasks"]) * float(case.parameters["mean_s"]) / pace.workers

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        label = bench.label()
        durations = durations_s(case, bench.plan.options.seed, bench.session.block)
        yield bench.run(case, [sleep.task(label, seconds) for seconds in durations])

    @override
    def metrics(self, plan: Plan, case: Case) -> tuple[Metric[Runs], ...]:
        def over_best(runs: Runs) -> float:
            run = runs[""]
            return run.makespan_s / best_s(
                durations_s(case, plan.options.seed, run.block), plan.workers
            )

        return (
            metric("makespan", "s", Better.LOWER, lambda runs: runs[""].makespan_s),
            metric("imbalance", "× the best possible", Better.LOWER, over_best),
        )


def durations_s(case: Case, seed: int | None, block: int) -> tuple[float, ...]:
    """Lognormal durations, equal for all engines in a block and different in each block."""
    rng = random.Random(f"{seed}/{block}/imbalance")  # noqa: S311 - not a secret
    # The mean of a lognormal is exp(mu + sigma²/2).
    mu = math.log(float(case.parameters["mean_s"])) - _SIGMA**2 / 2
    return tuple(rng.lognormvariate(mu, _SIGMA) for _ in range(int(case.parameters["tasks"])))


def best_s(durations: tuple[float, ...], workers: int) -> float:
    """The shortest possible makespan: the mean load per worker, or the longest task."""
    return max(sum(durations) / workers, *durations)
