"""How the records of an experiment are read and said: one line a case, one column a metric."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from compare.lanes import groups
from compare.metrics import Metric
from compare.observations import Runs
from compare.records import Case, Plan, Row, Run, TaskRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A metric in a table of the report."""

    metric: str
    heading: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A picture: a metric against a parameter of the case, a line an engine."""

    name: str
    x: str
    metric: str
    x_label: str
    y_label: str
    scale: float = 1.0
    log_y: bool = False
    where: tuple[str, str] | None = None
    """A parameter of the case and the value that it must have."""

    @property
    def description(self) -> str:
        """For those who do not see it."""
        return f"{self.y_label} against {self.x_label}"

    def points(self, experiment: str, rows: Iterable[Row]) -> list[Row]:
        """The rows that it shows."""
        return [
            row
            for row in rows
            if row.experiment == experiment
            and row.metric == self.metric
            and isinstance(row.value, float)
            and (self.where is None or row.case.get(self.where[0]) == self.where[1])
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """A picture: when each worker ran which task, all engines and cases on one time axis."""

    name: str
    description: str
    by: str
    """The parameter of the case by which a reader knows it."""
    cannot: str
    """What an engine says that the case does not apply to."""


Picture: TypeAlias = Curve | Lanes


def has_data(picture: Picture, experiment: str, run: Run, rows: Iterable[Row]) -> bool:
    """There is something to draw."""
    if isinstance(picture, Curve):
        return bool(picture.points(experiment, rows))
    return any(isinstance(group.run, TaskRun) for group in groups(run, experiment))


def no_metrics(_plan: Plan, _case: Case) -> tuple[Metric[Runs], ...]:
    """Of a study whose rows are not read run by run; see ``compare.statistics``."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Everything that a reader is told of one experiment."""

    experiment: str
    title: str
    explanation: str
    """Markdown: what is measured, what the columns mean, which direction is better."""
    axes: tuple[tuple[str, str], ...]
    """Parameters of the case that tell lines apart, and their headings."""
    columns: tuple[Column, ...]
    metrics: Callable[[Plan, Case], tuple[Metric[Runs], ...]]
    parts: tuple[str, ...] = ("",)
    """Names of the runs that a case has."""
    pictures: tuple[Picture, ...] = ()
