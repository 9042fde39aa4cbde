"""What each planned block says about a case on an engine: a measurement, or why there is none.

Sorts records; computes no estimate.
"""

import enum
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from compare.experiments.base import workers_of
from compare.experiments.overhead import is_sweep
from compare.gates import disturbed, invalid_reasons
from compare.granularity import Point, point
from compare.records import (
    CEILING,
    SERIAL,
    Calibration,
    Case,
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
    TaskRun,
)

_T = TypeVar("_T")


class Why(enum.StrEnum):
    """Kinds of absence, the gravest first.  The value is the word that the report prints."""

    INVALID = "INVALID"
    MISSING = "not run"
    FAILED = "failed"
    DISTURBED = "disturbed"
    NOT_APPLICABLE = "not applicable"
    REJECTED = "rejected"
    NOT_GIVEN = "not given"
    PENDING = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Why a planned block gives no number."""

    why: Why
    reason: str

    def __str__(self) -> str:
        return f"{self.why}: {self.reason}"


Runs: TypeAlias = Mapping[str, TaskRun]
"""The runs of one case in one block, by the name of their part."""
Observed: TypeAlias = Mapping[int, _T | Absence]
"""One entry for each planned block, by its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """What one block tells of the overhead experiment."""

    no_ops: tuple[TaskRun, ...]
    round_trips_s: tuple[float, ...]


def timed(plan: Plan) -> tuple[Session, ...]:
    """The sessions that numbers may come from: those in which an engine keeps a record of its own
    are there to look at.
    """
    return tuple(session for session in plan.sessions if not session.traced)


def engines(plan: Plan) -> tuple[str, ...]:
    """All that get rows: the ceiling first, then as in the plan, then what is missing."""
    measured = {session.engine for session in timed(plan)}
    first = (CEILING,) if CEILING in measured else ()
    return tuple(dict.fromkeys((*first, *plan.engines, *plan.missing)))


def planned_cases(plan: Plan, engine: str) -> tuple[Case, ...]:
    """What the engine measures; of a missing one, what it would have: everything."""
    everything = engine in plan.missing
    return _distinct(
        case
        for session in timed(plan)
        if everything or session.engine == engine
        for case in session.cases
    )


def valid(observed: Observed[_T]) -> dict[int, _T]:
    """The measurements among them, by block."""
    return {block: o for block, o in observed.items() if not isinstance(o, Absence)}


def absent(observed: Observed[_T]) -> dict[int, Absence]:
    """The absences among them, by block."""
    return {block: o for block, o in observed.items() if isinstance(o, Absence)}


class Observations:
    """The records of a run, by what was planned."""

    def __init__(self, run: Run) -> None:
        self.plan = run.plan
        self._sessions = {session.id: session for session in run.plan.sessions}
        self._by_session: dict[str, list[Record]] = {s.id: [] for s in run.plan.sessions}
        for record in run.records:
            self._by_session.setdefault(record.session, []).append(record)

    def throughput(self, engine: str) -> Observed[TaskRun]:
        """The batch inference of each block."""
        return self._observe(engine, _is("throughput"), self._one_task_run)

    def share(self, engine: str, planned: Case, phase: str) -> Observed[TaskRun]:
        """The wave of tasks that asked for this share, of each block."""

        def is_case(case: Case) -> bool:
            # A failure, and what is not applicable, has the case as planned: without the phase.
            return refines(case, planned) and case.parameters.get("phase", phase) == phase

        return self._observe(engine, is_case, self._one_task_run)

    def runs(self, engine: str, planned: Case, parts: tuple[str, ...]) -> Observed[Runs]:
        """All runs of a case by the name of their part, of each block that has all parts."""

        def read(records: list[Record]) -> Runs | Absence | None:
            found = {
                str(record.case.parameters.get("part", "")): record
                for record in records
                if isinstance(record, TaskRun)
            }
            if not found.keys() >= set(parts):
                return None
            for run in found.values():
                if (broken := self._invalid(run)) is not None:
                    return broken
            return found

        return self._observe(engine, lambda case: refines(case, planned), read)

    def overhead(self, engine: str) -> Observed[Overhead]:
        """The no-ops and round trips of each block."""
        return self._observe(engine, _is_cost, self._overhead)

    def sweep(self, engine: str, planned: Case) -> Observed[tuple[Point, ...]]:
        """Granularity and efficiency of each task size of each block."""
        return self._observe(engine, lambda case: refines(case, planned), self._sweep)

    def lifecycle(self, engine: str) -> Observed[Lifecycle]:
        """Start and stop of the engine's main sessions."""
        return self._observe(engine, None, _lifecycle)

    def unfinished(self) -> tuple[Session, ...]:
        """Sessions that neither ran to their end nor failed as a whole."""
        return tuple(
            session
            for session in self.plan.sessions
            if not any(
                isinstance(record, Lifecycle) or _failed_whole(record)
                for record in self._by_session[session.id]
            )
        )

    def _observe(
        self,
        engine: str,
        is_case: Callable[[Case], bool] | None,
        read: Callable[[list[Record]], _T | Absence | None],
    ) -> Observed[_T]:
        missing = self.plan.missing.get(engine)
        if missing is not None:
            absence = Absence(why=Why.MISSING, reason=missing)
            return dict.fromkeys(range(1, self.plan.blocks + 1), absence)
        observed: dict[int, _T | Absence] = {}
        for session in timed(self.plan):
            if session.engine == engine and _holds(session, is_case):
                records = self._by_session[session.id]
                about = _last_attempt([record for record in records if _about(record, is_case)])
                observed[session.block] = read(about) or _absence(about)
        return observed

    def _one_task_run(self, records: list[Record]) -> TaskRun | Absence | None:
        runs = [record for record in records if isinstance(record, TaskRun)]
        return None if not runs else self._invalid(runs[-1]) or runs[-1]

    def _overhead(self, records: list[Record]) -> Overhead | Absence | None:
        no_ops = tuple(record for record in records if isinstance(record, TaskRun))
        round_trips = [record for record in records if isinstance(record, RoundTrips)]
        if not round_trips:  # they come last: without them, not all of the no-ops are there
            return None
        for no_op in no_ops:
            if (broken := self._invalid(no_op)) is not None:
                return broken
        return Overhead(no_ops=no_ops, round_trips_s=round_trips[-1].samples_s)

    def _sweep(self, records: list[Record]) -> tuple[Point, ...] | Absence | None:
        calibration = next((r for r in records if isinstance(r, Calibration)), None)
        runs = [record for record in records if isinstance(record, TaskRun)]
        if calibration is None or not runs:  # it comes last: without it the sweep is incomplete
            return None
        for run in runs:
            if (broken := self._invalid(run)) is not None:
                return broken
        iteration_s = (calibration.before_s + calibration.after_s) / 2
        points = tuple(
            point(
                makespan_s=run.makespan_s,
                workers=self._workers(run),
                tasks=run.tasks,
                work_s=int(run.case.parameters["iterations"]) * iteration_s,
            )
            for run in _fastest_of_each_size(runs)
        )
        reason = disturbed(points, calibration)
        return points if reason is None else Absence(why=Why.DISTURBED, reason=reason)

    def _invalid(self, run: TaskRun) -> Absence | None:
        reference = self._reference if run is not self._reference else None
        reasons = invalid_reasons(run, reference, self.plan, self._workers(run))
        return Absence(why=Why.INVALID, reason="; ".join(reasons)) if reasons else None

    def _workers(self, run: TaskRun) -> int:
        return workers_of(run.engine, self._sessions[run.session].workers)

    @functools.cached_property
    def _reference(self) -> TaskRun | None:
        """The first valid run of the serial engine over all images."""
        return next(
            (
                record
                for session in timed(self.plan)
                for record in self._by_session[session.id]
                if isinstance(record, TaskRun)
                and record.engine == SERIAL
                and record.case.experiment == "throughput"
                and not invalid_reasons(record, None, self.plan, 1)
            ),
            None,
        )


def refines(case: Case, planned: Case) -> bool:
    """The case is the planned one, perhaps with parameters decided while measuring."""
    return (
        case.experiment == planned.experiment
        and case.parameters.items() >= planned.parameters.items()
    )


def _is_cost(case: Case) -> bool:
    return case.experiment == "overhead" and not is_sweep(case)


def _is(experiment: str) -> Callable[[Case], bool]:
    return lambda case: case.experiment == experiment


def _holds(session: Session, is_case: Callable[[Case], bool] | None) -> bool:
    if is_case is None:
        return not session.label
    return any(is_case(case) for case in session.cases)


def _about(record: Record, is_case: Callable[[Case], bool] | None) -> bool:
    """The record is of the case, or of the whole session."""
    if isinstance(record, Lifecycle) or _failed_whole(record):
        return True
    case = None if isinstance(record, Lifecycle | OwnTrace) else record.case
    return is_case is not None and case is not None and is_case(case)


def _failed_whole(record: Record) -> bool:
    return isinstance(record, Failure) and record.case is None


def _lifecycle(records: list[Record]) -> Lifecycle | None:
    return next((record for record in records if isinstance(record, Lifecycle)), None)


def _absence(records: list[Record]) -> Absence:
    """Why the records, none of which is a complete measurement, hold none."""
    for record in records:
        if isinstance(record, NotApplicable):
            return Absence(why=Why.NOT_APPLICABLE, reason=record.reason)
        if isinstance(record, Rejected):
            return Absence(why=Why.REJECTED, reason=record.words)
        if isinstance(record, Failure):
            return Absence(why=Why.FAILED, reason=record.reason.splitlines()[0])
    return Absence(why=Why.PENDING, reason="the run was interrupted before")


def _distinct(cases: Iterator[Case]) -> tuple[Case, ...]:
    found: list[Case] = []
    for case in cases:
        if case not in found:
            found.append(case)
    return tuple(found)


def _last_attempt(records: list[Record]) -> list[Record]:
    """Without those of attempts that were repeated, and of one that did not come to its end."""
    ends = [n for n, record in enumerate(records) if isinstance(record, Calibration)]
    if not ends:
        return records
    begin = ends[-2] + 1 if len(ends) > 1 else 0
    return records[begin : ends[-1] + 1]


def _fastest_of_each_size(runs: Sequence[TaskRun]) -> Iterable[TaskRun]:
    """Of a size that was measured again: an interruption can only make a run longer."""
    fastest: dict[int, TaskRun] = {}
    for run in runs:
        iterations = int(run.case.parameters["iterations"])
        before = fastest.get(iterations, run)
        fastest[iterations] = min(before, run, key=lambda one: one.makespan_s / one.tasks)
    return fastest.values()
