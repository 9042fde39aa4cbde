"""The result of a case on an engine in each planned block: a measurement, or why there is none.

Sorts records; computes no estimate and knows no experiment.
"""

import functools
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias, TypeVar

from compare.observations.absence import Absence, Why
from compare.observations.compound import Costs, Trial
from compare.observations.disturbance import taken
from compare.observations.gates import disturbed, invalid_reasons
from compare.observations.metg import Swept
from compare.observations.speed import usual_s
from compare.observations.sweeps import on_average, swept_of
from compare.records.measurements import (
    Calibration,
    Failure,
    FaultRun,
    Lifecycle,
    NotApplicable,
    OwnTrace,
    Record,
    Rejected,
    RoundTrips,
    Run,
    TaskRun,
)
from compare.records.plan import (
    CEILING,
    INPUTS,
    SERIAL,
    Case,
    Plan,
    Scalar,
    Session,
    workers_of,
)

_T = TypeVar("_T")


PILOT = "pilot"
"""Parameter of batches that warm an engine up.  They are kept, but are no part of an estimate."""


Runs: TypeAlias = Mapping[str, TaskRun]
"""The batches of one case in one block, by the name of their part."""
Observed: TypeAlias = Mapping[int, _T | Absence]
"""One entry for each planned block, by its number."""


def timed(plan: Plan) -> tuple[Session, ...]:
    """Sessions used for estimates.  Traced sessions are excluded."""
    return tuple(session for session in plan.sessions if not session.traced)


def engines(plan: Plan) -> tuple[str, ...]:
    """Engines that get rows: the ceiling, then those of the plan, then missing ones."""
    measured = {session.engine for session in timed(plan)}
    first = (CEILING,) if CEILING in measured else ()
    return tuple(dict.fromkeys((*first, *plan.engines, *plan.missing)))


def planned_cases(plan: Plan, engine: str) -> tuple[Case, ...]:
    """Cases that the engine measures; for a missing engine, all cases of the plan."""
    everything = engine in plan.missing
    return _distinct(
        case
        for session in timed(plan)
        if session.engine == engine or (everything and session.engine != CEILING)
        for case in session.cases
    )


def valid(observed: Observed[_T]) -> dict[int, _T]:
    """The measurements, by block."""
    return {block: o for block, o in observed.items() if not isinstance(o, Absence)}


def absent(observed: Observed[_T]) -> dict[int, Absence]:
    """The absences, by block."""
    return {block: o for block, o in observed.items() if isinstance(o, Absence)}


class Observations:
    """The records of a run, sorted by the cases of the plan."""

    def __init__(self, run: Run) -> None:
        self.plan = run.plan
        self._sessions = {session.id: session for session in run.plan.sessions}
        self._by_session: dict[str, list[Record]] = {s.id: [] for s in run.plan.sessions}
        for record in run.records:
            self._by_session.setdefault(record.session, []).append(record)
        cores = run.environment.get("cores")
        self._taken = taken(run.records, cores) if isinstance(cores, int) else frozenset()
        """Sessions during which other programs used the machine."""

    def batch(self, engine: str, planned: Case, **refined: Scalar) -> Observed[TaskRun]:
        """The last batch of a case, refined to these parameters, in each block."""

        def is_case(case: Case) -> bool:
            # Failures and cases that do not apply have the case as planned, not refined.
            return refines(case, planned) and all(
                case.parameters.get(name, value) == value for name, value in refined.items()
            )

        return self._observe(engine, is_case, self._last_batch)

    def runs(self, engine: str, planned: Case, parts: tuple[str, ...]) -> Observed[Runs]:
        """All batches of a case by the name of their part, in each block that has all parts."""

        def read(records: list[Record]) -> Runs | Absence | None:
            batches = {
                str(record.case.parameters.get("part", "")): record
                for record in records
                if isinstance(record, TaskRun)
            }
            if not batches.keys() >= set(parts):
                return None
            for run in batches.values():
                if (broken := self._invalid(run)) is not None:
                    return broken
            return batches

        return self._observe(engine, lambda case: refines(case, planned), read)

    def trials(self, engine: str, planned: Case) -> Observed[Trial]:
        """A batch with a fault, and its undisturbed twin, in each block."""
        return self._observe(engine, lambda case: refines(case, planned), self._trial)

    def last(self, engine: str, planned: Case, kind: type[_T]) -> Observed[_T]:
        """The last record of a kind that no validity gate applies to, in each block."""

        def read(records: list[Record]) -> _T | None:
            return next((record for record in reversed(records) if isinstance(record, kind)), None)

        return self._observe(engine, lambda case: refines(case, planned), read)

    def costs(self, engine: str, planned: Case) -> Observed[Costs]:
        """Batches of no-ops and round trips of a case in each block."""
        return self._observe(engine, lambda case: refines(case, planned), self._costs)

    def sweep(self, engine: str, planned: Case) -> Observed[Swept]:
        """Granularity and efficiency of each batch of a sweep, in each block."""
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

    def _last_batch(self, records: list[Record]) -> TaskRun | Absence | None:
        runs = [record for record in records if isinstance(record, TaskRun)]
        return None if not runs else self._invalid(runs[-1]) or runs[-1]

    def _trial(self, records: list[Record]) -> Trial | Absence | None:
        twin = next((record for record in records if isinstance(record, TaskRun)), None)
        faulty = next((record for record in records if isinstance(record, FaultRun)), None)
        if twin is None or faulty is None:
            return None
        if faulty.fault_s is None:
            return Absence(why=Why.INVALID, reason="the fault did not happen")
        return self._invalid(twin) or Trial(twin=twin, faulty=faulty)

    def _costs(self, records: list[Record]) -> Costs | Absence | None:
        no_ops = tuple(record for record in records if isinstance(record, TaskRun))
        round_trips = [record for record in records if isinstance(record, RoundTrips)]
        if not round_trips:  # they come last: without them, no-ops may be missing
            return None
        for no_op in no_ops:
            if (broken := self._invalid(no_op)) is not None:
                return broken
        pilots = tuple(run for run in no_ops if PILOT in run.case.parameters)
        return Costs(
            pilots=pilots,
            no_ops=tuple(run for run in no_ops if run not in pilots),
            round_trips_s=round_trips[-1].samples_s,
        )

    def _sweep(self, records: list[Record]) -> Swept | Absence | None:
        calibration = next((r for r in records if isinstance(r, Calibration)), None)
        runs = [record for record in records if isinstance(record, TaskRun)]
        if calibration is None or not runs:  # it comes last: without it, the sweep is incomplete
            return None
        for run in runs:
            if (broken := self._invalid(run)) is not None:
                return broken
        workers = self._workers(runs[0])
        beside_others = calibration.session in self._taken
        to_s = self._usual_busy_s.get(workers) if beside_others else None
        swept = swept_of(runs, calibration, workers, to_s)
        reason = disturbed(on_average(runs, calibration, workers), calibration)
        return swept if reason is None else Absence(why=Why.DISTURBED, reason=reason)

    def _invalid(self, run: TaskRun) -> Absence | None:
        own_job = INPUTS in run.case.parameters
        reference = self._reference_of_job if own_job else self._reference
        others = reference if run is not reference else None
        reasons = invalid_reasons(run, others, self.plan, self._workers(run))
        return Absence(why=Why.INVALID, reason="; ".join(reasons)) if reasons else None

    def _workers(self, run: TaskRun) -> int:
        return workers_of(run.engine, self._sessions[run.session].workers)

    @functools.cached_property
    def _usual_busy_s(self) -> Mapping[int, float]:
        """An iteration in sweeps that no other program disturbed, by the number of workers."""
        by_workers: dict[int, list[float]] = {}
        for session in timed(self.plan):
            if session.id in self._taken:
                continue
            for record in self._by_session[session.id]:
                if isinstance(record, Calibration) and record.busy_s:
                    workers = workers_of(session.engine, session.workers)
                    by_workers.setdefault(workers, []).append(usual_s(record))
        return {workers: statistics.median(each) for workers, each in by_workers.items()}

    @functools.cached_property
    def _reference(self) -> TaskRun | None:
        """The first valid batch of the serial engine over all images."""
        images = 0 if self.plan.workload is None else len(self.plan.workload.images)
        return self._first_serial(images, own_job=False)

    @functools.cached_property
    def _reference_of_job(self) -> TaskRun | None:
        """The first valid batch of the serial engine over all inputs of the user's job."""
        return self._first_serial(
            0 if self.plan.job is None else self.plan.job.inputs, own_job=True
        )

    def _first_serial(self, outputs: int, *, own_job: bool) -> TaskRun | None:
        return next(
            (
                record
                for session in timed(self.plan)
                for record in self._by_session[session.id]
                if isinstance(record, TaskRun)
                and record.engine == SERIAL
                and (INPUTS in record.case.parameters) == own_job
                and len(record.outputs or ()) == outputs > 0
                and not invalid_reasons(record, None, self.plan, 1)
            ),
            None,
        )


def refines(case: Case, planned: Case) -> bool:
    """Whether the case is the planned one, perhaps with parameters decided while measuring."""
    return (
        case.experiment == planned.experiment
        and case.parameters.items() >= planned.parameters.items()
    )


def _holds(session: Session, is_case: Callable[[Case], bool] | None) -> bool:
    if is_case is None:
        return not session.label
    return any(is_case(case) for case in session.cases)


def _about(record: Record, is_case: Callable[[Case], bool] | None) -> bool:
    """Whether the record belongs to the case, or to the whole session."""
    if isinstance(record, Lifecycle) or _failed_whole(record):
        return True
    case = None if isinstance(record, Lifecycle | OwnTrace) else record.case
    return is_case is not None and case is not None and is_case(case)


def _failed_whole(record: Record) -> bool:
    return isinstance(record, Failure) and record.case is None


def _lifecycle(records: list[Record]) -> Lifecycle | None:
    return next((record for record in records if isinstance(record, Lifecycle)), None)


def _absence(records: list[Record]) -> Absence:
    """Why these records contain no complete measurement."""
    for record in records:
        if isinstance(record, NotApplicable):
            return Absence(why=Why.NOT_APPLICABLE, reason=record.reason)
        if isinstance(record, Rejected):
            return Absence(why=Why.REJECTED, reason=record.words)
        if isinstance(record, Failure):
            return Absence(why=Why.FAILED, reason=record.reason.splitlines()[0])
    return Absence(why=Why.PENDING, reason="the run was interrupted before")


def _distinct(cases: Iterator[Case]) -> tuple[Case, ...]:
    distinct: list[Case] = []
    for case in cases:
        if case not in distinct:
            distinct.append(case)
    return tuple(distinct)


def _last_attempt(records: list[Record]) -> list[Record]:
    """Records of the last complete attempt."""
    ends = [n for n, record in enumerate(records) if isinstance(record, Calibration)]
    if not ends:
        return records
    begin = ends[-2] + 1 if len(ends) > 1 else 0
    return records[begin : ends[-1] + 1]


def cases_of(plan: Plan, engine: str, experiment: str) -> tuple[Case, ...]:
    """Cases of one experiment that the engine measures."""
    return tuple(case for case in planned_cases(plan, engine) if case.experiment == experiment)
