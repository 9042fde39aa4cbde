"""The lying task: it asks for a tenth of a core and uses a whole one.

The experiment shows whether a share is enforced or only counted: it measures how much lying tasks
slow down a neighbour that asked for the core that it uses.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from typing_extensions import override

from compare.experiments.experiment import Estimable, Experiment, Opening, Pace, Scope
from compare.experiments.fractional import FILL_SECONDS, fill
from compare.experiments.section import Column, Columns, Section
from compare.experiments.share_rows import slots
from compare.measure.bench import Bench
from compare.observations.metric import Better, Mean, Metric, metric
from compare.observations.reader import Observations, Observed, Runs, cases_of, valid
from compare.observations.series import planned_case, series_of
from compare.presets import Sizes
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan, refine
from engines.interface import Capability
from workload.kernels import sleep, spin

ALONE, HONEST, LYING = "alone", "honest", "lying"
"""The neighbour alone, next to honest tasks, which sleep, and next to lying tasks."""
_SHARE = 0.1
_LIARS_PER_CORE = 10
_FIXED_S, _IDLE_S = 1.5, 0.5
"""Seconds of two calibrations, and until the machine is idle; for the estimate only."""
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
placed, and not enforced.  Before each part, the engine starts the processes for all shares, and the
machine becomes idle.  *Workers* are the processes or threads that ran the other
tasks.""",
    table=Columns(
        columns=(
            Column(metric="neighbour_alone", heading="alone"),
            Column(metric="slowdown_honest", heading="beside honest tasks (×)"),
            Column(metric="workers_honest", heading="workers of these", details=True),
            Column(metric="slowdown_lying", heading="beside lying tasks (×)"),
            Column(metric="workers_lying", heading="workers of those", details=True),
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
        liars = _liars(pace.workers)
        # The first time, an engine may need a few waves until all processes run.
        fills_s = (len((ALONE, HONEST, LYING)) + 3) * (FILL_SECONDS + _IDLE_S)
        return _FIXED_S + fills_s + 2 * work_s + 2 * liars * _LONGER * work_s / pace.workers

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        work_s = float(case.parameters["work_s"])
        iterations = round(work_s / bench.calibrated_s())
        workers = bench.plan.workers
        liars = _liars(workers)
        others = {
            HONEST: sleep.task("", work_s * _LONGER),
            LYING: spin.task("", round(iterations * _LONGER)),
        }

        def neighbour(part: str) -> TaskRun:
            return bench.run(refine(case, part=part), [spin.task(bench.label(), iterations)])

        def prepare() -> None:
            # A process that starts takes a core from the neighbour, whatever the tasks do.  As many
            # as fit, not only as many as run: Ray starts spare ones while fewer are idle.
            fill(bench, case, slots(workers, _SHARE))
            bench.settle()

        prepare()
        yield neighbour(ALONE)
        for part, other in others.items():
            prepare()
            tasks = [other._replace(case=bench.label())] * liars
            # The neighbour first, so that it has its core before the other tasks arrive.
            beside = refine(case, part=f"{part} others")
            yield from bench.together(
                partial(neighbour, part), partial(bench.run, beside, tasks, cpus=_SHARE)
            )

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        plan = observations.plan
        for planned in cases_of(plan, engine, self.name):
            case = planned_case(plan, planned)
            observed = observations.runs(engine, planned, self.parts)
            yield series_of(self.name, engine, case, _ALONE_S, observed)
            for part in (HONEST, LYING):
                slowdown = series_of(self.name, engine, case, _slowdown(part), observed)
                yield replace(slowdown, note=_too_few(observed, part))
                yield series_of(self.name, engine, case, _workers_seen(part), observed)


def _liars(workers: int) -> int:
    """As many tasks as fit next to the neighbour; on one worker they come after it."""
    return _LIARS_PER_CORE * max(workers - 1, 1)


def _took_s(run: TaskRun) -> float | None:
    """Seconds from the start to the end of the neighbour's only task."""
    if not run.spans:
        return None
    return run.spans[0].end_s - run.spans[0].start_s


_ALONE_S: Metric[Runs] = metric(
    "neighbour_alone", "s", Better.NEITHER, lambda runs: _took_s(runs[ALONE])
)


def _slowdown(part: str) -> Metric[Runs]:
    def value(runs: Runs) -> float | None:
        took_s, alone_s = _took_s(runs[part]), _took_s(runs[ALONE])
        return None if took_s is None or alone_s is None else took_s / alone_s

    return metric(f"slowdown_{part}", "× alone", Better.LOWER, value)


def _workers_seen(part: str) -> Metric[Runs]:
    """Processes or threads that ran the tasks beside the neighbour."""
    return metric(
        f"workers_{part}",
        "workers",
        Better.NEITHER,
        lambda runs: runs[f"{part} others"].workers_seen,
        mean=Mean.MEDIAN,
    )


def _too_few(observed: Observed[Runs], part: str) -> str | None:
    """A caveat if some of the other tasks had to share a worker: they were not all there."""
    others = [runs[f"{part} others"] for runs in valid(observed).values()]
    fewest = min(others, key=lambda run: run.workers_seen - run.tasks, default=None)
    if fewest is None or fewest.workers_seen >= fewest.tasks:
        return None
    return f"{fewest.workers_seen} workers ran the {fewest.tasks} other tasks"
