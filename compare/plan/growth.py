"""Decides what to measure next when the planned blocks are done and there is time left."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from compare.experiments.registry import load_experiment
from compare.observations.disturbance import repetition
from compare.observations.metric import FEWEST_BLOCKS
from compare.plan.schedule import REFERENCES, make_block, request_of
from compare.records.plan import Plan, Session

OVERTIME = 0.09
"""Share of the time limit by which the last block may exceed it; without it, the run would on
average end half a block early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What is known after the sessions so far."""

    disturbed: Mapping[str, float]
    """Severity by the id of a disturbed session; not of those that were measured again."""
    widths: Mapping[str, float]
    """By experiment: half the width of the widest interval of a pair of engines, as a share."""
    precision: float
    """The wanted half width, as a share."""


def next_sessions(
    plan: Plan, known: Knowledge, fits: Callable[[Sequence[Session]], bool]
) -> tuple[Session, ...]:
    """The sessions to run next; none if there is nothing that is worth it and fits in the time.

    First the disturbed sessions, each once, those of engines before those of references, and the
    worst first: a disturbed session widens the intervals of all comparisons of its engine.  If
    there is no time for all of them, see `_again`.  They leave time for the blocks without which
    there is no interval.  Then blocks of the experiments that want more of them; then disturbed
    sessions without any experiment that has an interval; then one block of the experiment whose
    intervals are widest, if they are wider than wanted.
    """
    disturbed = _disturbed(plan, known)
    lacking = _time_for_intervals(plan, fits)

    def fit_beside(sessions: Sequence[Session]) -> bool:
        return fits([*sessions, *lacking])

    again = _again(plan, [one for one in disturbed if _has_interval(plan, one)], fit_beside)
    if again is not None:
        return (again,)
    block = _wanted_block(plan, fits)
    if block:
        return block
    again = _again(plan, disturbed, fits)
    if again is not None:
        return (again,)
    wide = {name: width for name, width in known.widths.items() if width > known.precision}
    return _first_that_fits(plan, sorted(wide, key=lambda name: -wide[name]), fits)


def _wanted_block(plan: Plan, fits: Callable[[Sequence[Session]], bool]) -> tuple[Session, ...]:
    """The next block of experiments that want more of them, as many as fit in the time."""
    short = [name for name in plan.experiments if plan.blocks_of(name) < _wanted(plan, name)]
    if not short:
        return ()
    # All of them in one block, unless that takes the time for later blocks of the first one,
    # which is what most readers come for.
    block = _block(plan, short)
    later = _wanted(plan, short[0]) - plan.blocks_of(short[0]) - 1
    if fits([*block, *_block(plan, short[:1]) * later]):
        return tuple(block)
    # Without three blocks there is no interval.  Together they need each engine only once.
    later_blocks = _time_for_intervals(plan, fits, beside=1)
    lacking: list[str] = []
    for name in short:
        block = _block(plan, [*lacking, name])
        if plan.blocks_of(name) < FEWEST_BLOCKS and fits([*block, *later_blocks]):
            lacking.append(name)
    return tuple(_block(plan, lacking)) if lacking else _first_that_fits(plan, short, fits)


def has_time(plan: Plan, block: int, fits: Callable[[Sequence[Session]], bool]) -> bool:
    """Whether there is time for this planned block as a whole.

    It must leave time for the blocks without which there is no interval, where there is time for
    these alone.
    """
    planned = [one for one in plan.sessions if one.block == block and not one.traced]
    done = without_later_blocks(plan, block)
    return fits([*planned, *_time_for_intervals(done, fits, beside=1)])


def _time_for_intervals(
    plan: Plan, fits: Callable[[Sequence[Session]], bool], *, beside: int = 0
) -> list[Session]:
    """The sessions without which experiments have no interval, after the first ``beside`` blocks.

    They are those of the first experiment, and of every further one for which there is time as
    well.  Empty if there is no time for the first one.
    """
    names: list[str] = []
    found: list[Session] = []
    for name in plan.experiments:
        blocks = _lacking_blocks(plan, [*names, name])
        if fits([session for block in blocks for session in block]):
            names.append(name)
            found = [session for block in blocks[beside:] for session in block]
        elif not names:
            return []
    return found


def _lacking_blocks(plan: Plan, names: Sequence[str]) -> list[list[Session]]:
    """The blocks without which one of these experiments has no interval."""
    lacking = {
        name: min(FEWEST_BLOCKS, _wanted(plan, name)) - plan.blocks_of(name) for name in names
    }
    return [
        _block(plan, [name for name in names if lacking[name] > number])
        for number in range(max(0, *lacking.values()))
    ]


def _first_that_fits(
    plan: Plan, names: Sequence[str], fits: Callable[[Sequence[Session]], bool]
) -> tuple[Session, ...]:
    """A block of the first of these experiments for which there is time."""
    blocks = (_block(plan, [name]) for name in names)
    return next((tuple(block) for block in blocks if fits(block)), ())


def _disturbed(plan: Plan, known: Knowledge) -> list[Session]:
    """The disturbed sessions that were not yet measured again, in the order of their urgency."""
    repeated = {session.repeats for session in plan.sessions}
    by_id = {session.id: session for session in plan.sessions}
    left = [
        by_id[name]
        for name in known.disturbed
        if name in by_id
        and name not in repeated
        and by_id[name].repeats is None
        and not by_id[name].traced
    ]
    return sorted(left, key=lambda one: (one.engine in REFERENCES, -known.disturbed[one.id]))


def _again(
    plan: Plan, disturbed: Sequence[Session], fits: Callable[[Sequence[Session]], bool]
) -> Session | None:
    """The next one of these sessions to measure again; ``None`` if there is no time.

    If there is no time for all of them, the references come first, in the first experiment of the
    plan only: every engine is compared with them, and their throughput takes seconds.  Then the
    engines, and if there is no time for all of these either, each in that experiment only:
    throughput shows what others took, and nothing corrects it.
    """
    if disturbed and fits([repetition(one) for one in disturbed]):
        return repetition(disturbed[0])
    references = [one for one in disturbed if one.engine in REFERENCES]
    engines = [one for one in disturbed if one.engine not in REFERENCES]
    part = _part_that_fits(plan, references, fits)
    if part is None and engines and fits([repetition(one) for one in engines]):
        return repetition(engines[0])
    return part or _part_that_fits(plan, engines, fits)


def _part_that_fits(
    plan: Plan, disturbed: Sequence[Session], fits: Callable[[Sequence[Session]], bool]
) -> Session | None:
    """The next one of these sessions for whose main experiment there is time."""
    parts = (repetition(one, _main_experiment(plan, one)) for one in disturbed)
    return next((part for part in parts if fits([part])), None)


def _main_experiment(plan: Plan, session: Session) -> str | None:
    """Of those of the session, the one that comes first in the plan."""
    held = {case.experiment for case in session.cases}
    return next((name for name in plan.experiments if name in held), None)


def _has_interval(plan: Plan, session: Session) -> bool:
    return any(_wanted(plan, case.experiment) >= FEWEST_BLOCKS for case in session.cases)


def without_later_blocks(plan: Plan, block: int) -> Plan:
    """The plan without its blocks from this one on; untimed sessions stay."""
    return plan.with_sessions(
        tuple(session for session in plan.sessions if session.traced or session.block < block)
    )


def _wanted(plan: Plan, experiment: str) -> int:
    return load_experiment(experiment).wanted_blocks(plan.options.preset)


def _block(plan: Plan, experiments: Sequence[str]) -> list[Session]:
    timed = [session for session in plan.sessions if not session.traced]
    block = make_block(request_of(plan), plan.blocks + 1, experiments, timed)
    # Without a case, a session tells start and stop, which have their interval by then.
    return [session for session in block if session.cases or plan.blocks < FEWEST_BLOCKS]
