"""Decides what is measured, in which order, before anything is.  No clock, no engine opened."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from compare.experiments import EXPERIMENTS
from compare.experiments.base import Opening, Pace, workers_of
from compare.experiments.timeline import BLOCKING
from compare.presets import PRESETS
from compare.records import CEILING, SERIAL, Case, Plan, Session, Workload, original_of
from engines._stdlib.ceiling import Ceiling
from engines.interface import Capability, Config, Engine
from engines.registry import load_engine

BASELINES = (SERIAL, "multiprocessing")
"""Always measured, with the ceiling, so that every engine has something to be compared with."""

# Seconds a session takes beside its cases: processes started, frameworks and torch imported, the
# model loaded, everything closed.  Seen on a 2-core server; only the estimate depends on it.
_SESSION_S = 5.0
_MODEL_S = 4.5
_CLUSTER_S = 25.0
"""More for containers that are brought up and taken down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked for, checked."""

    engines: Sequence[str]
    experiments: Sequence[str]
    preset: str
    blocks: int | None
    workers: int
    threads_per_worker: int
    config: Config
    seed: int
    native_trace: bool = False
    clusters: Mapping[str, str] = field(default_factory=dict)
    """Addresses, by engine."""
    composed: bool = False
    link_rate: str | None = None
    shipped: bool = False


def make_plan(
    request: Request, run_id: str, workload: Workload | None, missing: Mapping[str, str]
) -> Plan:
    """Shuffled complete blocks: each holds every session once, in an order drawn from the seed."""
    preset = PRESETS[request.preset]
    blocks = request.blocks or preset.blocks
    present = [name for name in request.engines if name not in missing]
    rng = random.Random(request.seed)  # noqa: S311 - an order, not a secret
    sessions: list[Session] = []
    for block in range(1, blocks + 1):
        in_block = [
            session
            for engine in (CEILING, *present)
            for session in _sessions(engine, block, request, workload)
        ]
        rng.shuffle(in_block)
        sessions += in_block
    if request.native_trace:
        # After all that is timed, so that nothing of it is in the way.
        sessions += [
            _traced(engine, blocks, request, workload)
            for engine in present
            if Capability.TRACES in capabilities(engine)
        ]
    return Plan(
        run_id=run_id,
        engines=tuple(request.engines),
        experiments=tuple(request.experiments),
        preset=request.preset,
        blocks=blocks,
        workers=request.workers,
        threads_per_worker=request.threads_per_worker,
        config=request.config,
        seed=request.seed,
        workload=workload,
        sessions=tuple(
            replace(session, position=position) for position, session in enumerate(sessions)
        ),
        missing=dict(missing),
        native_trace=request.native_trace,
        clusters=dict(request.clusters),
        composed=request.composed,
        link_rate=request.link_rate,
        shipped=request.shipped,
    )


def _sessions(
    engine: str, block: int, request: Request, workload: Workload | None
) -> list[Session]:
    """The engine's sessions in one block: one for each way in which it has to be opened."""
    preset = PRESETS[request.preset]
    # Without a case there is still the start, the stop and the memory to measure.
    main = Opening(workers=request.workers)
    found: dict[Opening, list[Case]] = {main: []}
    for name in _asked_of(engine, request, workload):
        experiment = EXPERIMENTS[name]
        if block > max(experiment.blocks(preset), request.blocks or 0):
            continue
        for case in experiment.cases(preset, workload, request.workers):
            # What the engine cannot do needs no session of its own to be said.
            can = experiment.needs(case) <= capabilities(engine)
            opening = experiment.opening(case, request.workers) if can else main
            found.setdefault(opening, []).append(case)
    return [_session(engine, block, opening, cases) for opening, cases in found.items()]


def _traced(engine: str, block: int, request: Request, workload: Workload | None) -> Session:
    """A session that is not timed, in which the engine keeps its own record, too."""
    preset = PRESETS[request.preset]
    cases = [
        case
        for case in EXPERIMENTS["timeline"].cases(preset, workload, request.workers)
        if case.parameters["how"] == BLOCKING
    ]
    if workload is not None:
        cases += EXPERIMENTS["throughput"].cases(preset, workload, request.workers)
    return _session(
        engine, block, Opening(workers=request.workers, traced=True, label="traced"), cases
    )


def _session(engine: str, block: int, opening: Opening, cases: Sequence[Case]) -> Session:
    return Session(
        id="-".join(filter(None, (str(block), engine, opening.label))),
        block=block,
        position=0,
        engine=engine,
        label=opening.label,
        workers=opening.workers,
        smallest_share=opening.smallest_share,
        traced=opening.traced,
        cases=tuple(cases),
    )


def _asked_of(engine: str, request: Request, workload: Workload | None) -> list[str]:
    """The experiments that an engine takes part in."""
    asked = [
        name for name in request.experiments if engine != CEILING or EXPERIMENTS[name].with_ceiling
    ]
    # The labels of the serial engine are the right ones.
    if engine == SERIAL and workload is not None and "throughput" not in asked:
        asked.insert(0, "throughput")
    return asked


def adapter_of(engine: str) -> type[Engine]:
    """What runs an engine of the plan: its adapter, also for its control, or the ceiling."""
    return Ceiling if engine == CEILING else load_engine(original_of(engine))


def capabilities(engine: str) -> frozenset[Capability]:
    """What an engine, or the ceiling, claims."""
    return adapter_of(engine).capabilities


def expected_s(plan: Plan, session: Session, image_s: float) -> float:
    """About how long a session takes when one core needs ``image_s`` for an image."""
    pace = Pace(
        workers=workers_of(session.engine, session.workers),
        image_s=image_s,
        fixed_s=adapter_of(session.engine).fixed_s,
    )
    experiments = [EXPERIMENTS[case.experiment] for case in session.cases]
    classifies = any(experiment.classifies for experiment in experiments)
    return (
        _SESSION_S
        + (_CLUSTER_S if plan.composed else 0.0)
        + (_MODEL_S if classifies else 0.0)
        + sum(
            experiment.expected_s(plan, case, pace)
            for experiment, case in zip(experiments, session.cases, strict=True)
            if experiment.needs(case) <= capabilities(session.engine)
        )
    )
