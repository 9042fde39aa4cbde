"""Runs batches of tasks on one open engine and writes down what was seen.  The only clock."""

import contextlib
import dataclasses
import itertools
import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypedDict

from compare.hosts import ALONE, DRIVER, hosts_of, sum_or_none
from compare.kernel import oom_kills
from compare.meter import TreeSampler, tree_cpu_s, wait_until_idle
from compare.records import (
    SERIAL,
    Case,
    EngineSpan,
    NodeUse,
    OwnTrace,
    Plan,
    Session,
    Span,
    TaskRun,
)
from engines.errors import EngineError
from engines.interface import Engine
from workload import calls
from workload.interface import PackedReport, PackedTask, Task, TaskReport
from workload.kernels import spin, survey
from workload.kernels.survey import Place
from workload.task import run_packed

_WARM_UP_WAVES = 50
_TIMED_EVERY = 64
"""Results between two for which the harness times itself."""

Arrival = tuple[int, TaskReport, float]
"""Index, report, and when it was in the driver's hands (``time.monotonic()``)."""

Send: TypeAlias = Callable[[list[PackedTask]], Iterator[tuple[int, PackedReport]]]
"""Another way than ``Engine.run`` to give tasks to the engine."""


class Head(TypedDict):
    """The fields that all records of a session share."""

    session: str
    block: int
    position: int
    engine: str


def head(session: Session) -> Head:
    """Who measures, for a record."""
    return {
        "session": session.id,
        "block": session.block,
        "position": session.position,
        "engine": session.engine,
    }


class Bench:
    """One open engine, and the session it is open for."""

    def __init__(
        self, engine: Engine, plan: Plan, session: Session, *, memory_room_bytes: int | None = None
    ) -> None:
        self.engine = engine
        self.plan = plan
        self.session = session
        self._memory_room_bytes = memory_room_bytes
        self.hosts = ALONE
        self.iteration_s: float | None = None
        """Of the fixed-work kernel on an idle core, for the case that is measured now; ``None``
        where it needs none."""
        self.workers = 1 if session.engine == SERIAL else session.workers
        """Tasks of one core that may run at once."""
        self.fastest_s = math.inf
        """Of all calibrations in this session."""
        self._opened_s = time.monotonic()
        self._runs = itertools.count()

    def head(self) -> Head:
        """Who measures, for a record."""
        return head(self.session)

    def label(self) -> str:
        """A new name for a batch of tasks; kernel calls are counted under it."""
        return f"{self.plan.run_id}/{self.session.id}/{next(self._runs)}"

    def calibrate(self) -> float:
        """Seconds of an iteration of the fixed-work kernel, while the engine has nothing to do."""
        wait_until_idle()
        found_s = spin.iteration_s(self.fastest_s)
        self.fastest_s = min(found_s, self.fastest_s)
        return found_s

    def calibrated_s(self) -> float:
        """Of an iteration of the fixed-work kernel.

        Raises:
            ValueError: the experiment does not say that it needs it.
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
        send: Send | None = None,
        returned: int | None = None,
        memory: bool = False,
        spans: bool = True,
    ) -> TaskRun:
        """Submit all tasks, take all results, and say what happened.

        ``items`` is the number of images in the tasks, when they have any.  ``send`` gives them to
        the engine in another way.  Each task returns ``returned`` bytes, where that is said.
        ``memory`` samples memory, processes and threads meanwhile, and ``spans`` keeps a line for
        each task; both are left out where thousands of tiny tasks would be disturbed or drowned by
        them.
        """
        packed: list[PackedTask] = [tuple(task) for task in tasks]
        seen: list[tuple[int, PackedReport, float]] = []
        own_s: list[float] = []
        now = time.monotonic
        killed_before = oom_kills()
        sampler = TreeSampler() if memory else contextlib.nullcontext()
        with sampler as sampled:
            spent_before = self.hosts.spent()
            cpu_before_s = tree_cpu_s()
            submitted_s = time.monotonic()
            results = (
                self.engine.run(run_packed, packed, cpus=cpus, slots=slots)
                if send is None
                else send(packed)
            )
            for index, report in results:
                received_s = now()
                seen.append((index, report, received_s))
                if not index % _TIMED_EVERY:
                    own_s.append(now() - received_s)
            cpu_s = tree_cpu_s() - cpu_before_s
            nodes = self.hosts.used(spent_before, self.hosts.spent())
        killed = oom_kills()
        arrivals = [(index, TaskReport(*report), at_s) for index, report, at_s in seen]
        if not arrivals:
            raise EngineError(f"{self.session.engine} gave back none of {len(tasks)} results")
        reports = [report for _, report, _ in arrivals]
        # Also of workers that died before they could report.
        called = calls.counted({task.case for task in tasks})
        for report in reports:
            called[report.worker] = max(report.call, called.get(report.worker, 0))
        received = Counter(index for index, _, _ in arrivals)
        return TaskRun(
            **self.head(),
            case=case,
            tasks=len(tasks),
            items=len(tasks) if items is None else items,
            submitted_s=submitted_s - self._opened_s,
            makespan_s=arrivals[-1][2] - submitted_s,
            first_result_s=arrivals[0][2] - submitted_s,
            # On a cluster the tree is the driver's alone, and its container's group has it, too.
            cpu_s=sum_or_none(node.cpu_s for node in nodes) if nodes else cpu_s,
            peak_memory_bytes=_peak_bytes(sampled, nodes),
            peak_processes=sampled.peak_processes if sampled else None,
            peak_threads=sampled.peak_threads if sampled else None,
            memory_room_bytes=self._memory_room_bytes,
            oom_kills=(None if killed is None or killed_before is None else killed - killed_before),
            # The median: in one that was interrupted it is not the harness that took so long.
            harness_s=statistics.median(own_s) * len(arrivals) if own_s else 0.0,
            received=tuple(received[index] for index in range(len(tasks))),
            kernel_calls=sum(called.values()),
            set_ups=sum(report.set_up_s > 0 for report in reports),
            hosts=tuple(sorted({report.worker.rpartition(":")[0] for report in reports})),
            nodes=nodes,
            workers_seen=len({_worker(report) for report in reports}),
            threads=tuple(sorted({r.threads for r in reports if r.threads is not None})),
            niceness=tuple(sorted({report.niceness for report in reports})),
            errors=(
                *(report.error for report in reports if report.error is not None),
                *([] if returned is None else _too_few_bytes(reports, returned)),
            ),
            outputs=None if items is None else _outputs(arrivals),
            spans=_spans(arrivals, submitted_s) if spans and self.hosts.one_clock else None,
        )

    def own_trace(self) -> OwnTrace:
        """What the engine itself recorded, on the time axis of the session's runs."""
        recorded = self.engine.own_trace()
        # An engine's record has the time of day; what both clocks say now tells them apart.
        opened_s = time.time() - (time.monotonic() - self._opened_s)
        return OwnTrace(
            **self.head(),
            spans=tuple(
                EngineSpan(one.name, one.worker, one.start_s - opened_s, one.end_s - opened_s)
                for one in recorded
            ),
        )

    def warm_up(self, task: Task) -> tuple[Any, ...]:
        """Run waves of one task a worker until every worker has run one; returns an output of each.

        Raises:
            EngineError: a task failed, or some worker never took one.
        """
        workers = self.engine.workers()
        packed = tuple(task._replace(case=self.label()))
        seen: dict[tuple[str, int], Any] = {}
        for _ in range(_WARM_UP_WAVES):
            for _, told in self.engine.run(run_packed, [packed] * workers):
                report = TaskReport(*told)
                if report.error is not None:
                    last = report.error.strip().splitlines()[-1]
                    raise EngineError(f"the warm-up task failed: {last}\n{report.error}")
                seen[_worker(report)] = report.output
            if len(seen) >= workers:
                return tuple(seen.values())
        raise EngineError(
            f"only {len(seen)} of {workers} workers took a task in {_WARM_UP_WAVES} waves"
        )

    def find_hosts(self, address: str, paths: tuple[str, ...]) -> None:
        """Learn which hosts a cluster has, and make sure that all of them can read these files.

        Raises:
            EngineError: some host cannot read some file.
        """
        places = [Place(*told) for told in self.warm_up(survey.task(self.label(), paths))]
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


def refine(case: Case, **parameters: str | float) -> Case:
    """The case with parameters that were decided while measuring."""
    return dataclasses.replace(case, parameters={**case.parameters, **parameters})


def _peak_bytes(sampled: TreeSampler | None, nodes: Sequence[NodeUse]) -> int | None:
    """The largest that was sampled of this host, and what the other hosts had at the end."""
    if sampled is None:
        return None
    others = sum_or_none(node.memory_bytes for node in nodes if node.role != DRIVER)
    return None if others is None else sampled.peak_bytes + round(others)


def _too_few_bytes(reports: Sequence[TaskReport], wanted: int) -> list[str]:
    found = [len(report.output) for report in reports if report.output is not None]
    return [f"a task returned {size} bytes instead of {wanted}" for size in found if size != wanted]


def _worker(report: TaskReport) -> tuple[str, int]:
    """Some engines' workers are processes, others' are threads of one; both are one thread."""
    return report.worker, report.thread


def _outputs(arrivals: Sequence[Arrival]) -> tuple[str, ...]:
    """The outputs of all tasks, in the order of the inputs; those of a failed task are missing."""
    by_index = {index: report.output or () for index, report, _ in arrivals}
    return tuple(label for index in sorted(by_index) for label in by_index[index])


def _spans(arrivals: Sequence[Arrival], submitted_s: float) -> tuple[Span, ...]:
    workers = sorted({_worker(report) for _, report, _ in arrivals})
    ordinal = {worker: n for n, worker in enumerate(workers)}
    return tuple(
        Span(
            index,
            ordinal[_worker(report)],
            report.started_s - submitted_s,
            report.ended_s - submitted_s,
            received_s - submitted_s,
        )
        for index, report, received_s in arrivals
    )
