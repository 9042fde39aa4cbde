"""Decides which sessions a run has, and their order.  Uses no clock and opens no engine."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from compare.experiments.experiment import Experiment, Opening, Scope
from compare.experiments.registry import built_in_names, load_experiment
from compare.measure.adapters import capabilities
from compare.options import Options
from compare.presets import BLOCKS
from compare.records.plan import CEILING, SERIAL, Case, Plan, Session, Workload
from engines.interface import Capability

_JITTER = 0.3
"""In relative positions: without it every second block would be the reverse of the one before."""
BASELINES = (SERIAL, "multiprocessing")
"""Always measured, with the ceiling, so that every engine can be compared with something."""


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
    niceness: int = 0

    @property
    def scope(self) -> Scope:
        """The inputs that determine the cases of an experiment."""
        return Scope(preset=self.options.preset, workload=self.workload, workers=self.workers)


def make_plan(request: Request) -> Plan:
    """Make a plan of complete blocks, each with every session once, in a random order.

    The orders even out the positions of the sessions over the blocks, so that a machine that
    becomes slower or faster during a block favours none.  The seed decides them.
    """
    options = request.options
    blocks = options.blocks or BLOCKS.of(options.preset)
    present = [name for name in request.engines if name not in request.missing]
    rng = random.Random(options.seed)  # noqa: S311 - an order, not a secret
    sessions: list[Session] = []
    places: dict[str, float] = {}
    for block in range(1, blocks + 1):
        in_block = [
            session
            for engine in (CEILING, *present)
            for session in _sessions(engine, block, request)
        ]
        sessions += _balanced(in_block, places, rng)
    if options.native_trace:
        # After all timed sessions, so that they do not disturb any.
        sessions += [
            _traced(engine, blocks, request)
            for engine in present
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
        sessions=tuple(
            replace(session, position=position) for position, session in enumerate(sessions)
        ),
        missing=dict(request.missing),
        clusters=dict(request.clusters),
        niceness=request.niceness,
    )


def _sessions(engine: str, block: int, request: Request) -> list[Session]:
    """The engine's sessions in one block: one for each way in which it has to be opened."""
    # Even without a case, start and stop are measured.
    main = Opening(workers=request.workers)
    cases: dict[Opening, list[Case]] = {main: []}
    for experiment in _experiments_of(engine, request):
        wanted = experiment.blocks(request.options.preset)
        if block > max(wanted, request.options.blocks or 0):
            continue
        for case in experiment.cases(request.scope):
            # A case that the engine cannot run needs no separate session to report that.
            can = experiment.needs(case) <= capabilities(engine)
            opening = experiment.opening(case, request.workers) if can else main
            cases.setdefault(opening, []).append(case)
    return [_session(engine, block, opening, own) for opening, own in cases.items()]


def _balanced(
    in_block: Sequence[Session], places: dict[str, float], rng: random.Random
) -> list[Session]:
    """A random order in which sessions that came late in earlier blocks come early.

    ``places`` holds the sum of the relative positions of each kind of session, and is updated.
    """

    def kind(session: Session) -> str:
        return f"{session.engine} {session.label}"

    due = {
        session.id: rng.uniform(0, _JITTER) - places.get(kind(session), 0.0) for session in in_block
    }
    order = sorted(in_block, key=lambda session: due[session.id])
    for place, session in enumerate(order):
        relative = place / max(len(order) - 1, 1)
        places[kind(session)] = places.get(kind(session), 0.0) + relative
    return order


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
        cases=tuple(cases),
    )


def _experiments_of(engine: str, request: Request) -> list[Experiment]:
    """The experiments that an engine takes part in."""
    asked = [load_experiment(name) for name in request.experiments]
    if engine == CEILING:
        return [experiment for experiment in asked if experiment.with_ceiling]
    if engine == SERIAL and request.workload is not None:
        # The outputs of the serial engine are the reference.
        every = map(load_experiment, built_in_names())
        return [e for e in every if e.gives_reference and e not in asked] + asked
    return asked
