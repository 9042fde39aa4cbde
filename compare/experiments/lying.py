"""The lying task: asks for a tenth of a core and burns a whole one.

Shows whether a share is enforced or only counted, by what becomes of a neighbour that asked for
the core that it uses.
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
"""The neighbour alone, beside tasks that sleep as they should, and beside liars."""
_SHARE = 0.1
_LIARS_PER_CORE = 10
_LONGER = 2.0
"""A liar's work in units of the neighbour's: it must not end before."""
WORK_S = Sizes(quick=0.2, standard=0.4, full=1.0)
"""Work of the task that has liars for neighbours."""

_SECTION = Section(
    title="The lying task",
    explanation="""One task asks for a core and uses it; as many others as fit beside it ask for
0.1 each.  *Honest* others sleep, *lying* ones burn a core each.  The slowdown is how much longer
the first task's own work took than alone: 1 means that its core was kept for it, more that a share
is only counted when tasks are placed, and nothing holds a task to it.""",
    table=Columns(
        columns=(
            Column(metric="neighbour_alone", heading="alone (s)"),
            Column(metric="slowdown_honest", heading="beside honest tasks (×)"),
            Column(metric="slowdown_lying", heading="beside lying tasks (×)"),
        )
    ),
)


class Lying(Experiment):
    """One case in three parts; the neighbour's own task is what is read."""

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
            # Unmeasured: starts the processes that the engine needs for so many tasks.
            nap = sleep.task(bench.label(), 0.5)
            bench.run(case, [nap] * (_LIARS_PER_CORE * cores), cpus=_SHARE)
            tasks = [other._replace(case=bench.label())] * (_LIARS_PER_CORE * cores)
            # The neighbour first: it has its core before anybody else comes.
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
    """From the start to the end of the neighbour's only task."""
    if not run.spans:
        return None
    return run.spans[0].end_s - run.spans[0].start_s


def _slowdown(runs: Runs, part: str) -> float | None:
    took_s, alone_s = _took_s(runs[part]), _took_s(runs[ALONE])
    return None if took_s is None or alone_s is None else took_s / alone_s
