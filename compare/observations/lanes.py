"""Arranges the spans of workers in lanes without overlap.  Pure functions; draws nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from compare.observations.absence import Absence
from compare.observations.reader import Observations, absent, cases_of, engines, valid
from compare.records.measurements import Span, TaskRun
from compare.records.plan import Case


class Spanning(Protocol):
    """Something that a worker ran for some time."""

    @property
    def worker(self) -> int | str: ...  # noqa: D102 - the names are clear
    @property
    def start_s(self) -> float: ...  # noqa: D102
    @property
    def end_s(self) -> float: ...  # noqa: D102


_T = TypeVar("_T", bound=Spanning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane(Generic[_T]):
    """Consecutive spans of one worker."""

    worker: int | str
    place: int
    """Index among the lanes of this worker, from 0; above 0 only if its spans overlap."""
    spans: tuple[_T, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One case on one engine: the batch of the first valid block, or why there is none."""

    engine: str
    case: Case
    run: TaskRun | Absence

    @property
    def lanes(self) -> tuple[Lane[Span], ...]:
        """The lanes of the batch."""
        return () if isinstance(self.run, Absence) else lanes(self.run.spans or ())


def lanes(spans: Iterable[_T]) -> tuple[Lane[_T], ...]:
    """The smallest number of lanes that each worker's spans need, in the order of the workers."""
    by_worker: dict[int | str, list[list[_T]]] = {}
    for span in sorted(spans, key=lambda span: (span.worker, span.start_s, span.end_s)):
        of_worker = by_worker.setdefault(span.worker, [])
        free = next((lane for lane in of_worker if lane[-1].end_s <= span.start_s), None)
        if free is None:
            of_worker.append([span])
        else:
            free.append(span)
    return tuple(
        Lane(worker=worker, place=place, spans=tuple(lane))
        for worker, of_worker in by_worker.items()
        for place, lane in enumerate(of_worker)
    )


def groups(observations: Observations, experiment: str) -> tuple[Group, ...]:
    """All planned cases of the experiment, engine by engine; empty if it is not planned."""
    plan = observations.plan
    if experiment not in plan.experiments:
        return ()
    planned = []
    for engine in engines(plan):
        for case in cases_of(plan, engine, experiment):
            observed = observations.runs(engine, case, ("",))
            runs, absences = valid(observed), absent(observed)
            run = runs[min(runs)][""] if runs else absences[min(absences)]
            planned.append(Group(engine=engine, case=case, run=run))
    return tuple(planned)
