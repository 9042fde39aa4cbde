"""A timeline of waiting tasks that block their worker, and of others that do not."""

from collections.abc import Iterator

from typing_extensions import override

from compare.experiments.experiment import Experiment, Pace, Scope
from compare.experiments.section import Column, Columns, Lanes, Section
from compare.measure.bench import Bench, Way
from compare.observations.metric import Better, Mean, Metric, metric
from compare.observations.reader import Runs
from compare.observations.spans import peak_concurrency
from compare.presets import Sizes
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan
from engines.interface import Capability
from workload.kernels import sleep

BLOCKING, AWAITED = "blocking", "awaited"
_TASKS_PER_WORKER = 4
WAIT_S = Sizes(quick=0.3, standard=0.5, full=1.0)
"""Seconds that a task waits."""

_SECTION = Section(
    title="Waiting tasks",
    explanation="""Four sleeping tasks per worker.  *Blocking*: a task occupies its worker while it
sleeps.  *Awaited*: a task is a coroutine, and the worker runs other tasks meanwhile (Ray and Dask:
an actor in each worker; serial: asyncio).  The report says which engines cannot do this.  Lower is
better, except for *at once*.""",
    table=Columns(
        axes=(("how", "how a task waits"),),
        columns=(
            Column(metric="makespan", heading="makespan"),
            Column(metric="waits_at_once", heading="at once"),
            Column(metric="over_one_wait", heading="over one wait (×)"),
        ),
    ),
    pictures=(
        Lanes(
            name="timeline",
            description="when each worker ran which task, in the first valid block",
            by="how",
            inapplicable="cannot await",
        ),
    ),
)


class Timeline(Experiment):
    """The same sleeping tasks twice: blocking and awaited."""

    name = "timeline"
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        return tuple(
            Case(
                experiment=self.name,
                parameters={
                    "how": how,
                    "tasks": _TASKS_PER_WORKER * scope.workers,
                    "seconds": WAIT_S.of(scope.preset),
                },
            )
            for how in (BLOCKING, AWAITED)
        )

    @override
    def traced_cases(self, cases: tuple[Case, ...]) -> tuple[Case, ...]:
        return tuple(case for case in cases if case.parameters["how"] == BLOCKING)

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        awaited = case.parameters["how"] == AWAITED
        return frozenset({Capability.AWAITS} if awaited else ())

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        seconds = float(case.parameters["seconds"])
        if case.parameters["how"] == AWAITED:
            return 2 * seconds
        return (1 + int(case.parameters["tasks"]) / pace.workers) * seconds

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        count, seconds = int(case.parameters["tasks"]), float(case.parameters["seconds"])
        if case.parameters["how"] == BLOCKING:
            yield bench.run(case, [sleep.task(bench.label(), seconds)] * count)
            return
        # Twice, because an engine may start its actors in the first batch.
        for _ in range(2):
            tasks = [sleep.awaited_task(bench.label(), seconds)] * count
            run = bench.run(case, tasks, way=Way.AWAITED)
        yield run

    @override
    def metrics(self, plan: Plan, case: Case) -> tuple[Metric[Runs], ...]:
        seconds = float(case.parameters["seconds"])
        return (
            metric("makespan", "s", Better.LOWER, lambda runs: runs[""].makespan_s),
            metric(
                "waits_at_once",
                "tasks",
                Better.HIGHER,
                lambda runs: peak_concurrency(runs[""]),
                mean=Mean.MEDIAN,
            ),
            metric(
                "over_one_wait",
                "× one task's wait",
                Better.LOWER,
                lambda runs: runs[""].makespan_s / seconds,
            ),
        )
