"""Records of runs that never ran: what an engine of known costs would have left behind."""
# ruff: noqa: ANN401 - fields of records, passed on by name

import math
import random
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from compare.records import (
    CEILING,
    SERIAL,
    Calibration,
    Case,
    EngineSpan,
    Failure,
    Lifecycle,
    NotApplicable,
    OwnTrace,
    Plan,
    Record,
    Rejected,
    RoundTrips,
    Run,
    Session,
    Span,
    TaskRun,
    Workload,
)
from engines.interface import Config, Setting

NO_OPS = (200, 400, 800, 1600)
SHARES = (1.0, 0.5, 0.25, 0.1)
ITERATION_S = 1e-7


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
    slots: Mapping[float, int | str] = field(
        default_factory=lambda: {1.0: 2, 0.5: 4, 0.25: 8, 0.1: 20}
    )
    """Tasks at once for each share, or the words of refusal; empty: it has no such thing."""
    awaits: bool = False
    traces: bool = False


ENGINES = {
    CEILING: FakeEngine(chunk_s=0.8, per_task_s=0.00002, fixed_s=0.001, open_s=0.3, slots={}),
    SERIAL: FakeEngine(
        chunk_s=0.78, per_task_s=0.00001, fixed_s=0.0001, open_s=0.001, slots={}, awaits=True
    ),
    "multiprocessing": FakeEngine(chunk_s=0.81, per_task_s=0.00005, open_s=0.2, slots={}),
    "ray": FakeEngine(
        chunk_s=0.82, per_task_s=0.0003, fixed_s=0.02, open_s=3.1, awaits=True, traces=True
    ),
    "dask": FakeEngine(
        chunk_s=0.83,
        per_task_s=0.0008,
        open_s=1.4,
        slots={1.0: 2, 0.5: 5, 0.25: 8, 0.1: 20},
        awaits=True,
        traces=True,
    ),
    "spark": FakeEngine(
        chunk_s=0.95,
        per_task_s=0.0005,
        fixed_s=0.4,
        open_s=6.2,
        slots={1.0: 2, 0.5: "a task must ask for 1 core or more", 0.25: 2, 0.1: 2},
        traces=True,
    ),
}


def workload(**changes: Any) -> Workload:
    images = tuple(f"/photos/{number:03}.jpg" for number in range(48))
    base = Workload(
        model="vit-base",
        model_folder="/models/vit-base",
        dtype="float32",
        images=images,
        images_skipped=(),
        labels=None,
        chunk=4,
        random_weights=True,
    )
    return replace(base, **changes)


def plan(**changes: Any) -> Plan:
    """Shuffled like a real one; its sessions follow from the other fields."""
    base = Plan(
        run_id="2026-01-02T03-04-05",
        engines=(SERIAL, "multiprocessing", "ray", "dask", "spark"),
        experiments=("throughput", "overhead", "fractional"),
        preset="standard",
        blocks=3,
        workers=2,
        threads_per_worker=1,
        config=Config.TUNED,
        seed=0,
        workload=workload(),
        sessions=(),
        missing={},
    )
    bare = replace(base, **changes)
    return bare if bare.sessions else replace(bare, sessions=tuple(_sessions(bare)))


def _sessions(bare: Plan) -> Iterator[Session]:
    rng = random.Random(bare.seed)  # noqa: S311
    position = 0
    for block in range(1, bare.blocks + 1):
        present = [CEILING, *(engine for engine in bare.engines if engine not in bare.missing)]
        rng.shuffle(present)
        for engine in present:
            whole, shares = _cases(bare, engine)
            for suffix, smallest, cases in (("", 1.0, whole), ("-fractional", 0.1, shares)):
                if cases or not suffix:
                    yield Session(
                        id=f"{block}-{engine}{suffix}",
                        block=block,
                        position=position,
                        engine=engine,
                        label=suffix.removeprefix("-"),
                        workers=bare.workers,
                        smallest_share=smallest,
                        traced=False,
                        cases=tuple(cases),
                    )
                    position += 1
    if bare.native_trace:
        for engine in bare.engines:
            if engine not in bare.missing and ENGINES.get(engine, FakeEngine()).traces:
                whole, _ = _cases(replace(bare, experiments=("throughput",)), engine)
                yield Session(
                    id=f"{bare.blocks}-{engine}-traced",
                    block=bare.blocks,
                    position=position,
                    engine=engine,
                    label="traced",
                    workers=bare.workers,
                    smallest_share=1.0,
                    traced=True,
                    cases=(timeline(bare)[0], *whole),
                )
                position += 1


def _cases(bare: Plan, engine: str) -> tuple[list[Case], list[Case]]:
    whole: list[Case] = []
    shares: list[Case] = []
    if "throughput" in bare.experiments and bare.workload is not None:
        chunk = bare.workload.chunk
        whole.append(Case(experiment="throughput", parameters={"chunk": chunk}))
    if "overhead" in bare.experiments:
        whole.append(Case(experiment="overhead", parameters={"budget_s": 1.0}))
        whole.append(Case(experiment="overhead", parameters={"point_s": 0.4}))
    if "fractional" in bare.experiments and engine != CEILING:
        cases = [
            Case(experiment="fractional", parameters={"cpus": cpus, "seconds": 2.0})
            for cpus in SHARES
        ]
        (shares if ENGINES.get(engine, FakeEngine()).slots else whole).extend(cases)
    if "timeline" in bare.experiments:
        whole += timeline(bare)
    return whole, shares


def timeline(bare: Plan) -> list[Case]:
    sizes = {"tasks": 4 * bare.workers, "seconds": 0.5}
    return [
        Case(experiment="timeline", parameters={"how": how, **sizes})
        for how in ("blocking", "awaited")
    ]


def environment(**changes: object) -> dict[str, object]:
    return {
        "cpu_model": "Fake CPU @ 2.00GHz",
        "cores": 2,
        "memory_bytes": 16_000_000_000,
        "platform": "Linux-6.1-x86_64",
        "python": "3.11.7",
        "commit": "0123456789ab",
        "load_average": 0.12,
        "cpu_flags": ["avx2"],
        "versions": {"torch": "2.13.0", "ray": "2.60.0"},
        **changes,
    }


def run(
    of: Plan | None = None,
    *,
    engines: Mapping[str, FakeEngine] = ENGINES,
    noise: float = 0.01,
    seed: int = 0,
) -> Run:
    """Every session of the plan run to its end; ``noise`` is the sd of the log of each time."""
    of = of or plan()
    rng = random.Random(f"{seed}/{of.run_id}")  # noqa: S311
    records: list[Record] = []
    for session in of.sessions:
        engine = engines.get(session.engine, FakeEngine())
        records += _one_after_another(_session_records(of, session, engine, rng, noise))
    return Run(plan=of, environment=environment(), records=tuple(records))


def _one_after_another(records: Iterator[Record]) -> Iterator[Record]:
    """The runs of a session where they stand on its time axis."""
    at_s = 1.0
    for record in records:
        if isinstance(record, TaskRun):
            yield replace(record, submitted_s=at_s)
            at_s += record.makespan_s + 0.1
        else:
            yield record


def changed(of: Run, session: str, **changes: Any) -> Run:
    """The run with other fields in the throughput TaskRun, or the Lifecycle, of one session.

    Which of the two follows from the names of the fields.
    """

    def change(record: Record) -> Record:
        fits = isinstance(record, Lifecycle) or (
            isinstance(record, TaskRun) and record.case.experiment == "throughput"
        )
        has = all(hasattr(record, name) for name in changes)
        return replace(record, **changes) if fits and has and record.session == session else record

    return replace(of, records=tuple(change(record) for record in of.records))


def failed(of: Run, session: str, reason: str) -> Run:
    """The run where one session failed as a whole and left nothing else."""
    lost = next(record for record in of.records if record.session == session)
    failure = Failure(**_head(lost), case=None, reason=reason)
    kept = tuple(record for record in of.records if record.session != session)
    return replace(of, records=(*kept, failure))


def dropped(of: Run, sessions: AbstractSet[str]) -> Run:
    """The run as if these had not been planned."""
    left = tuple(session for session in of.plan.sessions if session.id not in sessions)
    kept = tuple(record for record in of.records if record.session not in sessions)
    return replace(of, plan=replace(of.plan, sessions=left), records=kept)


def interrupted(of: Run, sessions: int) -> Run:
    """The run after its first few sessions."""
    done = {session.id for session in of.plan.sessions[:sessions]}
    return replace(of, records=tuple(r for r in of.records if r.session in done))


def task_run(**changes: Any) -> TaskRun:
    """A valid batch inference of engine ``ray`` on the workload of ``plan()``."""
    whole = run(noise=0.0)
    base = next(
        record
        for record in whole.records
        if isinstance(record, TaskRun)
        and record.engine == "ray"
        and record.case.experiment == "throughput"
    )
    return replace(base, **changes)


def reference() -> TaskRun:
    """What the serial engine makes of the same."""
    return task_run(engine=SERIAL, workers_seen=1)


def _head(of: Session | Record) -> dict[str, Any]:
    session = of.id if isinstance(of, Session) else of.session
    return {
        "session": session,
        "block": of.block,
        "position": of.position,
        "engine": of.engine,
    }


def _session_records(
    of: Plan, session: Session, engine: FakeEngine, rng: random.Random, noise: float
) -> Iterator[Record]:
    def noisy(seconds: float) -> float:
        return seconds * math.exp(rng.gauss(0, noise))

    for case in session.cases:
        if case.experiment == "throughput" and of.workload is not None:
            yield _batch(of, session, case, engine, noisy(1.0))
        if case.experiment == "overhead" and "point_s" in case.parameters:
            yield from _sweep(of, session, case, engine, noisy)
        elif case.experiment == "overhead":
            yield from _overhead(session, engine, noisy)
        if case.experiment == "fractional":
            yield from _shares(of, session, case, engine, noisy)
        if case.experiment == "timeline":
            yield _waits(of, session, case, engine)
    if session.traced:
        spans = tuple(EngineSpan("task", f"pid {n % 2}", 1.0 + n, 1.5 + n) for n in range(4))
        yield OwnTrace(**_head(session), spans=spans)
    yield Lifecycle(
        **_head(session),
        open_s=noisy(engine.open_s),
        first_result_s=noisy(0.01),
        warm_up_s=noisy(4.0) if not session.label and of.workload else None,
        close_s=noisy(0.2),
        engine_workers=1 if session.engine == SERIAL else of.workers,
        settings=(Setting(name="workers", value=str(of.workers), reason="the same for all"),),
        leftovers=(),
        host_cpu_s=20.5,
        own_cpu_s=20.0,
        steal_s=0.0,
        wall_s=12.0,
    )


def _batch(of: Plan, session: Session, case: Case, engine: FakeEngine, factor: float) -> TaskRun:
    assert of.workload is not None
    images, chunk = len(of.workload.images), of.workload.chunk
    tasks = math.ceil(images / chunk)
    workers = 1 if session.engine == SERIAL else of.workers
    task_s, gap_s = engine.chunk_s * factor, engine.per_task_s
    spans = tuple(
        Span(
            index,
            index % workers,
            index // workers * (task_s + gap_s) + gap_s,
            (index // workers + 1) * (task_s + gap_s),
            (index // workers + 1) * (task_s + gap_s) + gap_s,
        )
        for index in range(tasks)
    )
    outputs = of.workload.labels or tuple(f"label {index % 7}" for index in range(images))
    return _task_run(
        session,
        case,
        tasks,
        items=images,
        makespan_s=spans[-1].received_s,
        cpu_s=task_s * tasks,
        peak_memory_bytes=engine.memory_bytes,
        workers_seen=min(workers, tasks),
        threads=(of.threads_per_worker,),
        outputs=outputs,
        spans=spans,
    )


def _overhead(
    session: Session, engine: FakeEngine, noisy: Callable[[float], float]
) -> Iterator[Record]:
    for tasks in NO_OPS:
        case = Case(experiment="overhead", parameters={"tasks": tasks})
        makespan_s = noisy(engine.fixed_s + engine.per_task_s * tasks)
        yield _task_run(session, case, tasks, makespan_s=makespan_s)
    trips = tuple(noisy(engine.per_task_s * 4) for _ in range(250))
    case = Case(experiment="overhead", parameters={"round_trips": 1})
    yield RoundTrips(**_head(session), case=case, samples_s=trips)


def _sweep(
    of: Plan, session: Session, case: Case, engine: FakeEngine, noisy: Callable[[float], float]
) -> Iterator[Record]:
    workers = 1 if session.engine == SERIAL else of.workers
    for step in range(-6, 11):
        iterations = max(1, round(engine.per_task_s * workers * 2.0 ** (step / 2) / ITERATION_S))
        work_s, tasks = iterations * ITERATION_S, 1000 * workers
        if engine.one_dispatcher:
            makespan_s = max(tasks * engine.per_task_s, tasks / workers * work_s)
        else:
            makespan_s = tasks / workers * (engine.per_task_s * workers + work_s)
        sized = replace(case, parameters={**case.parameters, "iterations": iterations})
        yield _task_run(session, sized, tasks, makespan_s=noisy(makespan_s))
    yield Calibration(**_head(session), case=case, before_s=ITERATION_S, after_s=ITERATION_S)


def _shares(
    of: Plan, session: Session, case: Case, engine: FakeEngine, noisy: Callable[[float], float]
) -> Iterator[Record]:
    cpus = float(case.parameters["cpus"])
    slots = engine.slots.get(cpus)
    if slots is None:
        reason = f"{session.engine} has no way to say that a task needs a share of a core"
        yield NotApplicable(**_head(session), case=case, reason=reason)
        return
    for phase in ("cold", "warm"):
        phased = replace(case, parameters={**case.parameters, "phase": phase})
        if isinstance(slots, str):
            yield Rejected(**_head(session), case=phased, words=slots)
            continue
        tasks = round(of.workers / cpus)
        spans = tuple(
            Span(i, i % slots, i // slots * 2.0 + 0.01, i // slots * 2.0 + 2.01, 2.5)
            for i in range(max(tasks, slots))
        )
        waves = math.ceil(tasks / slots)
        yield _task_run(
            session,
            phased,
            len(spans),
            makespan_s=noisy(2.02 * waves),
            cpu_s=0.1,
            peak_memory_bytes=engine.memory_bytes,
            peak_processes=tasks + 3,
            peak_threads=4 * tasks,
            spans=spans,
        )
    if not isinstance(slots, str):
        after = replace(case, parameters={**case.parameters, "phase": "after"})
        spans = tuple(Span(i, i, 0.01, 0.51, 0.52) for i in range(of.workers))
        yield _task_run(session, after, of.workers, makespan_s=0.52, spans=spans)


def _waits(of: Plan, session: Session, case: Case, engine: FakeEngine) -> Record:
    awaited = case.parameters["how"] == "awaited"
    if awaited and not engine.awaits:
        reason = f"{session.engine} has no way to let a task wait without its worker waiting, too"
        return NotApplicable(**_head(session), case=case, reason=reason)
    tasks, seconds = int(case.parameters["tasks"]), float(case.parameters["seconds"])
    workers = 1 if session.engine == SERIAL else of.workers
    spans = []
    for task in range(tasks):
        wave = 0 if awaited else task // workers
        start_s = 0.01 + wave * (seconds + 0.002) + task * 0.0001
        spans.append(
            Span(task, task % workers, start_s, start_s + seconds, start_s + seconds + 0.001)
        )
    return _task_run(
        session,
        case,
        tasks,
        makespan_s=spans[-1].received_s,
        workers_seen=workers,
        spans=tuple(spans),
    )


def _task_run(session: Session, case: Case, tasks: int, **fields: Any) -> TaskRun:
    given: dict[str, Any] = {
        "items": tasks,
        "first_result_s": fields["makespan_s"] / tasks,
        "cpu_s": fields["makespan_s"],
        "submitted_s": 0.0,
        "peak_memory_bytes": None,
        "peak_processes": None,
        "peak_threads": None,
        "set_ups": 0,
        "received": (1,) * tasks,
        "kernel_calls": tasks,
        "workers_seen": 1,
        "threads": (),
        "niceness": (0,),
        "errors": (),
        "outputs": None,
        "spans": None,
        **fields,
    }
    return TaskRun(**_head(session), case=case, tasks=tasks, **given)
