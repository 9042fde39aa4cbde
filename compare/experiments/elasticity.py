"""How the workers of an engine follow the demand: from none to four, to one, to four, to none.

Beside it, the same demand on fixed workers, and a demand of many very short tasks.  Only for
engines that start and end workers themselves, each case in a session of its own.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from typing_extensions import override

from compare.experiments.experiment import Estimable, Experiment, Facts, Opening, Pace, Scope
from compare.experiments.section import PERCENT, Column, Columns, Section, Supply
from compare.formatting import enumeration, seconds
from compare.measure.bench import Bench
from compare.measure.elasticity import Demand, Limits
from compare.measure.wake import wake
from compare.observations import elasticity
from compare.observations.elasticity import NEVER, demand, supply
from compare.observations.metric import Better, Mean, Metric, metric
from compare.observations.reader import Observations, absent, cases_of, valid
from compare.observations.series import Answers, planned_case, series_of
from compare.options import PresetName
from compare.presets import BLOCKS, Sizes
from compare.records.measurements import ElasticityRun, Record
from compare.records.plan import Case, Plan, Site
from engines.interface import Capability

IDLE_S = 6.0
_MOST = 4
TASK_S = 1.0
_MANY, _LONG_S = 6 * _MOST, 12.0
"""So that four workers need six seconds, and three of them are idle for twice the idle time."""
_FIXED = (_MOST, _MOST // 2, 1)
_SHORT, SHORT_S = 4000, 0.001
"""A second of work for four workers, and more tasks than any engine hands out in that time."""
_WAKE_S = 0.1
_LIMITS = Limits(work_s=75, release_s=20)
_BLOCKS = Sizes(quick=1, standard=1, full=3)
"""Fewer blocks than for other experiments, because a session takes most of a minute."""
_VERDICT, _REACTION, _MOST_WORKERS = "verdict", "reaction", "most_workers"
_NO_NEW = "no worker was started after that rise"
_NOT_FINISHED = "the tasks did not finish"
_NOT_ALL_GONE = "a worker remained"

_ON_DEMAND = Section(
    title="When the demand for workers changes",
    explanation=f"""The engine starts without a worker, and may have {_MOST}.  {_MANY} sleeping
tasks of {TASK_S:g} s are submitted at once, with one of {_LONG_S:g} s at their end; when all have
ended, {_MANY} again; then none.  So the *demand* goes from 0 to {_MOST}, 1, {_MOST} and 0.  The
*supply* is counted from outside: a worker counts from its first task until its process is gone,
whatever the engine says.  An idle worker ends after {IDLE_S:g} s on every engine.

*Reaction* is the time from the first rise of the demand to the first task, *all {_MOST}* to the
first task of the last worker.  *Short* and *spare* are the workers that were missing, and that were
too many, on average over the time.  *Released* is the time from the end of the last task until no
worker is left: not less than the idle time.  *Worker time* adds up how long the processes of
workers existed, starting included; {2 * _MANY * TASK_S + _LONG_S:g} s of it are tasks.  Less of it
is cheaper, and a shorter makespan is faster: neither alone is better.

Lines whose idle workers *never* end show the same tasks on the same engine with a fixed number of
workers, opened as for other experiments; every worker has run a task before.  Their worker time is
the number of workers times the makespan, as if they were started and ended in no time.

A worker is a Ray node of one core with its daemons (autoscaler v2, a process of this host), a Dask
worker process (`adapt`), or a Spark executor of one core (dynamic allocation).  The policies
differ: Ray counts tasks that wait, Dask the seconds of work in its queue, and Spark doubles its
request while tasks wait.  The settings are listed below.""",
    table=Columns(
        axes=(("most", "workers"), ("idle_s", "idle workers end after (s)")),
        where=("seconds", TASK_S),
        columns=(
            Column(metric=_VERDICT, heading="verdict"),
            Column(metric="makespan", heading="makespan (s)", caveat=False),
            Column(metric="worker_time", heading="worker time (s)", caveat=False),
            Column(metric=_REACTION, heading="reaction (s)", caveat=False),
            Column(metric="full_supply", heading=f"all {_MOST} (s)", caveat=False),
            Column(metric="release", heading="released (s)", caveat=False),
            Column(metric="accuracy_under", heading="short", caveat=False),
            Column(metric="accuracy_over", heading="spare", caveat=False),
            Column(metric="decision", heading="until the process started (s)", details=True),
            Column(metric="process_start", heading="from there to its task (s)", details=True),
            Column(metric="reaction_again", heading="reaction, second rise (s)", details=True),
            Column(metric="timeshare_under", heading="time short", scale=PERCENT, details=True),
            Column(metric="timeshare_over", heading="time with spare", scale=PERCENT, details=True),
            Column(metric="jitter", heading="jitter (1/min)", details=True),
            Column(metric="ran_twice", heading="ran twice", details=True),
        ),
    ),
    pictures=(
        Supply(
            name="elasticity",
            description="Workers that the tasks asked for and workers that there were, over time",
        ),
    ),
)

_MANY_SHORT = Section(
    title="Many very short tasks, and no worker yet",
    explanation=f"""The engine starts without a worker, and may have {_MOST}, as above.  {_SHORT:,}
sleeping tasks of {SHORT_S * 1e3:g} ms are submitted at once: a second of work for {_MOST} workers.
*Most workers* is the largest number that existed at the same time, each from its first task on.  A
worker that came too late for a task is not seen.  Whether an engine starts more workers for such
tasks depends on what its policy counts: tasks that wait, or their work.""",
    table=Columns(
        where=("seconds", SHORT_S),
        columns=(
            Column(metric=_VERDICT, heading="verdict"),
            Column(metric=_MOST_WORKERS, heading="most workers", caveat=False),
            Column(metric="makespan", heading="makespan (s)", caveat=False),
            Column(metric=_REACTION, heading="reaction (s)", caveat=False),
            Column(metric="worker_time", heading="worker time (s)", caveat=False),
            Column(metric="ran_twice", heading="ran twice", details=True),
        ),
    ),
)


class Elasticity(Experiment):
    """Workers on demand for long and for short tasks, and fixed workers, each in a session."""

    name = "elasticity"
    with_ceiling = False
    sections = (_ON_DEMAND, _MANY_SHORT)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        sizes = {"many": _MANY, "seconds": TASK_S, "long_s": _LONG_S}
        scaling = {"most": _MOST, "idle_s": IDLE_S}
        return (
            Case(experiment=self.name, parameters={**scaling, **sizes}),
            *(
                Case(experiment=self.name, parameters={"most": most, "idle_s": NEVER, **sizes})
                for most in _FIXED
            ),
            Case(
                experiment=self.name,
                parameters={**scaling, "tasks": _SHORT, "seconds": SHORT_S},
            ),
        )

    @override
    def blocks(self, preset: PresetName) -> int:
        return min(_BLOCKS.of(preset), BLOCKS.of(preset))

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.SCALES})

    @override
    def inapplicable(self, case: Case, site: Site) -> str | None:
        if site is Site.HERE:
            return None
        return "workers are counted on this host, and those of a cluster are on others"

    @override
    def opening(self, case: Case, workers: int) -> Opening:
        # Sleeping tasks need no core, so the number is the same on every machine.
        most = int(case.parameters["most"])
        if _is_fixed(case):
            # Not the main session, even if it has as many workers: in sessions of this experiment
            # nobody looks for a disturbance.
            return Opening(workers=most, label=f"{self.name}-{most}-fixed")
        label = f"{self.name}-short" if _is_short(case) else self.name
        return Opening(workers=most, idle_s=float(case.parameters["idle_s"]), label=label)

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        """Seconds for the tasks, and twice the time of a worker to start, and once to be idle."""
        tasks = _demand(case)
        rises_s = len(tasks.batches) * tasks.many / int(case.parameters["most"]) * tasks.task_s
        work_s = rises_s + (tasks.long_s or 0.0)
        if _is_fixed(case):
            return work_s + 1.0
        return work_s + 6.0 + 1.5 * float(case.parameters["idle_s"])

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[Record]:
        limits = _LIMITS
        if _is_fixed(case):
            wake(bench, case, _WAKE_S)
            limits = limits._replace(release_s=0)
        with tempfile.TemporaryDirectory(prefix="ec-notes-", ignore_cleanup_errors=True) as folder:
            yield bench.run_elastic(case, Path(folder) / "notes", _demand(case), limits)

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        plan = observations.plan
        for planned in sorted(cases_of(plan, engine, self.name), key=_place):
            case = planned_case(plan, planned)
            watches = observations.last(engine, planned, ElasticityRun)
            verdicts = {block: watch.verdict for block, watch in valid(watches).items()}
            yield Answers(
                experiment=self.name,
                engine=engine,
                name=_VERDICT,
                case=case,
                words=verdicts,
                # Without an error, the row has the verdict in its field of that name, too.
                reasons={
                    block: watch.words or watch.verdict for block, watch in valid(watches).items()
                },
                absences=absent(watches),
            )
            for number in _metrics_of(planned):
                yield series_of(self.name, engine, case, number, watches)

    @override
    def answer(self, facts: Facts) -> str | None:
        reactions = facts.ordered(self.name, _REACTION, seconds=TASK_S)
        if not reactions:
            return None
        clauses = [f"`{engine}` after {seconds(reaction_s)}" for engine, reaction_s in reactions]
        return f"Without a worker at first, {enumeration(clauses)} ran its first task."

    @override
    def progress(self, records: Sequence[Record]) -> str | None:
        found = [record for record in records if isinstance(record, ElasticityRun)]
        return ", ".join(f"{_called(run.case)}: {run.verdict}" for run in found) or None


def _is_fixed(case: Case) -> bool:
    return case.parameters["idle_s"] == NEVER


def _is_short(case: Case) -> bool:
    return "long_s" not in case.parameters


def _called(case: Case) -> str:
    if _is_fixed(case):
        return f"{case.parameters['most']} fixed workers"
    return "short tasks" if _is_short(case) else "workers on demand"


def _place(case: Case) -> tuple[bool, bool, int]:
    """Workers on demand come first, then fixed ones, then the short tasks."""
    return _is_short(case), _is_fixed(case), -int(case.parameters["most"])


def _demand(case: Case) -> Demand:
    parameters = case.parameters
    task_s = float(parameters["seconds"])
    if _is_short(case):
        return Demand(many=int(parameters["tasks"]), task_s=task_s, long_s=None)
    return Demand(many=int(parameters["many"]), task_s=task_s, long_s=float(parameters["long_s"]))


def _time(
    name: str, value: Callable[[ElasticityRun], float | None], lacking: str
) -> Metric[ElasticityRun]:
    return metric(name, "s", Better.LOWER, value, mean=Mean.RANGE, lacking=lacking)


def _over_time(
    name: str,
    unit: str,
    value: Callable[[elasticity.Levels, elasticity.Levels, float], float],
    better: Better = Better.LOWER,
) -> Metric[ElasticityRun]:
    """A metric of demand and supply from the first submission to the end of the watch."""
    return metric(
        name,
        unit,
        better,
        lambda run: value(demand(run), supply(run), run.watched_s),
        mean=Mean.RANGE,
    )


_MAKESPAN = _time(
    "makespan", lambda run: run.ended_s if run.verdict == "finished" else None, _NOT_FINISHED
)
_WORKER_TIME = _time("worker_time", elasticity.worker_time_s, "there was no worker")
_REACTION_OF_FIRST = _time(_REACTION, lambda run: elasticity.reaction_s(run, 0), _NO_NEW)
_RAN_TWICE = metric("ran_twice", "tasks", Better.LOWER, elasticity.ran_twice, mean=Mean.RANGE)
_OF_FIXED = (
    _MAKESPAN,
    _time("worker_time", elasticity.fixed_worker_time_s, _NOT_FINISHED),
    _RAN_TWICE,
)
_OF_SHORT = (
    _MAKESPAN,
    _WORKER_TIME,
    metric(_MOST_WORKERS, "workers", Better.NEITHER, elasticity.most_workers, mean=Mean.RANGE),
    _REACTION_OF_FIRST,
    _RAN_TWICE,
)
_OF_DEMAND: tuple[Metric[ElasticityRun], ...] = (
    _MAKESPAN,
    _WORKER_TIME,
    _REACTION_OF_FIRST,
    _time("decision", lambda run: elasticity.decision_s(run, 0), _NO_NEW),
    _time("process_start", lambda run: elasticity.process_start_s(run, 0), _NO_NEW),
    _time("reaction_again", lambda run: elasticity.reaction_s(run, 1), _NO_NEW),
    _time("full_supply", elasticity.full_supply_s, "some workers never ran one of the first tasks"),
    _time("release", elasticity.release_s, _NOT_ALL_GONE),
    _over_time("accuracy_under", "workers", lambda *levels: elasticity.accuracy(*levels)[0]),
    _over_time("accuracy_over", "workers", lambda *levels: elasticity.accuracy(*levels)[1]),
    _over_time("timeshare_under", "share", lambda *levels: elasticity.timeshare(*levels)[0]),
    _over_time("timeshare_over", "share", lambda *levels: elasticity.timeshare(*levels)[1]),
    _over_time("jitter", "1/min", elasticity.jitter_per_min, Better.NEITHER),
    _RAN_TWICE,
)


def _metrics_of(case: Case) -> tuple[Metric[ElasticityRun], ...]:
    if _is_fixed(case):
        return _OF_FIXED
    return _OF_SHORT if _is_short(case) else _OF_DEMAND
