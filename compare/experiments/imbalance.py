"""Tasks of very unequal length: how close an engine comes to plain processes, and to the best
possible makespan.
"""

import math
import random
from collections.abc import Iterator

from typing_extensions import override

from compare.experiments.experiment import Estimable, Experiment, Pace, Scope
from compare.experiments.section import Column, Columns, Section
from compare.measure.bench import Bench
from compare.observations.metric import Better, Mean, Metric, Quantity, metric
from compare.observations.reader import Observations, cases_of
from compare.observations.series import Series, paired, planned_case, series_of
from compare.presets import Sizes
from compare.records.measurements import TaskRun
from compare.records.plan import CEILING, Case, Plan
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
differ between blocks and are the same for all engines of a block.  *Over the ceiling* is the
makespan, divided by that of plain processes on the same tasks in the same block: both sleep a
little longer than asked, and both may end with a long task.  The ceiling takes the tasks in order,
as they come, so it is a reference and no bound.

No schedule is shorter than max(sum / workers, longest task); *over the best* is the makespan as a
multiple of this bound.  Makespan and *over the best* differ between blocks because the tasks do:
they are means, and their parentheses hold the smallest and the largest block instead of an
interval.  Lower is better.""",
    table=Columns(
        columns=(
            Column(metric="over_ceiling", heading="over the ceiling (×)"),
            Column(metric="imbalance", heading="over the best (×)", details=True),
            Column(metric="makespan", heading="makespan", details=True),
        )
    ),
)

OVER_CEILING = Quantity(name="over_ceiling", unit="× the ceiling", better=Better.LOWER)
"""Makespan, divided by that of the engine-free ceiling on the same tasks in the same block."""
_MAKESPAN: Metric[TaskRun] = metric(
    "makespan", "s", Better.LOWER, lambda run: run.makespan_s, mean=Mean.RANGE
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
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        plan = observations.plan
        for planned in cases_of(plan, engine, self.name):

            def of(name: str, wanted: Metric[TaskRun], case: Case = planned) -> Series:
                observed = observations.batch(name, case)
                return series_of(self.name, name, planned_case(plan, case), wanted, observed)

            makespan = of(engine, _MAKESPAN)
            yield paired(makespan, of(CEILING, _MAKESPAN), OVER_CEILING)
            yield of(engine, _over_best(plan, planned))
            yield makespan


def _over_best(plan: Plan, case: Case) -> Metric[TaskRun]:
    def value(run: TaskRun) -> float | None:
        durations = durations_s(case, plan.options.seed, run.block)
        ratio = run.makespan_s / best_s(durations, plan.workers)
        return ratio if ratio >= 1 else None

    return metric(
        "imbalance",
        "× the best possible",
        Better.LOWER,
        value,
        mean=Mean.RANGE,
        lacking="the makespan is below the bound, so more tasks than workers ran at once",
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
