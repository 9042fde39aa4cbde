"""What an engine does when a task raises, and when a process or a node is lost or stands still.

Each fault has a session of its own, because it may break the engine.  In the session, the same
tasks run twice: undisturbed, and then with the fault.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from typing_extensions import override

from compare.experiments.experiment import Estimable, Experiment, Facts, Opening, Pace, Scope
from compare.experiments.section import Column, Columns, Progress, Section
from compare.formatting import enumeration, short
from compare.measure.bench import Bench
from compare.measure.faults import LOAD_S, Fault, in_a_task, in_its_loading
from compare.measure.wake import wake
from compare.observations.compound import Trial
from compare.observations.metric import Better, Mean, Metric, metric
from compare.observations.reader import Observations, Observed, absent, cases_of, valid
from compare.observations.recovery import correct, ran_twice, recovery_s, time_lost_s
from compare.observations.series import Answers, planned_case, series_of
from compare.options import PresetName
from compare.presets import BLOCKS, Sizes
from compare.records.measurements import FaultRun, Record
from compare.records.plan import Case, Plan, Scalar, Site, is_contender, refine
from engines.interface import Capability
from workload import calls
from workload.kernels import fragile

KILLED, CONTAINER_KILLED = "worker-killed", "container-killed"
_STOPPED_S, _CUT_S = 2.0, 5.0
FAULTS: Mapping[str, Fault] = {
    "task-raises": Fault(deed=fragile.RAISES_ONCE),
    KILLED: Fault(victim=in_a_task),
    "worker-stopped": Fault(victim=in_a_task, stopped_s=_STOPPED_S),
    "out-of-memory": Fault(deed=fragile.EATS),
    "poison-task": Fault(deed=fragile.KILLS),
    "killed-while-loading": Fault(victim=in_its_loading, load_s=LOAD_S),
    "node-killed": Fault(victim=in_a_task, node=True),
    "driver-killed": Fault(victim=in_a_task, driver=True),
    CONTAINER_KILLED: Fault(victim=in_a_task, container=True),
    "network-cut": Fault(victim=in_a_task, container=True, stopped_s=_CUT_S),
}
_TASKS_PER_WORKER, _TASK_S = 20, 0.15
_DEADLINE = 5
"""As a multiple of the twin's makespan.  Nothing that an engine does by itself takes so long."""
_PATIENCE_S = 60.0
"""More until the deadline if a node, its network or a driver is lost: a head waits for word from it
for up to a minute, and another driver has to start."""
_BLOCKS = Sizes(quick=1, standard=1, full=3)
"""Fewer blocks than for other experiments, because every fault needs a session."""
_KILLED = {KILLED: "a worker", CONTAINER_KILLED: "the container of a worker"}
_VERDICT, _WORDS, _NO_WORDS = "verdict", "words", "nothing"
_LONGEST_WORDS = 300
"""Characters of an error; Spark says what happened after 200."""

_SECTION = Section(
    title="When something goes wrong",
    explanation="""Sleeping tasks of 0.15 s, 20 per worker.  When a third of them have ended, as the
workers report it, one fault happens.  *task-raises*: a task raises an error the first time that it
runs.  *worker-killed*: the process that started a task last gets SIGKILL.  *worker-stopped*: it
gets SIGSTOP, and SIGCONT two seconds later.  *out-of-memory*: one task asks for more memory than
its process may have, whenever it runs (`ulimit -v`).  *poison-task*: one task kills every process
that runs it.  *killed-while-loading*: every process needs half a second before its first task, as
for a model, and one gets SIGKILL meanwhile.  *node-killed*: the engine has a cluster on this host
with a node of one core for each worker, and all processes of the node that started a task last get
SIGKILL.  *driver-killed*: the program that submitted the tasks gets SIGKILL, and another one at
once submits all of them again; the cluster, as in *node-killed*, goes on.

On clusters of containers (`--on compose`) two others happen.  *container-killed*: the container of
the worker that started a task last is killed, as if a machine lost its power.  *network-cut*: that
container is taken off the network of the cluster, and connected again five seconds later; its
processes go on.

Each fault has an engine of its own, and an undisturbed twin on the same engine before it.  An
engine has *finished* if it handed over its last result, has *failed* if it raised an error, and
*hung* if it did neither in five times the twin's makespan (if a node, its network or a driver was
lost, a minute longer).
*Right* is 1 if every result came exactly once with the right content.  *Ran twice* counts the tasks
that workers started more than once.  *Lost* is the makespan minus the twin's.  *Recovered* is the
time from the fault until four tasks per worker in a row end at 95% of the twin's rate; an engine
that hangs may have recovered, and wait for a lost task.  What stands in parentheses in the last
column is no message: it says what became of the processes that a killed driver had started.

Shipped engines repeat what they repeat by default; tuned ones also repeat a task that raised, if
they can (see the settings).  multiprocessing has no such setting.""",
    table=Columns(
        axes=(("fault", "fault"),),
        columns=(
            Column(metric=_VERDICT, heading="verdict"),
            Column(metric="correct", heading="right", caveat=False),
            Column(metric="ran_twice", heading="ran twice", caveat=False),
            Column(metric="time_lost", heading="lost", caveat=False),
            Column(metric="recovery", heading="recovered", caveat=False),
            Column(metric=_WORDS, heading="what the user reads", caveat=False),
        ),
    ),
    pictures=(
        Progress(
            name="faults",
            description="Tasks that had ended over time, when a worker was killed and undisturbed",
            fault=KILLED,
        ),
        Progress(
            name="faults-of-containers",
            description="The same when the container of a worker was killed",
            fault=CONTAINER_KILLED,
        ),
    ),
)


class Faults(Experiment):
    """One case, and one session, for each fault."""

    name = "faults"
    with_ceiling = False
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        sizes = {"tasks": _TASKS_PER_WORKER * scope.workers, "seconds": _TASK_S}
        return tuple(
            Case(experiment=self.name, parameters={"fault": fault, **sizes}) for fault in FAULTS
        )

    @override
    def blocks(self, preset: PresetName) -> int:
        return min(_BLOCKS.of(preset), BLOCKS.of(preset))

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        fault = _fault(case)
        if fault.node or fault.container:
            return frozenset({Capability.PARALLEL, Capability.SPANS_HOSTS})
        # The only process of another engine is the program itself.
        return frozenset({Capability.PARALLEL})

    @override
    def inapplicable(self, case: Case, site: Site) -> str | None:
        if _fault(case).container:
            told = "its victim is a container, so it needs a cluster of them (--on compose)"
            return None if site is Site.CONTAINERS else told
        told = "its victim is a process on this host, and those of a cluster are on others"
        return None if site is Site.HERE else told

    @override
    def opening(self, case: Case, workers: int) -> Opening:
        name = str(case.parameters["fault"])
        fault = FAULTS[name]
        return Opening(
            workers=workers,
            faults=True,
            nodes=fault.node or fault.driver,
            own_driver=fault.driver,
            label=name,
        )

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        """Seconds for the twin, and more than twice as many for the batch with the fault."""
        return (
            3.5 * int(case.parameters["tasks"]) * float(case.parameters["seconds"]) / pace.workers
        )

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[Record]:
        fault = _fault(case)
        count, seconds = int(case.parameters["tasks"]), float(case.parameters["seconds"])
        wake(bench, case, seconds)
        # In the folder that all workers see, also those in other containers.
        with tempfile.TemporaryDirectory(
            prefix="ec-notes-", dir=calls.folder(), ignore_cleanup_errors=True
        ) as folder:
            sound = replace(fault, deed=fragile.SOUND)
            tasks = sound.tasks(bench.label(), Path(folder) / "twin", count, seconds)
            twin = bench.run(refine(case, part="twin"), tasks)
            yield twin
            tasks = fault.tasks(bench.label(), Path(folder) / "fault", count, seconds)
            patience_s = _PATIENCE_S if fault.node or fault.driver or fault.container else 0.0
            deadline_s = _DEADLINE * twin.makespan_s + patience_s
            yield bench.run_with_fault(case, tasks, fault, deadline_s=deadline_s)

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        plan = observations.plan
        order = list(FAULTS)
        cases = cases_of(plan, engine, self.name)
        for planned in sorted(cases, key=lambda case: order.index(str(case.parameters["fault"]))):
            case = planned_case(plan, planned)
            trials = observations.trials(engine, planned)
            yield self._answers(engine, case, trials)
            for number in _metrics(plan):
                yield series_of(self.name, engine, case, number, trials)
            yield self._answers(engine, case, trials, words=True)

    def _answers(
        self,
        engine: str,
        case: Mapping[str, Scalar],
        trials: Observed[Trial],
        *,
        words: bool = False,
    ) -> Answers:
        """The verdict of each block, or the engine's words."""
        runs = {block: trial.faulty for block, trial in valid(trials).items()}
        verdicts = {block: run.verdict for block, run in runs.items()}
        said = {block: short(run.words, _LONGEST_WORDS) or _NO_WORDS for block, run in runs.items()}
        return Answers(
            experiment=self.name,
            engine=engine,
            name=_WORDS if words else _VERDICT,
            case=case,
            words=said if words else verdicts,
            # The row has the verdict in its field of that name, too.
            reasons={} if words else verdicts,
            absences=absent(trials),
        )

    @override
    def answer(self, facts: Facts) -> str | None:
        sentences = []
        for fault, killed in _KILLED.items():
            engines: dict[str, list[str]] = {}
            for row in facts.rows:
                asked = (row.experiment, row.metric, row.case.get("fault"))
                if asked != (self.name, _VERDICT, fault) or not is_contender(row.engine):
                    continue
                if isinstance(row.value, str):
                    engines.setdefault(row.value, []).append(f"`{row.engine}`")
            clauses = [f"{enumeration(names)} {verdict}" for verdict, names in engines.items()]
            if clauses:
                told = f"When {killed} was killed in the middle of a batch"
                sentences.append(f"{told}, {enumeration(clauses)}.")
        return " ".join(sentences) or None

    @override
    def progress(self, records: Sequence[Record]) -> str | None:
        found = [record for record in records if isinstance(record, FaultRun)]
        return ", ".join(f"{run.case.parameters['fault']}: {run.verdict}" for run in found) or None


def _fault(case: Case) -> Fault:
    return FAULTS[str(case.parameters["fault"])]


def _metrics(plan: Plan) -> tuple[Metric[Trial], ...]:
    return (
        metric("correct", "1 or 0", Better.HIGHER, correct, mean=Mean.RANGE),
        metric("ran_twice", "tasks", Better.LOWER, ran_twice, mean=Mean.RANGE),
        metric(
            "time_lost",
            "s",
            Better.LOWER,
            time_lost_s,
            mean=Mean.ARITHMETIC,
            lacking="the batch did not finish",
        ),
        metric(
            "recovery",
            "s",
            Better.LOWER,
            lambda trial: recovery_s(trial, plan.workers),
            mean=Mean.RANGE,
            lacking="the rate was not back before the tasks ended",
        ),
    )
