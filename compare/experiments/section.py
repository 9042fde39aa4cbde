"""The sections of an experiment in the report: text, one table, and pictures.  Values only.

``compare.report.tables`` fills the tables, ``compare.report.plots`` draws the pictures.
"""

from dataclasses import dataclass
from typing import TypeAlias

from compare.records.plan import Scalar

PERCENT, KIB, MIB = 1e2, 2.0**-10, 2.0**-20
"""Factors by which columns scale their values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A metric in a table."""

    metric: str
    heading: str
    scale: float = 1.0
    where: tuple[str, Scalar] | None = None
    """A parameter of the case and its value: the column shows the rows that have it."""
    caveat: bool = True
    """The cell shows the row's caveat, or the reason why there is no number."""
    details: bool = False
    """The column is shown in ``details.md`` only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A table with a line for each engine and case, and a column for each metric."""

    columns: tuple[Column, ...]
    axes: tuple[tuple[str, str], ...] = ()
    """Parameters of the case that distinguish lines, with their headings."""
    where: tuple[str, Scalar] | None = None
    """A parameter of the case and its value: the table shows the rows that have it."""
    against_fastest: bool = False
    """A last column shows the ratio of each engine to the fastest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """A table that compares every engine with every other, with a column for each metric.

    The pairs of a metric are tested together; see ``compare.analysis.comparisons``.
    """

    columns: tuple[Column, ...]


Table: TypeAlias = Columns | Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A metric against a parameter of the case, one line per engine."""

    name: str
    x: str
    metric: str
    x_label: str
    y_label: str
    log_y: bool = False
    where: tuple[str, Scalar] | None = None
    """A parameter of the case, and the value that it must have."""

    @property
    def description(self) -> str:
        """The alternative text of the picture."""
        return f"{self.y_label} against {self.x_label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """When each worker ran which task, all engines and cases on one time axis."""

    name: str
    description: str
    by: str | None = None
    """The parameter of the case that labels it; ``None`` with one case."""
    inapplicable: str = "not applicable"
    """Label of an engine to which a case does not apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """A metric of each engine with its interval, and the ceiling as a line."""

    name: str
    description: str
    metric: str
    x_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacked:
    """Times that follow each other, as one bar for each engine."""

    name: str
    description: str
    parts: tuple[Column, ...]
    """In the order of time; at most four."""
    x_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoOps:
    """Makespan against the number of no-ops, with the fitted lines."""

    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """Efficiency against task granularity, with METG(50%)."""

    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Tasks that ran at once against the share of a core that they asked for."""

    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstDone:
    """Which engine is done first, by the length and the number of the tasks."""

    name: str
    description: str
    rows_of: str
    """The ``experiment`` of the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Workers that the tasks asked for, and workers that there were, over time for each engine."""

    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Tasks that had ended, over time, of a batch with a fault and of its undisturbed twin."""

    name: str
    description: str
    fault: str


Picture: TypeAlias = (
    Curve
    | Lanes
    | Intervals
    | Stacked
    | NoOps
    | Efficiency
    | FirstDone
    | Shares
    | Supply
    | Progress
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of the report."""

    title: str
    """Empty if the section continues under the heading above it."""
    explanation: str
    """Markdown: what is measured, what the columns mean, which direction is better."""
    table: Table
    lead: str = ""
    """The line above the table in ``summary.md``; empty for the question of the experiment."""
    rows_of: str | None = None
    """The ``experiment`` of the rows shown, if it is not the name of the experiment."""
    pictures: tuple[Picture, ...] = ()
    details: bool = False
    """The section is in ``details.md`` only."""
