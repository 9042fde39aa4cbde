"""What an engine of known costs would leave behind of each experiment, had it been measured."""
# ruff: noqa: ANN401 - fields of records, passed on by name

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from compare.bench import refine
from compare.experiments import EXPERIMENTS
from compare.experiments.base import lacking, workers_of
from compare.experiments.dependencies import TREE
from compare.experiments.fractional import AFTER, COLD, WARM, resource_of, slots
from compare.experiments.hybrid import IMAGES, IMAGES_TOGETHER, NAPS, NAPS_TOGETHER
from compare.experiments.imbalance import durations_s
from compare.experiments.lying import ALONE, HONEST, LYING
from compare.experiments.overhead import is_sweep
from compare.experiments.payload import BATCHES
from compare.experiments.residency import PER
from compare.experiments.timeline import AWAITED
from compare.plan import capabilities
from compare.records import (
    Calibration,
    Case,
    EngineSpan,
    Lifecycle,
    NotApplicable,
    OwnTrace,
    Plan,
    Record,
    Rejected,
    RoundTrips,
    Session,
    Span,
    TaskRun,
)
from engines.errors import UnknownEngineError
from engines.interface import Capability, Setting

NO_OPS = (200, 400, 800, 1600)
ITERATION_S = 1e-7
LOAD_S = 1.0
"""To load the model."""
BYTES_PER_S = 200e6

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
    """Tasks at once for a share where they are not as many as fit, or the words of refusal."""
    slowdown: float = 3.0
    """Of a task of one core beside others that lie."""
    round_trips: int = 250


def claims(engine: str) -> frozenset[Capability]:
    """What the real engine claims; everything, if there is none of that name."""
    try:
        return capabilities(engine)
    except UnknownEngineError:
        return frozenset(Capability)


def head(of: Session | Record) -> dict[str, Any]:
    session = of.id if isinstance(of, Session) else of.session
    return {
        "session": session,
        "block": of.block,
        "position": of.position,
        "engine": of.engine,
    }


def session_records(
    of: Plan, session: Session, engine: FakeEngine, noisy: Noisy
) -> Iterator[Record]:
    """In the order in which ``compare.session.measure`` hands them over."""
    one = _Measured(of, session, engine, noisy)
    can = claims(session.engine)
    classified = False
    for case in session.cases:
        experiment = EXPERIMENTS[case.experiment]
        reason = lacking(session.engine, can, experiment.needs(case))
        if reason is not None:
            yield NotApplicable(**head(session), case=case, reason=reason)
            continue
        classified |= experiment.classifies
        yield from getattr(one, case.experiment)(case)
        if experiment.calibrated(case):
            yield Calibration(**head(session), case=case, before_s=ITERATION_S, after_s=ITERATION_S)
    if session.traced:
        spans = tuple(EngineSpan("task", f"pid {n % 2}", 1.0 + n, 1.5 + n) for n in range(4))
        yield OwnTrace(**head(session), spans=spans)
    yield Lifecycle(
        **head(session),
        open_s=noisy(engine.open_s),
        first_result_s=noisy(0.01),
        warm_up_s=noisy(4.0) if classified else None,
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


class _Measured:
    """A method for each experiment, by its name."""

    def __init__(self, of: Plan, session: Session, engine: FakeEngine, noisy: Noisy) -> None:
        self._plan = of
        self._session = session
        self._engine = engine
        self._noisy = noisy
        self._workers = workers_of(session.engine, session.workers)
        self._began_s = 0.0
        self._ended_s = 0.9
        """Of the last run, on the time axis of the session."""

    def throughput(self, case: Case) -> Iterator[Record]:
        assert self._plan.workload is not None
        images, chunk = len(self._plan.workload.images), self._plan.workload.chunk
        yield self._images(case, images, chunk, peak_memory_bytes=self._engine.memory_bytes)

    def overhead(self, case: Case) -> Iterator[Record]:
        if is_sweep(case):
            yield from self._sweep(case)
            return
        for tasks in NO_OPS:
            makespan_s = self._noisy(self._engine.fixed_s + self._engine.per_task_s * tasks)
            yield self._task_run(refine(case, tasks=tasks), tasks, makespan_s=makespan_s)
        count = self._engine.round_trips
        trips = tuple(self._noisy(self._engine.per_task_s * 4) for _ in range(count))
        yield RoundTrips(**head(self._session), case=case, samples_s=trips)

    def submission(self, case: Case) -> Iterator[Record]:
        return self._sweep(case)

    def dependencies(self, case: Case) -> Iterator[Record]:
        return self._sweep(case, waits=2 if case.parameters["pattern"] == TREE else 3)

    def fractional(self, case: Case) -> Iterator[Record]:
        _, share = resource_of(case)
        fitting = slots(self._plan.workers, share)
        at_once = self._engine.slots.get(share, fitting)
        phases = [refine(case, phase=phase) for phase in (COLD, WARM)]
        after = refine(case, phase=AFTER)
        if isinstance(at_once, str):
            for phase in (*phases, after):
                yield Rejected(**head(self._session), case=phase, words=at_once)
            return
        naps = [float(case.parameters["seconds"])] * fitting
        naps += [float(case.parameters["probe_seconds"])] * max(1, fitting // 4)
        for phase in phases:
            yield self._slept(
                phase,
                naps,
                at_once,
                cpu_s=0.1,
                peak_memory_bytes=self._engine.memory_bytes,
                peak_processes=len(naps) + 3,
                peak_threads=4 * len(naps),
            )
        yield self._slept(after, [0.2] * self._plan.workers, self._workers)

    matrix = fractional

    def lying(self, case: Case) -> Iterator[Record]:
        work_s = float(case.parameters["work_s"])
        others = 10 * max(self._plan.workers - 1, 1)
        yield self._slept(refine(case, part=ALONE), [work_s], 1)
        for part, factor in ((HONEST, 1.0), (LYING, self._engine.slowdown)):
            yield self._slept(refine(case, part=part), [work_s * factor], 1)
            crowd = refine(case, part=f"{part} others")
            yield self._slept(crowd, [2 * work_s * factor] * others, others, beside=True)

    def hybrid(self, case: Case) -> Iterator[Record]:
        count, sleeping = int(case.parameters["images"]), int(case.parameters["naps"])
        alone = self._images(refine(case, part=IMAGES), count, 1)
        yield alone
        naps = [1.5 * alone.makespan_s] * sleeping
        yield self._slept(refine(case, part=NAPS), naps, sleeping)
        yield self._slept(refine(case, part=NAPS_TOGETHER), naps, sleeping)
        # The naps hold a part of one core.
        left = max(self._workers - 1, 1)
        together = refine(case, part=IMAGES_TOGETHER)
        yield self._images(together, count, 1, workers=left, beside=True)

    def granularity(self, case: Case) -> Iterator[Record]:
        yield self._images(case, int(case.parameters["images"]), int(case.parameters["chunk"]))

    def residency(self, case: Case) -> Iterator[Record]:
        count, chunk = int(case.parameters["images"]), int(case.parameters["chunk"])
        for per, loads in zip(PER, (chunk, 1, 0), strict=True):
            yield self._images(refine(case, part=per), count, chunk, loads=loads)

    def scaling(self, case: Case) -> Iterator[Record]:
        yield self._images(case, int(case.parameters["images"]), 1)

    def imbalance(self, case: Case) -> Iterator[Record]:
        naps = durations_s(case, self._plan.seed, self._session.block)
        yield self._slept(case, naps, self._workers)

    def payload(self, case: Case) -> Iterator[Record]:
        size, tasks = int(case.parameters["bytes"]), 4 * self._plan.workers
        makespan_s = tasks * (self._engine.per_task_s + size / BYTES_PER_S)
        for part, slower in zip(BATCHES, (9, 1, 1), strict=True):
            yield self._task_run(
                refine(case, part=part), tasks, makespan_s=slower * self._noisy(makespan_s)
            )

    def timeline(self, case: Case) -> Iterator[Record]:
        tasks, seconds = int(case.parameters["tasks"]), float(case.parameters["seconds"])
        if case.parameters["how"] != AWAITED:
            yield self._slept(case, [seconds] * tasks, self._workers)
            return
        # All at once, and no more workers than there are.
        run = self._slept(case, [seconds] * tasks, tasks)
        spans = tuple(span._replace(worker=span.worker % self._workers) for span in run.spans or ())
        yield replace(run, spans=spans, workers_seen=self._workers)

    def _sweep(self, case: Case, waits: int = 1) -> Iterator[Record]:
        engine, workers = self._engine, self._workers
        per_task_s = waits * engine.per_task_s
        for step in range(-6, 11):
            iterations = max(1, round(per_task_s * workers * 2.0 ** (step / 2) / ITERATION_S))
            work_s, tasks = iterations * ITERATION_S, 1000 * workers
            if engine.one_dispatcher:
                makespan_s = max(tasks * per_task_s, tasks / workers * work_s)
            else:
                makespan_s = tasks / workers * (per_task_s * workers + work_s)
            sized = refine(case, iterations=iterations)
            yield self._task_run(sized, tasks, makespan_s=self._noisy(makespan_s))

    def _images(
        self,
        case: Case,
        images: int,
        chunk: int,
        *,
        loads: int = 0,
        workers: int | None = None,
        **fields: Any,
    ) -> TaskRun:
        """The first images in chunks; ``loads`` models are loaded for each."""
        assert self._plan.workload is not None
        image_s = self._engine.chunk_s / self._plan.workload.chunk
        factor = self._noisy(1.0)
        tasks = [
            factor * (image_s * min(chunk, images - first) + loads * LOAD_S)
            for first in range(0, images, chunk)
        ]
        used = workers or self._workers
        spans = _scheduled(tasks, used, self._engine.per_task_s)
        labels = self._plan.workload.labels or [f"label {n % 7}" for n in range(images)]
        return self._task_run(
            case,
            len(tasks),
            items=images,
            makespan_s=max(span.received_s for span in spans),
            cpu_s=sum(tasks),
            set_ups=loads * len(tasks),
            workers_seen=min(self._workers, len(tasks)),
            threads=(self._plan.threads_per_worker,),
            outputs=tuple(labels[:images]),
            spans=spans,
            **fields,
        )

    def _slept(self, case: Case, seconds: Sequence[float], at_once: int, **fields: Any) -> TaskRun:
        spans = _scheduled(list(map(self._noisy, seconds)), at_once, self._engine.per_task_s)
        return self._task_run(
            case,
            len(seconds),
            makespan_s=max(span.received_s for span in spans),
            workers_seen=min(at_once, len(seconds)),
            spans=spans,
            **fields,
        )

    def _task_run(self, case: Case, tasks: int, *, beside: bool = False, **fields: Any) -> TaskRun:
        """After the one before, or ``beside`` it."""
        self._began_s = (self._began_s if beside else self._ended_s) + 0.1
        self._ended_s = max(self._ended_s, self._began_s + fields["makespan_s"])
        given: dict[str, Any] = {
            "items": tasks,
            "first_result_s": fields["makespan_s"] / tasks,
            "cpu_s": fields["makespan_s"],
            "submitted_s": self._began_s,
            "peak_memory_bytes": None,
            "peak_processes": None,
            "peak_threads": None,
            "memory_room_bytes": 16_000_000_000,
            "oom_kills": 0,
            "harness_s": 1e-7 * tasks,
            "set_ups": 0,
            "received": (1,) * tasks,
            "kernel_calls": tasks,
            "hosts": ("host",),
            "nodes": (),
            "workers_seen": 1,
            "threads": (),
            "niceness": (0,),
            "errors": (),
            "outputs": None,
            "spans": None,
            **fields,
        }
        return TaskRun(**head(self._session), case=case, tasks=tasks, **given)


def _scheduled(seconds: Sequence[float], places: int, gap_s: float) -> tuple[Span, ...]:
    """Tasks in order, each on the place that is free first; the engine needs ``gap_s`` before a
    task, and after it until its result is in the driver.
    """
    free_s = [0.0] * places
    spans = []
    for task, length_s in enumerate(seconds):
        place = min(range(places), key=lambda n: free_s[n])
        start_s = free_s[place] + gap_s
        free_s[place] = start_s + length_s
        spans.append(Span(task, place, start_s, free_s[place], free_s[place] + gap_s))
    return tuple(spans)
