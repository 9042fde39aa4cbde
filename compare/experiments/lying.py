"""The lying task: it asks for a tenth of a core and uses a whole one.

The experiment shows whether a share is enforced or only counted: it measures how much lying tasks
slow down a neighbour that asked for the core that it uses.
"""

from collections.abc import Iterator
from functools import partial

from typing_extensions import override

from compare.experiments.experiment import Experiment, Opening, Pace, Scope
from compare.experiments.section import Column, Columns, Section
from compare.measure.bench import Bench
from compare.observations.metric import Better, Metric, metric
from compare.observations.reader import Runs
from compare.presets import Sizes
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan, refine
from engines.interface import Capability
from workload.kernels import sleep, spin

ALONE, HONEST, LYING = "alone", "honest", "lying"
"""The neighbour alone, next to honest tasks, which sleep, and next to lying tasks."""
_SHARE = 0.1
_LIARS_PER_CORE = 10
_LONGER = 2.0
"""A liar's work, relative to the neighbour's: the liar must not end first."""
WORK_S = Sizes(quick=0.2, standard=0.4, full=1.0)
"""Seconds of work of the neighbour."""

_SECTION = Section(
    title="The lying task",
    explanation="""One task asks for a core and uses it.  As many other tasks as fit next to it ask
for 0.1 of a core each.  *Honest* tasks sleep; *lying* tasks use a whole core each.  The slowdown is
the duration of the first task's own work, divided by its duration alone.  1 means that the engine
kept the core free for the task.  More than 1 means that shares are only counted when tasks are
placed, and not enforced.""",
    table=Columns(
        columns=(
            Column(metric="neighbour_alone", heading="alone"),
            Column(metric="slowdown_honest", heading="beside honest tasks (×)"),
            Column(metric="slowdown_lying", heading="beside lying tasks (×)"),
        )
    ),
)


class Lying(Experiment):
    """One case in three parts; only the neighbour's task is evaluated."""

    name = "lying"
    with_ceiling = False
    parts = (ALONE, HONEST, LYING, f"{HONEST} others", f"{LYING} others")
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        parameters = {"cpus": _SHARE, "work_s": WORK_S.of(scope.preset)}
        return (Case(experiment=self.name, parameters=parameters),)

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.FRACTIONAL_CPUS})

    @override
    def opening(self, case: Case, workers: int) -> Opening:
        return Opening(workers=workers, smallest_share=_SHARE, label="fractional")

    @override
    def calibrated(self, case: Case) -> bool:
        return True

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        work_s = float(case.parameters["work_s"])
        liars = _LIARS_PER_CORE * max(pace.workers - 1, 1)
        return 3 + 2 * work_s + 2 * liars * _LONGER * work_s / pace.workers

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        work_s = float(case.parameters["work_s"])
        iterations = round(work_s / bench.calibrated_s())
        cores = max(bench.plan.workers - 1, 1)
        others = {
            HONEST: sleep.task("", work_s * _LONGER),
            LYING: spin.task("", round(iterations * _LONGER)),
        }

        def neighbour(part: str) -> TaskRun:
            return bench.run(refine(case, part=part), [spin.task(bench.label(), iterations)])

        yield neighbour(ALONE)
        for part, other in others.items():
            # Unmeasured: starts the processes that the engine needs for this many tasks.
            nap = sleep.task(bench.label(), 0.5)
            bench.run(case, [nap] * (_LIARS_PER_CORE * cores), cpus=_SHARE)
            tasks = [other._replace(case=bench.label())] * (_LIARS_PER_CORE * cores)
            # The neighbour first, so that it has its core before the other tasks arrive.
            beside = refine(case, part=f"{part} others")
            yield from bench.together(
                partial(neighbour, part), partial(bench.run, beside, tasks, cpus=_SHARE)
            )

    @override
    def metrics(self, plan: Plan, case: Case) -> tuple[Metric[Runs], ...]:
        return (
            metric("neighbour_alone", "s", Better.NEITHER, lambda runs: _took_s(runs[ALONE])),
            metric(
                "slowdown_honest", "× alone", Better.LOWER, lambda runs: _slowdown(runs, HONEST)
            ),
            metric("slowdown_lying", "× alone", Better.LOWER, lambda runs: _slowdown(runs, LYING)),
        )


def _took_s(run: TaskRun) -> float | None:
    """Seconds from the start to the end of the neighbour's only task."""
    if not run.spans:
        return None
    return run.spans[0].end_s - run.spans[0].start_s


def _slowdown(runs: Runs, part: str) -> float | None:
    took_s, alone_s = _took_s(runs[part]), _took_s(runs[ALONE])
    return None if took_s is None or alone_s is None else took_s / alone_s
