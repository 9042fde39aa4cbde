"""Decides whether other programs had taken the machine while a session ran.

Only the machine decides, never what an engine did: its CPU time that is not ours, time that the
hypervisor took, and the calibrated speed of a core.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from compare.observations.speed import change, usual_s
from compare.records.measurements import (
    Calibration,
    ElasticityRun,
    FaultRun,
    Lifecycle,
    OwnTrace,
    Record,
    Run,
)
from compare.records.plan import Session

OUTSIDE_SHARE = 0.05
"""Of all cores, like the next limit."""
STOLEN_SHARE = 0.01
_ALL_BUSY = 0.8
"""Busy share of all cores, in the mean of a session, above which other programs make it longer.
Less than 1, because every session has moments in which it needs no core."""
_SLOWER = 1.2
"""Time of the calibrated kernel, relative to the median of the sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What happened to a session."""

    reason: str
    severity: float
    """As a multiple of the limit that was exceeded, to measure the worst session again first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A session that was measured again; its first measurement is kept and not used."""

    session: str
    by: str
    reason: str
    only: tuple[str, ...]
    """The experiments that were measured again; empty if all were."""


def disturbances(records: Iterable[Record], cores: int) -> dict[str, Disturbance]:
    """The disturbed sessions, by id.

    Without sessions in which processes end: the CPU time of one that was killed seems to be that of
    other programs.
    """
    records = tuple(records)
    lifecycles = _usual_lifecycles(records)
    calibrations = {r.session: r for r in records if isinstance(r, Calibration)}
    of_all_s = median([usual_s(one) for one in calibrations.values()] or [0.0])
    found = {}
    for session, life in lifecycles.items():
        candidates = [*_of_machine(life, cores), *_of_speed(calibrations.get(session), of_all_s)]
        if candidates:
            found[session] = max(candidates, key=lambda one: one.severity)
    return found


def taken(records: Iterable[Record], cores: int) -> frozenset[str]:
    """The sessions during which other programs, or the hypervisor, took the cores."""
    lifecycles = _usual_lifecycles(tuple(records))
    return frozenset(session for session, life in lifecycles.items() if _of_machine(life, cores))


def _usual_lifecycles(records: Sequence[Record]) -> dict[str, Lifecycle]:
    """By session, without those in which processes end on purpose."""
    special = {r.session for r in records if isinstance(r, FaultRun | ElasticityRun)}
    return {r.session: r for r in records if isinstance(r, Lifecycle) and r.session not in special}


def outside_share(life: Lifecycle, cores: int) -> float:
    """Share of all cores that other programs used during the session."""
    return (life.host_cpu_s - life.own_cpu_s) / (life.wall_s * cores)


def stolen_share(life: Lifecycle, cores: int) -> float:
    """Share of all cores that the hypervisor gave to other machines during the session."""
    return life.steal_s / (life.wall_s * cores)


def undisturbed_s(life: Lifecycle, cores: int, took_s: float) -> float:
    """About how many seconds a session that took ``took_s`` takes while no other program runs.

    Other programs make it longer only where they leave no core idle.
    """
    busy = life.host_cpu_s / (life.wall_s * cores) + stolen_share(life, cores)
    taken_share = outside_share(life, cores) + stolen_share(life, cores)
    return took_s * (1 - max(0.0, taken_share)) if busy > _ALL_BUSY else took_s


def _of_machine(life: Lifecycle, cores: int) -> list[Disturbance]:
    outside, stolen = outside_share(life, cores), stolen_share(life, cores)
    found = []
    if outside > OUTSIDE_SHARE:
        found.append(
            Disturbance(
                reason=f"other programs used {outside:.0%} of the cores",
                severity=outside / OUTSIDE_SHARE,
            )
        )
    if stolen > STOLEN_SHARE:
        found.append(
            Disturbance(
                reason=f"the hypervisor took {stolen:.1%} of the cores",
                severity=stolen / STOLEN_SHARE,
            )
        )
    return found


def _of_speed(calibration: Calibration | None, of_all_s: float) -> list[Disturbance]:
    if calibration is None:
        return []
    slower = usual_s(calibration) / of_all_s
    if slower > _SLOWER:
        reason = f"a core needed {slower:.0%} of its usual time for the same work"
        return [Disturbance(reason=reason, severity=slower)]
    changed = change(calibration)
    return [] if changed is None else [Disturbance(reason=changed, severity=1.0)]


def settled(run: Run) -> tuple[Run, tuple[Repeated, ...]]:
    """The run with each session that was measured again replaced by its second measurement.

    If that has some of the experiments only, the others stay as they were measured first.  Also
    returns which ones these are.  A second measurement that did not end is left out.
    """
    finished = {record.session for record in run.records if isinstance(record, Lifecycle)}
    again = {
        session.repeats: session
        for session in run.plan.sessions
        if session.repeats is not None and session.id in finished
    }
    if all(session.repeats is None for session in run.plan.sessions):
        return run, ()
    cores = run.environment.get("cores")
    why = disturbances(run.records, cores if isinstance(cores, int) else 1)
    measured_again = {first: _experiments(second) for first, second in again.items()}
    kept = tuple(
        _without(session, measured_again.get(session.id, frozenset()))
        for session in run.plan.sessions
        if session.repeats is None or session.id in finished
    )
    kept = tuple(session for session in kept if session.cases or session.id not in again)
    ids = {session.id for session in kept}
    repeated = tuple(
        Repeated(
            session=first,
            by=second.id,
            reason=_reason(why, first),
            only=tuple(sorted(measured_again[first])) if first in ids else (),
        )
        for first, second in again.items()
    )
    records = tuple(
        record
        for record in run.records
        if record.session in ids
        and _experiment(record) not in measured_again.get(record.session, frozenset())
    )
    return replace(run, plan=replace(run.plan, sessions=kept), records=records), repeated


def _experiments(session: Session) -> frozenset[str]:
    return frozenset(case.experiment for case in session.cases)


def _without(session: Session, experiments: frozenset[str]) -> Session:
    """The session without its cases of these experiments."""
    left = tuple(case for case in session.cases if case.experiment not in experiments)
    return session if len(left) == len(session.cases) else replace(session, cases=left)


def _experiment(record: Record) -> str | None:
    """That of the record's case; ``None`` if it belongs to the whole session."""
    case = None if isinstance(record, Lifecycle | OwnTrace) else record.case
    return None if case is None else case.experiment


def _reason(why: Mapping[str, Disturbance], session: str) -> str:
    return why[session].reason if session in why else "the machine was disturbed"


def repetition(session: Session, experiment: str | None = None) -> Session:
    """The session, to be measured again; if given, only its cases of this experiment.

    Start and stop are reported of the session with all cases, so the other one has a label.
    """
    again = replace(session, id=f"{session.id}-again", repeats=session.id)
    cases = tuple(case for case in session.cases if case.experiment == experiment)
    if experiment is None or cases == session.cases:
        return again
    label = "-".join(filter(None, (session.label, "again")))
    return replace(again, label=label, cases=cases)
