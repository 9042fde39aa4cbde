"""Decides what is measured, in which order, before anything is.  No clock, no engine opened."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compare.experiments import EXPERIMENTS
from compare.experiments.fractional import SHARES
from compare.presets import PRESETS
from compare.records import CEILING, SERIAL, Case, Plan, Session, Workload
from engines.interface import Capability, Config
from engines.registry import load_engine

BASELINES = (SERIAL, "multiprocessing")
"""Always measured, with the ceiling, so that every engine has something to be compared with."""

# Seconds a session takes beside its cases: processes started, frameworks and torch imported, the
# model loaded, everything closed.  Seen on a 2-core server; only the estimate depends on it.
_SESSION_S = 4.0
_MODEL_S = 4.5


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
            Session(
                id=session.id,
                block=session.block,
                position=position,
                engine=session.engine,
                smallest_share=session.smallest_share,
                cases=session.cases,
            )
            for position, session in enumerate(sessions)
        ),
        missing=dict(missing),
    )


def _sessions(
    engine: str, block: int, request: Request, workload: Workload | None
) -> list[Session]:
    """The engine's sessions in one block.

    Small shares of a core get a session of their own: an engine that sets aside threads or
    processes for them would have them in the way of everything else.
    """
    preset = PRESETS[request.preset]
    whole: list[Case] = []
    shares: list[Case] = []
    for experiment in request.experiments:
        cases = EXPERIMENTS[experiment].cases(preset, workload)
        if experiment != "fractional":
            whole += cases
        elif engine != CEILING and block <= max(preset.fractional_blocks, request.blocks or 0):
            can = Capability.FRACTIONAL_CPUS in load_engine(engine).capabilities
            (shares if can else whole).extend(cases)
    # Without a case there is still the start, the stop and the memory to measure.
    sessions = [_session(f"{block}-{engine}", block, engine, 1.0, whole)]
    if shares:
        name = f"{block}-{engine}-fractional"
        sessions.append(_session(name, block, engine, min(SHARES), shares))
    return sessions


def _session(
    name: str, block: int, engine: str, smallest_share: float, cases: Sequence[Case]
) -> Session:
    return Session(
        id=name,
        block=block,
        position=0,
        engine=engine,
        smallest_share=smallest_share,
        cases=tuple(cases),
    )


def expected_s(plan: Plan, session: Session, image_s: float) -> float:
    """About how long a session takes when one core needs ``image_s`` for an image."""
    workers = 1 if session.engine == SERIAL else plan.workers
    classifies = any(case.experiment == "throughput" for case in session.cases)
    return (
        _SESSION_S
        + (_MODEL_S if classifies else 0.0)
        + sum(
            EXPERIMENTS[case.experiment].expected_s(plan, case, workers, image_s)
            for case in session.cases
        )
    )
