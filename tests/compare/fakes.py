"""Runs that never ran: plans as the program makes them, records of engines of known costs."""
# ruff: noqa: ANN401 - fields of records, passed on by name

import random
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, replace
from typing import Any
from unittest import mock

from compare.experiments.fractional import SHARES
from compare.experiments.registry import load_experiment
from compare.options import Dtype, Options
from compare.plan.schedule import Request, make_plan
from compare.records.measurements import (
    Calibration,
    Failure,
    Lifecycle,
    Record,
    Run,
    TaskRun,
    head,
)
from compare.records.plan import CEILING, SERIAL, Job, Plan, Session, Workload, original_of
from tests.compare.fake_bench import (
    ITERATION_S,
    JOB_TASK_S,
    FakeEngine,
    claims,
    session_records,
)

__all__ = ["ENGINES", "ITERATION_S", "SHARES", "FakeEngine"]

ENGINES = {
    CEILING: FakeEngine(chunk_s=0.8, per_task_s=0.00002, fixed_s=0.001, open_s=0.3),
    SERIAL: FakeEngine(chunk_s=0.78, per_task_s=0.00001, fixed_s=0.0001, open_s=0.001),
    "multiprocessing": FakeEngine(chunk_s=0.81, per_task_s=0.00005, open_s=0.2),
    "ray": FakeEngine(chunk_s=0.82, per_task_s=0.0003, fixed_s=0.02, open_s=3.1),
    "dask": FakeEngine(chunk_s=0.83, per_task_s=0.0008, open_s=1.4, slots={0.5: 5}),
    "spark": FakeEngine(
        chunk_s=0.95,
        per_task_s=0.0005,
        fixed_s=0.1,
        open_s=6.2,
        slots={0.5: "a task must ask for 1 core or more", 0.25: 2, 0.1: 2},
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


def job(**changes: Any) -> Job:
    base = Job(
        file="/jobs/letters.py",
        module="",
        name="",
        folder="/jobs",
        sha256="0" * 64,
        label="letters",
        inputs=24,
        inputs_digest="1" * 16,
        input_bytes=100,
        output_bytes=200,
        cpus=1.0,
        has_same=False,
        import_s=0.2,
        load_s=None,
        task_s=JOB_TASK_S,
    )
    return replace(base, **changes)


def plan(**changes: Any) -> Plan:
    """With the sessions that the program plans for the other fields, and for the options."""
    if any(load_experiment(name).needs_job for name in changes.get("experiments", ())):
        changes = {"job": job(), **changes}
    options = {name: changes.pop(name) for name in _OPTIONS & changes.keys()}
    base = Plan(
        run_id="2026-01-02T03-04-05",
        options=Options(**{"seed": 0, **options}),
        engines=(SERIAL, "multiprocessing", "ray", "dask", "spark"),
        experiments=("throughput", "overhead", "fractional"),
        blocks=3,
        workers=2,
        workload=workload(),
        sessions=(),
        missing={},
    )
    bare = _with_options(replace(base, **changes))
    return bare if bare.sessions else replace(bare, sessions=_sessions(bare))


def _with_options(bare: Plan) -> Plan:
    """The options that would have led to the other fields."""
    asked: dict[str, Any] = {
        "engines": ",".join(name for name in bare.engines if original_of(name) == name),
        "experiments": ",".join(bare.experiments),
    }
    if bare.job is not None:
        asked["job"] = bare.job.file
    if bare.workload is not None:
        asked |= {name: getattr(bare.workload, name) for name in ("model", "chunk")}
        asked |= {"n_images": len(bare.workload.images), "dtype": Dtype(bare.workload.dtype)}
    return replace(bare, options=replace(bare.options, **asked))


_OPTIONS = {field.name for field in fields(Options)} - {field.name for field in fields(Plan)}


def _sessions(bare: Plan) -> tuple[Session, ...]:
    request = Request(
        run_id=bare.run_id,
        options=replace(bare.options, blocks=bare.blocks),
        engines=bare.engines,
        experiments=bare.experiments,
        workers=bare.workers,
        workload=bare.workload,
        missing=bare.missing,
        clusters=bare.clusters,
        job=bare.job,
    )
    with mock.patch("compare.plan.schedule.capabilities", claims):
        return make_plan(request).sessions


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


_USUAL_NOISE = 0.01
_MOST_KEPT = 50
_kept: dict[str, Run] = {}


def run(
    of: Plan | None = None,
    *,
    engines: Mapping[str, FakeEngine] = ENGINES,
    noise: float = _USUAL_NOISE,
    block_noise: float = 0.0,
    seed: int = 0,
) -> Run:
    """Every session of the plan run to its end.

    ``noise`` is the sd of the log of each time, ``block_noise`` that of what all times of a block
    have in common.
    """
    of = of or plan()
    if seed or block_noise or noise != _USUAL_NOISE:
        return _made(of, engines, noise, block_noise, seed)
    # Hundreds of tests look at the same few runs, each of which takes a second to make.
    key = repr((of, sorted(engines.items())))
    if key not in _kept:
        if len(_kept) >= _MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = _made(of, engines, noise, block_noise, seed)
    return replace(_kept[key], environment=environment())


def _made(
    of: Plan, engines: Mapping[str, FakeEngine], noise: float, block_noise: float, seed: int
) -> Run:
    rng = random.Random(f"{seed}/{of.run_id}")  # noqa: S311
    slow = {block: rng.lognormvariate(0, block_noise) for block in range(1, of.blocks + 1)}
    records: list[Record] = []
    for session in of.sessions:

        def noisy(seconds: float, factor: float = slow[session.block]) -> float:
            return seconds * factor * rng.lognormvariate(0, noise)

        engine = engines.get(session.engine, FakeEngine())
        records += session_records(of, session, engine, noisy)
    return Run(plan=of, environment=environment(), records=tuple(records))


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


def calibrated(of: Run, session: str, **changes: Any) -> Run:
    """The run with other fields in the Calibration of a session's sweep."""
    return replace(
        of,
        records=tuple(
            replace(record, **changes)
            if isinstance(record, Calibration) and record.session == session
            else record
            for record in of.records
        ),
    )


def disturbed(of: Run, session: str) -> Run:
    """The run where the cores were 1.5 times as slow in the second half of a session's sweep."""
    busy_s = [ITERATION_S * (1.0 if n < 5 else 1.5) for n in range(10)]
    return calibrated(of, session, busy_s=tuple(busy_s))


def failed(of: Run, session: str, reason: str) -> Run:
    """The run where one session failed as a whole and left nothing else."""
    session_of = next(one for one in of.plan.sessions if one.id == session)
    failure = Failure(**head(session_of), case=None, reason=reason)
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
