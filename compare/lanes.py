"""Who ran what when: spans on lanes, where none overlap.  Pure functions; draws nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from compare.observations import Absence, Observations, absent, engines, planned_cases, valid
from compare.records import Case, Run, Span, TaskRun


class Spanning(Protocol):
    """What somebody ran from one moment to another."""

    @property
    def worker(self) -> int | str: ...  # noqa: D102 - they say it themselves
    @property
    def start_s(self) -> float: ...  # noqa: D102
    @property
    def end_s(self) -> float: ...  # noqa: D102


_T = TypeVar("_T", bound=Spanning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane(Generic[_T]):
    """Spans of one worker that follow each other."""

    worker: int | str
    place: int
    """Among the lanes of this worker, from 0; more than one where a worker's spans overlap."""
    spans: tuple[_T, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One case on one engine: its run in the first block that has a valid one, or why none has."""

    engine: str
    case: Case
    run: TaskRun | Absence

    @property
    def lanes(self) -> tuple[Lane[Span], ...]:
        """Those of the run."""
        return () if isinstance(self.run, Absence) else lanes(self.run.spans or ())


def lanes(spans: Iterable[_T]) -> tuple[Lane[_T], ...]:
    """As few lanes for each worker as its spans need, the workers in order."""
    found: dict[int | str, list[list[_T]]] = {}
    for span in sorted(spans, key=lambda span: (span.worker, span.start_s, span.end_s)):
        of_worker = found.setdefault(span.worker, [])
        free = next((lane for lane in of_worker if lane[-1].end_s <= span.start_s), None)
        if free is None:
            of_worker.append([span])
        else:
            free.append(span)
    return tuple(
        Lane(worker=worker, place=place, spans=tuple(lane))
        for worker, of_worker in found.items()
        for place, lane in enumerate(of_worker)
    )


def groups(run: Run, experiment: str) -> tuple[Group, ...]:
    """All planned cases of the experiment, engine by engine; none of one not asked for."""
    if experiment not in run.plan.experiments:
        return ()
    observations = Observations(run)
    found = []
    for engine in engines(run.plan):
        for case in planned_cases(run.plan, engine):
            if case.experiment != experiment:
                continue
            observed = observations.runs(engine, case, ("",))
            runs, absences = valid(observed), absent(observed)
            one = runs[min(runs)][""] if runs else absences[min(absences)]
            found.append(Group(engine=engine, case=case, run=one))
    return tuple(found)
