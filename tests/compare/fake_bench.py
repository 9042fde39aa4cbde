"""A bench with a simulated clock: the real ``measure()`` of every experiment, in milliseconds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from typing_extensions import override

from compare.experiments.registry import load_experiment
from compare.experiments.share_rows import slots as fitting
from compare.measure import job_tasks
from compare.measure.adapters import capabilities
from compare.measure.bench import Bench, Needs, Way
from compare.measure.elasticity import Demand, Limits
from compare.measure.faults import Fault, faulty
from compare.records.measurements import (
    ElasticityRun,
    EngineSpan,
    FaultRun,
    Lifecycle,
    OwnTrace,
    Record,
    TaskRun,
    head,
)
from compare.records.plan import Case, Job, Plan, Session, workers_of
from compare.run.session import measured
from engines._stdlib.loop import SerialEngine
from engines.errors import CpusRejectedError, UnknownEngineError
from engines.interface import Capability, Setting
from engines.parcel import Run
from tests.compare.fake_times import fake_watch, scheduled, slowed
from workload.interface import Task
from workload.kernels import payload, vit_reloading

ITERATION_S = 1e-7
LOAD_S = 1.0
"""Seconds to load the model."""
BYTES_PER_S = 200e6
JOB_TASK_S, PARCEL_S = 0.3, 0.5
"""One task of the user's own job, and one that imports a package."""
_EQUAL_S = {"noop": 0.0, "job": JOB_TASK_S, "parcel": PARCEL_S}
"""Kernels whose tasks all take the same time."""
APART_S = 0.1
"""Between the submissions of two batches that run together."""

Noisy = Callable[[float], float]
"""Seconds, with the noise of the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeEngine:
    """What an engine costs."""

    chunk_s: float = 0.8
    """One task of images, on one worker."""
    fixed_s: float = 0.01
    per_task_s: float = 0.0002
    one_dispatcher: bool = False
    """The cost of a task is paid one after the other, not in each worker."""
    open_s: float = 1.0
    memory_bytes: int = 800_000_000
    slots: Mapping[float, int | str] = field(default_factory=dict)
    """Sleeping tasks at once for a share, if not as many as fit; or the words of refusal."""
    slowdown: float = 3.0
    """Of a task of one core beside others that lie."""
    round_trip_s: float = 0.002
    busy_slowdown: float = 1.0
    """Of fixed work, while all cores are busy."""
    restart_s: float | None = 1.0
    """Without any task, after a fault; ``None``: the engine waits for the lost task for ever."""
    decision_s: float = 0.5
    """From a rise of the demand until the processes of new workers are started."""
    worker_start_s: float = 1.5
    """Of such a process."""


def claims(engine: str) -> frozenset[Capability]:
    """What the real engine claims; everything, if there is none of that name."""
    try:
        return capabilities(engine)
    except UnknownEngineError:
        return frozenset(Capability)


def session_records(
    of: Plan, session: Session, engine: FakeEngine, noisy: Noisy
) -> Iterator[Record]:
    """In the order in which ``compare.run.session.measure`` hands them over."""
    bench = FakeBench(of, session, engine, noisy)
    can = claims(session.engine)
    with (
        mock.patch.object(payload, "task_in", _task_without_bytes),
        mock.patch.object(job_tasks, "_inputs", _inputs_of_no_file),
    ):
        for case in session.cases:
            yield from measured(bench, can, case)
    experiments = [(load_experiment(case.experiment), case) for case in session.cases]
    warmed_up = any(
        (experiment.classifies or experiment.needs_job) and experiment.needs(case) <= can
        for experiment, case in experiments
    )
    if session.traced:
        yield bench.own_trace()
    yield Lifecycle(
        **head(session),
        open_s=noisy(engine.open_s),
        first_result_s=noisy(0.01),
        warm_up_s=noisy(4.0) if warmed_up else None,
        close_s=noisy(0.2),
        engine_workers=workers_of(session.engine, session.workers),
        settings=(Setting(name="workers", value=str(of.workers), reason="the same for all"),),
        leftovers=(),
        host_cpu_s=20.5,
        own_cpu_s=20.0,
        steal_s=0.0,
        wall_s=12.0,
        throttled_periods=0,
        throttled_s=0.0,
        swapped_bytes=0,
    )


def _inputs_of_no_file(job: Job) -> tuple[bytes, ...]:
    return (b"",) * job.inputs


def _task_without_bytes(case: str, size: int, _: int) -> Task:
    return payload.task_out(case, size)


class FakeBench(Bench):
    """Knows how long every kernel takes, and computes when each task would have run."""

    def __init__(
        self, plan: Plan, session: Session, costs: FakeEngine, noisy: Noisy = lambda s: s
    ) -> None:
        super().__init__(SerialEngine(()), plan, session, memory_room_bytes=16_000_000_000)
        self._costs = costs
        self._noisy = noisy
        self._now_s = 1.0
        """Since the engine was open."""
        self._held_cores = 0.0
        """By another batch that runs at the same time."""
        self._demand: tuple[str, float] = ("", 1.0)
        """Kernel and share of the latest batch."""

    @override
    def settle(self) -> None:
        """Nothing runs between two batches."""

    @override
    def calibrate(self, *, patient: bool) -> float:
        self.fastest_s = ITERATION_S
        return ITERATION_S

    @override
    @contextmanager
    def calibrated(self, *, patient: bool) -> Iterator[None]:
        self.iteration_s = self.calibrate(patient=patient)
        self.busy_s = []
        yield

    @override
    def calibrate_busy(self) -> None:
        slowdown = self._costs.busy_slowdown if self.workers > 1 else 1.0
        self.busy_s.append(self._noisy(ITERATION_S * slowdown))

    @override
    def round_trip_s(self, task: Task) -> float:
        took_s = self._noisy(self._costs.round_trip_s)
        self._now_s += took_s
        return took_s

    @override
    def own_trace(self) -> OwnTrace:
        spans = tuple(EngineSpan("task", f"pid {n % 2}", 1.0 + n, 1.5 + n) for n in range(4))
        return OwnTrace(**self.head(), spans=spans)

    @override
    def together(
        self, first: Callable[[], TaskRun], second: Callable[[], TaskRun]
    ) -> tuple[TaskRun, TaskRun]:
        began_s = self._now_s
        one = first()
        kernel, share = self._demand
        self._now_s = began_s + APART_S
        self._held_cores = min(len(one.received) * share, self.workers)
        other = second()
        self._held_cores = 0.0
        if self._demand[0] == "spin" and self._demand[1] < share and kernel == "spin":
            one = slowed(one, self._costs.slowdown)
        self._now_s = max(run.submitted_s + run.makespan_s for run in (one, other))
        return one, other

    @override
    def run(
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
        share = cpus if slots is None else slots
        whole = share == 1.0
        kernel = tasks[0].workload
        at_once = self._at_once(share, tasks, way)
        # A sleep may be too long, never too short.
        factor = max(self._noisy(1.0), 1.0 if kernel in ("sleep", "fragile") else 0.0)
        seconds = [factor * task_s for task_s in self._kernels_s(tasks)]
        lanes = scheduled(seconds, at_once, self._costs.per_task_s) if spans else None
        if lanes is None:
            waits = 1 if needs is None else max(len(needed) for layer in needs for needed in layer)
            makespan_s = self._noisy(self._bulk_s(seconds[0], len(tasks), waits))
        else:
            makespan_s = max(span.received_s for span in lanes)
        if way is Way.AWAITED and lanes is not None:
            lanes = tuple(span._replace(worker=span.worker % self.workers) for span in lanes)
        self._demand = (kernel, share)
        began_s, self._now_s = self._now_s, self._now_s + makespan_s + 0.1
        return TaskRun(
            **self.head(),
            case=case,
            tasks=len(tasks),
            items=len(tasks) if items is None else items,
            submitted_s=began_s,
            makespan_s=makespan_s,
            first_result_s=makespan_s / len(tasks),
            cpu_s=0.1 if kernel == "sleep" else sum(seconds),
            peak_memory_bytes=self._costs.memory_bytes if memory else None,
            peak_processes=len(tasks) + 3 if memory else None,
            peak_threads=4 * len(tasks) if memory else None,
            memory_room_bytes=16_000_000_000,
            oom_kills=0,
            harness_s=1e-7 * len(tasks),
            received=(1,) * len(tasks),
            kernel_calls=len(tasks),
            set_ups=0,
            hosts=("host",),
            nodes=(),
            workers_seen=min(self.workers if whole else at_once, len(tasks)),
            threads=() if items is None else (self.plan.options.threads_per_worker,),
            niceness=(0,),
            errors=(),
            outputs=None if items is None else self._outputs(items, own_job=as_text is not None),
            spans=lanes,
            output_bytes=None if as_text is None else 200,
        )

    @override
    def run_with_fault(
        self, case: Case, tasks: Sequence[Task], fault: Fault, *, deadline_s: float
    ) -> FaultRun:
        restart_s, count = self._costs.restart_s, len(tasks)
        seconds = [self._kernel_s(task) for task in tasks]
        sound_s = [span.end_s for span in scheduled(seconds, self.workers, self._costs.per_task_s)]
        fault_s = sorted(sound_s)[faulty(count)] + seconds[0] / 2
        late_s = [end_s + (restart_s or 0.0) * (end_s > fault_s) for end_s in sound_s]
        lost = restart_s is None
        return FaultRun(
            **self.head(),
            case=case,
            tasks=count,
            verdict="hung" if lost else "finished",
            words="",
            ended_s=deadline_s if lost else max(late_s) + self._costs.per_task_s,
            deadline_s=deadline_s,
            fault_s=fault_s,
            received=tuple(int(not lost or n != faulty(count)) for n in range(count)),
            wrong=0,
            starts=tuple(1 + int(not lost and n == faulty(count)) for n in range(count)),
            completed_s=tuple(sorted(late_s)),
        )

    @override
    def run_elastic(self, case: Case, notes: Path, demand: Demand, limits: Limits) -> ElasticityRun:
        start_s = self._costs.decision_s, self._costs.worker_start_s
        return ElasticityRun(**self.head(), case=case, **fake_watch(case, demand, start_s))

    def _at_once(self, share: float, tasks: Sequence[Task], way: Way) -> int:
        if way is Way.AWAITED:
            return len(tasks)
        if share == 1.0:
            return max(int(self.workers - self._held_cores), 1)
        at_once: int | str = fitting(self.plan.workers, share)
        if tasks[0].workload == "sleep":
            at_once = self._costs.slots.get(share, at_once)
        if isinstance(at_once, str):
            raise CpusRejectedError(at_once)
        return at_once

    def _bulk_s(self, work_s: float, tasks: int, waits: int) -> float:
        """Of so many equal tasks, each of which costs the engine so many times its cost."""
        costs, workers = self._costs, self.workers
        per_task_s = waits * costs.per_task_s
        if costs.one_dispatcher:
            return costs.fixed_s + max(tasks * per_task_s, tasks / workers * work_s)
        return costs.fixed_s + tasks / workers * (per_task_s * workers + work_s)

    def _kernels_s(self, tasks: Sequence[Task]) -> Sequence[float]:
        if tasks.count(tasks[0]) == len(tasks):  # as often as not, and they may be thousands
            return [self._kernel_s(tasks[0])] * len(tasks)
        return [self._kernel_s(task) for task in tasks]

    def _kernel_s(self, task: Task) -> float:
        if task.workload in _EQUAL_S:
            return _EQUAL_S[task.workload]
        if task.workload in ("sleep", "fragile"):
            return float(task.payload if task.workload == "sleep" else task.payload[1])
        if task.workload == "spin":
            slowdown = self._costs.busy_slowdown if self.workers > 1 else 1.0
            return int(task.payload) * ITERATION_S * slowdown
        if task.workload == "pattern":
            return int(task.payload[-1]) * ITERATION_S
        if task.workload == "payload":
            # All bytes pass through the driver, one task after the other.
            return int(task.payload[1]) / BYTES_PER_S * self.workers
        assert self.plan.workload is not None
        image_s = self._costs.chunk_s / self.plan.workload.chunk
        loads = 0
        if task.workload == "vit_reloading":
            loads = len(task.payload) if vit_reloading.PER_IMAGE in task.settings else 1
        return image_s * len(task.payload) + loads * LOAD_S

    def _outputs(self, items: int, *, own_job: bool) -> tuple[str, ...]:
        if own_job:
            return tuple(f"{n:016x}" for n in range(items))
        assert self.plan.workload is not None
        labels = self.plan.workload.labels or [f"label {n % 7}" for n in range(items)]
        return tuple(labels[n % len(labels)] for n in range(items))
