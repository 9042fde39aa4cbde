"""Runs batches of tasks on one open engine and records what happened."""

import contextlib
import itertools
import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias

from compare.measure import clock, elasticity, faults
from compare.measure.background import in_background
from compare.measure.cgroup import oom_kills
from compare.measure.hosts import ALONE, DRIVER, hosts_of, sum_or_none
from compare.measure.process_tree import TreeSampler, host_busy_s, tree_cpu_s, wait_until_idle
from compare.measure.reports import (
    largest,
    other_answers,
    outputs_of,
    spans_of,
    too_few_bytes,
    worker_of,
)
from compare.measure.speed import BusyCores
from compare.records.measurements import (
    ElasticityRun,
    EngineSpan,
    FaultRun,
    Head,
    NodeUse,
    OwnTrace,
    TaskRun,
    head,
)
from compare.records.plan import Case, Plan, Session, workers_of
from engines.errors import EngineError
from engines.interface import Engine, Node
from engines.parcel import Run
from workload import calls
from workload.errors import last_words
from workload.interface import PackedReport, PackedTask, Task, TaskReport
from workload.kernels import spin, survey
from workload.kernels.survey import Place
from workload.task import run_packed, run_packed_after, run_packed_async

_WARM_UP_WAVES = 50
_APART_S = 0.1
"""Delay between two batches that run together, so that the first one has its resources."""

Needs: TypeAlias = Sequence[Sequence[tuple[int, ...]]]
"""For each task of each layer of a graph: indices of the needed tasks in the layer before."""


class Way(Enum):
    """How tasks are handed to the engine."""

    BULK = "all tasks in one call"
    ONE_BY_ONE = "a call of the framework for each task"
    AWAITED = "coroutines that do not block their worker"


class Bench:
    """One open engine, and the session for which it is open."""

    def __init__(
        self, engine: Engine, plan: Plan, session: Session, *, memory_room_bytes: int | None = None
    ) -> None:
        self.engine = engine
        self.plan = plan
        self.session = session
        self._memory_room_bytes = memory_room_bytes
        self.hosts = ALONE
        self.iteration_s: float | None = None
        """Seconds of an iteration of the fixed-work kernel on an idle core, for the current case;
        ``None`` if the case needs no calibration."""
        self.busy_s: list[float] = []
        """The same while all cores are busy, as often as it was measured for the current case."""
        self.workers_a_core = 1.0
        """How much longer the latter is because there are more workers than cores."""
        self.workers = workers_of(session.engine, session.workers)
        """Number of one-core tasks that may run at once."""
        self.fastest_s = math.inf
        """The fastest calibration of this session."""
        self.reach = faults.Reach()
        """What faults can hit beside the engine's own processes."""
        self.warm = False
        """Whether empty tasks were run in this session until their cost was steady."""
        self._opened_s = clock.now()
        self._batches = itertools.count()

    def head(self) -> Head:
        """The shared fields of this session's records."""
        return head(self.session)

    def label(self) -> str:
        """A new name for a batch of tasks; kernel calls are counted under it."""
        return f"{self.plan.run_id}/{self.session.id}/{next(self._batches)}"

    def settle(self) -> None:
        """Wait until the engine is almost idle, but at most some seconds."""
        # The daemons of a cluster are no descendants of this process.
        wait_until_idle(host_busy_s if self.plan.clusters else tree_cpu_s)

    def calibrate(self, *, patient: bool) -> float:
        """Measure the seconds per iteration of the fixed-work kernel, while the engine is idle.

        ``patient`` waits some seconds for a core that is slower than it was, as often happens.
        """
        self.settle()
        iteration_s = spin.iteration_s(self.fastest_s if patient else math.inf)
        self.fastest_s = min(iteration_s, self.fastest_s)
        return iteration_s

    @contextlib.contextmanager
    def calibrated(self, *, patient: bool) -> Iterator[None]:
        """Calibrate the kernel for one case, and keep the processes for ``calibrate_busy``."""
        self.iteration_s = self.calibrate(patient=patient)
        self.busy_s = []
        with BusyCores(self.workers, self.iteration_s) as self._busy_cores:
            self.workers_a_core = self._busy_cores.workers_a_core
            yield

    def calibrate_busy(self) -> None:
        """Measure the kernel while all cores are busy, and add the result to ``busy_s``.

        The engine is open and has nothing to do meanwhile.
        """
        self.busy_s.append(self._busy_cores.iteration_s())

    def calibrated_s(self) -> float:
        """Seconds of an iteration of the fixed-work kernel on an idle core, for this case.

        Raises:
            ValueError: the experiment does not declare that it needs a calibration.
        """
        if self.iteration_s is None:
            raise ValueError("the kernel was not calibrated for this case")
        return self.iteration_s

    def run(  # noqa: PLR0913 - most of them only in rare cases
        self,
        case: Case,
        tasks: Sequence[Task],
        *,
        items: int | None = None,
        cpus: float = 1.0,
        slots: float | None = None,
        way: Way = Way.BULK,
        needs: Needs | None = None,
        returned: int | None = None,
        through: Run | None = None,
        answer: str | None = None,
        memory: bool = False,
        spans: bool = True,
        as_text: Callable[[int, bytes], str] | None = None,
    ) -> TaskRun:
        """Submit all tasks, take all results, and record what happened.

        ``items`` is the number of images in the tasks, if they have images.  With ``needs`` the
        tasks form a graph, in the order of its layers.  If ``returned`` is given, each task must
        return that many bytes, and with ``answer`` that text.  ``through`` runs the tasks in the
        place of the engine's own ``run``.  ``memory`` samples memory, processes and threads
        meanwhile, and ``spans`` keeps one entry per task.  With thousands of tiny tasks both are
        switched off: sampling would disturb the tasks, and the entries would be too many.
        ``as_text`` makes a text of the index and the output of each task, whose output is then
        bytes.
        """
        packed: list[PackedTask] = [tuple(task) for task in tasks]
        graph = None if needs is None else _graph(packed, needs)

        def submit() -> Iterator[tuple[int, PackedReport]]:
            if through is not None:
                return through(run_packed, packed)
            if graph is not None:
                return self.engine.run_graph(run_packed_after, graph)
            if way is Way.ONE_BY_ONE:
                return self.engine.run_one_by_one(run_packed, packed)
            if way is Way.AWAITED:
                return self.engine.run_async(run_packed_async, packed)
            return self.engine.run(run_packed, packed, cpus=cpus, slots=slots)

        killed_before = oom_kills()
        sampler = TreeSampler() if memory else contextlib.nullcontext()
        with sampler as sampled:
            usage_before = self.hosts.usage()
            cpu_before_s = tree_cpu_s()
            batch = clock.batch(submit)
            cpu_s = tree_cpu_s() - cpu_before_s
            nodes = self.hosts.used(usage_before, self.hosts.usage())
        killed = oom_kills()
        arrivals = [(index, TaskReport(*report), at_s) for index, report, at_s in batch.arrivals]
        if not arrivals:
            raise EngineError(f"{self.session.engine} returned none of {len(tasks)} results")
        reports = [report for _, report, _ in arrivals]
        # Includes workers that died before they could report.
        called = calls.counted({task.case for task in tasks})
        for report in reports:
            called[report.worker] = max(report.call, called.get(report.worker, 0))
        received = Counter(index for index, _, _ in arrivals)
        return TaskRun(
            **self.head(),
            case=case,
            tasks=len(tasks),
            items=len(tasks) if items is None else items,
            submitted_s=batch.submitted_s - self._opened_s,
            makespan_s=arrivals[-1][2] - batch.submitted_s,
            first_result_s=arrivals[0][2] - batch.submitted_s,
            # On a cluster the process tree covers only the driver, which its container counts, too.
            cpu_s=sum_or_none(node.cpu_s for node in nodes) if nodes else cpu_s,
            peak_memory_bytes=_peak_bytes(sampled, nodes),
            peak_processes=sampled.peak_processes if sampled else None,
            peak_threads=sampled.peak_threads if sampled else None,
            memory_room_bytes=self._memory_room_bytes,
            oom_kills=(None if killed is None or killed_before is None else killed - killed_before),
            # Median: a preempted sample would count scheduler time as harness time.
            harness_s=statistics.median(batch.harness_s or [0.0]) * len(arrivals),
            received=tuple(received[index] for index in range(len(tasks))),
            kernel_calls=sum(called.values()),
            set_ups=sum(report.set_up_s > 0 for report in reports),
            hosts=tuple(sorted({report.worker.rpartition(":")[0] for report in reports})),
            nodes=nodes,
            workers_seen=len({worker_of(report) for report in reports}),
            threads=tuple(sorted({r.threads for r in reports if r.threads is not None})),
            niceness=tuple(sorted({report.niceness for report in reports})),
            errors=(
                *(report.error for report in reports if report.error is not None),
                *([] if returned is None else too_few_bytes(reports, returned)),
                *([] if answer is None else other_answers(reports, answer)),
            ),
            outputs=None if items is None else outputs_of(arrivals, as_text),
            output_bytes=None if as_text is None else largest(reports),
            spans=spans_of(arrivals, batch.submitted_s) if spans and self.hosts.one_clock else None,
        )

    def together(
        self, first: Callable[[], TaskRun], second: Callable[[], TaskRun]
    ) -> tuple[TaskRun, TaskRun]:
        """Run two batches at the same time; the second is submitted a moment after the first.

        Raises:
            Exception: the error of either batch; if both failed, that of the first.
        """
        futures = []
        for run in (first, second):
            futures.append(in_background(run))
            time.sleep(_APART_S)
        return futures[0].result(), futures[1].result()

    def run_with_fault(
        self, case: Case, tasks: Sequence[Task], fault: faults.Fault, *, deadline_s: float
    ) -> FaultRun:
        """Submit fragile tasks, let the fault happen, and record what the engine did until then."""
        happened = faults.happened(self.engine, tasks, fault, deadline_s, self.reach)
        return FaultRun(**self.head(), case=case, deadline_s=deadline_s, **happened)

    def run_elastic(
        self, case: Case, notes: Path, demand: elasticity.Demand, limits: elasticity.Limits
    ) -> ElasticityRun:
        """Let the demand for workers rise and fall, and record which workers there were."""
        watched = elasticity.watched(self.engine, self.label(), notes, demand, limits)
        return ElasticityRun(**self.head(), case=case, most=self.workers, **watched)

    def round_trip_s(self, task: Task) -> float:
        """Seconds from submitting one task until its result is in the driver."""
        packed = [tuple(task)]
        _, took_s = clock.timed(lambda: list(self.engine.run(run_packed, packed)))
        return took_s

    def own_trace(self) -> OwnTrace:
        """The engine's own trace, on the time axis of the session's batches."""
        recorded = self.engine.own_trace()
        # An engine records the time of day; reading both clocks now gives their difference.
        opened_s = time.time() - (clock.now() - self._opened_s)
        return OwnTrace(
            **self.head(),
            spans=tuple(
                EngineSpan(span.name, span.worker, span.start_s - opened_s, span.end_s - opened_s)
                for span in recorded
            ),
        )

    def warm_up(self, task: Task) -> tuple[Any, ...]:
        """Run waves of one task per worker until every worker has run a task.

        Returns one output per worker.

        Raises:
            EngineError: a task failed, or a worker never took a task.
        """
        workers = self.engine.workers()
        packed = tuple(task._replace(case=self.label()))
        seen: dict[tuple[str, int], Any] = {}
        for _ in range(_WARM_UP_WAVES):
            for _, returned in self.engine.run(run_packed, [packed] * workers):
                report = TaskReport(*returned)
                if report.error is not None:
                    words = last_words(report.error)
                    raise EngineError(f"the warm-up task failed: {words}\n{report.error}")
                seen[worker_of(report)] = report.output
            if len(seen) >= workers:
                return tuple(seen.values())
        raise EngineError(
            f"only {len(seen)} of {workers} workers took a task in {_WARM_UP_WAVES} waves"
        )

    def find_hosts(self, address: str, paths: tuple[str, ...]) -> None:
        """Find the hosts of a cluster, and check that all of them can read these files.

        Raises:
            EngineError: a host cannot read a file.
        """
        places = [Place(*seen) for seen in self.warm_up(survey.task(self.label(), paths))]
        for place in places:
            if place.unreadable:
                raise EngineError(
                    f"{self.session.engine}: the node {place.host} cannot read "
                    f"{place.unreadable[0]} ({len(place.unreadable)} of {len(paths)} files): mount "
                    "its folder on every node at the same path, or send images with --ship bytes"
                )
        self.hosts = hosts_of(
            address, {place.host for place in places}, {place.boot_id for place in places}
        )


def _graph(packed: Sequence[PackedTask], needs: Needs) -> list[list[Node[PackedTask]]]:
    rest = iter(packed)
    return [[Node(value=next(rest), needs=needed) for needed in layer] for layer in needs]


def _peak_bytes(sampled: TreeSampler | None, nodes: Sequence[NodeUse]) -> int | None:
    """The largest sample of this host, plus what the other hosts used at the end."""
    if sampled is None:
        return None
    others = sum_or_none(node.memory_bytes for node in nodes if node.role != DRIVER)
    return None if others is None else sampled.peak_bytes + round(others)
