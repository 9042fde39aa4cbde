"""Decides which sessions a run has, and their order.  Uses no clock and opens no engine."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from compare.experiments.experiment import Experiment, Opening, Scope
from compare.experiments.registry import built_in_names, load_experiment
from compare.measure.adapters import capabilities
from compare.observations.metric import FEWEST_BLOCKS
from compare.options import Options, PresetName
from compare.presets import BLOCKS
from compare.records.plan import (
    CEILING,
    FIRST_TURN,
    LAST_TURN,
    SERIAL,
    Case,
    Job,
    Plan,
    Session,
    Workload,
    refine,
    site_of,
)
from engines.interface import Capability

_JITTER = 0.3
"""In relative positions: without it every second block would be the reverse of the one before."""
BASELINES = (SERIAL, "multiprocessing")
"""Always measured, with the ceiling, so that every engine can be compared with something."""
REFERENCES = (SERIAL, CEILING)
"""What a bare call costs is not compared with any engine: three sweeps of each tell it, and later
blocks have time for one more block of the engines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The options, checked and resolved."""

    run_id: str
    options: Options
    engines: Sequence[str]
    experiments: Sequence[str]
    workers: int
    workload: Workload | None
    missing: Mapping[str, str] = field(default_factory=dict)
    """Engines that cannot run here, with the reason."""
    clusters: Mapping[str, str] = field(default_factory=dict)
    """Addresses by engine."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Other forms of engines, each with the engine whose form it is."""
    niceness: int = 0
    job: Job | None = None

    @property
    def present(self) -> tuple[str, ...]:
        """The engines that can run here."""
        return tuple(name for name in self.engines if name not in self.missing)

    @property
    def scope(self) -> Scope:
        """The inputs that determine the cases of an experiment."""
        return Scope(
            preset=self.options.preset,
            workload=self.workload,
            workers=self.workers,
            job=self.job,
        )


def make_plan(request: Request) -> Plan:
    """Make a plan of complete blocks, each with every session once, in a random order.

    The orders even out the positions of the sessions over the blocks, so that a machine that
    becomes slower or faster during a block favours none.  The seed decides them.
    """
    options = request.options
    blocks = options.blocks or BLOCKS.of(options.preset)
    sessions: list[Session] = []
    for block in range(1, blocks + 1):
        sessions += make_block(request, block, due_experiments(request, block), sessions)
    if options.native_trace:
        # After all timed sessions, so that they do not disturb any.
        sessions += [
            _traced(engine, blocks, request)
            for engine in request.present
            if Capability.TRACES in capabilities(engine)
        ]
    return Plan(
        run_id=request.run_id,
        options=options,
        engines=tuple(request.engines),
        experiments=tuple(request.experiments),
        blocks=blocks,
        workers=request.workers,
        workload=request.workload,
        sessions=(),
        missing=dict(request.missing),
        clusters=dict(request.clusters),
        forms=dict(request.forms),
        job=request.job,
        niceness=request.niceness,
    ).with_sessions(tuple(sessions))


def request_of(plan: Plan) -> Request:
    """The request that led to a plan, to add blocks to it."""
    return Request(
        run_id=plan.run_id,
        options=plan.options,
        engines=plan.engines,
        experiments=plan.experiments,
        workers=plan.workers,
        workload=plan.workload,
        missing=plan.missing,
        clusters=plan.clusters,
        forms=plan.forms,
        niceness=plan.niceness,
        job=plan.job,
    )


def due_experiments(request: Request, block: int) -> tuple[str, ...]:
    """The experiments that every run has in this block."""
    options = request.options
    return tuple(
        name
        for name in request.experiments
        if block <= max(load_experiment(name).blocks(options.preset), options.blocks or 0)
    )


def make_block(
    request: Request, block: int, experiments: Sequence[str], before: Sequence[Session]
) -> list[Session]:
    """The sessions of one block with these experiments, after the sessions ``before`` it.

    The ceiling comes first, and a second time at the end if an experiment asks for that: what the
    machine does at both ends of the block is then part of the reference.
    """
    rng = random.Random(f"{request.options.seed}/{block}")  # noqa: S311 - an order, not a secret
    ceiling = _sessions(CEILING, block, experiments, request)
    others = [
        session
        for engine in request.present
        for session in _sessions(engine, block, experiments, request)
    ]
    order = _balanced(others, _places(before), rng)
    last = _second_ceiling(block, experiments, request)
    if last:
        return [*ceiling, *order, *last]
    # With one session of the ceiling, its place is as random as that of the others.
    return _balanced([*ceiling, *others], _places(before), rng)


def _second_ceiling(block: int, experiments: Sequence[str], request: Request) -> list[Session]:
    cases = [
        refine(case, turn=LAST_TURN)
        for experiment in _experiments_of(CEILING, experiments, request)
        if experiment.ceiling_twice
        for case in experiment.cases(request.scope)
    ]
    opening = Opening(workers=request.workers, label=LAST_TURN)
    return [_session(CEILING, block, opening, cases)] if cases and _frames_blocks(request) else []


def _frames_blocks(request: Request) -> bool:
    """A first look has one block and no interval, and its reader waits for it."""
    return request.options.preset is not PresetName.QUICK


def _sessions(
    engine: str, block: int, experiments: Sequence[str], request: Request
) -> list[Session]:
    """The engine's sessions in one block: one for each way in which it has to be opened."""
    # Even without a case, start and stop are measured.
    main = Opening(workers=request.workers)
    site = site_of(engine, request.clusters, request.options)
    cases: dict[Opening, list[Case]] = {main: []}
    for experiment in _experiments_of(engine, experiments, request):
        for case in experiment.cases(request.scope):
            if block > FEWEST_BLOCKS and engine in REFERENCES and experiment.sweeps(case):
                continue
            if block > 1 and engine == CEILING and experiment.ceiling_once:
                continue
            # A case that the engine cannot run here needs no separate session to report that.
            can = experiment.needs(case) <= capabilities(engine)
            can = can and experiment.inapplicable(case, site) is None
            opening = experiment.opening(case, request.workers) if can else main
            twice = engine == CEILING and experiment.ceiling_twice and _frames_blocks(request)
            own = refine(case, turn=FIRST_TURN) if twice else case
            cases.setdefault(opening, []).append(own)
    return [_session(engine, block, opening, own) for opening, own in cases.items()]


def _places(before: Sequence[Session]) -> dict[str, float]:
    """Sums of the relative positions in the blocks so far, for each kind of session."""
    places: dict[str, float] = {}
    for block in dict.fromkeys(session.block for session in before):
        in_block = [session for session in before if session.block == block]
        for place, session in enumerate(in_block):
            relative = place / max(len(in_block) - 1, 1)
            places[_kind(session)] = places.get(_kind(session), 0.0) + relative
    return places


def _kind(session: Session) -> str:
    return f"{session.engine} {session.label}"


def _balanced(
    in_block: Sequence[Session], places: Mapping[str, float], rng: random.Random
) -> list[Session]:
    """A random order in which sessions that came late in earlier blocks come early."""
    due = {
        session.id: rng.uniform(0, _JITTER) - places.get(_kind(session), 0.0)
        for session in in_block
    }
    return sorted(in_block, key=lambda session: due[session.id])


def _traced(engine: str, block: int, request: Request) -> Session:
    """A session that is not timed, in which the engine records its own trace."""
    cases = [
        case
        for name in built_in_names()
        if request.workload is not None or not load_experiment(name).needs_images
        for case in load_experiment(name).traced_cases(load_experiment(name).cases(request.scope))
    ]
    opening = Opening(workers=request.workers, traced=True, label="traced")
    return _session(engine, block, opening, cases)


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
        faults=opening.faults,
        idle_s=opening.idle_s,
        nodes=opening.nodes,
        own_driver=opening.own_driver,
        cases=tuple(cases),
    )


def _experiments_of(engine: str, experiments: Sequence[str], request: Request) -> list[Experiment]:
    """Those of the experiments that an engine takes part in."""
    asked = [load_experiment(name) for name in experiments]
    if engine == CEILING:
        return [experiment for experiment in asked if experiment.with_ceiling]
    if engine == SERIAL and request.workload is not None:
        # The outputs of the serial engine are the reference.
        every = map(load_experiment, built_in_names())
        return [e for e in every if e.gives_reference and e not in asked] + asked
    return asked
