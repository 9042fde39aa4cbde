"""The tables of the report as text: one line per engine, or per engine and case."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from compare.analysis.analysis import Analysis
from compare.analysis.comparisons import Pair
from compare.experiments.registry import load_experiment
from compare.experiments.section import Column, Pairs, Section
from compare.formatting import apart, short
from compare.observations.series import BY_DEFINITION, Row
from compare.report.cells import (
    EVERY,
    NOTHING,
    OTHERS,
    brief,
    cell,
    parameter,
    ratio_cell,
    value_alone,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Headings, and lines with the same number of cells."""

    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    usual_n: int | None = None
    """Blocks of most numbers; a cell with another n says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledSection:
    """A section with its table."""

    experiment: str
    section: Section
    table: Table


def filled_sections(analysis: Analysis, *, details: bool) -> tuple[FilledSection, ...]:
    """The sections of all experiments of the plan that have rows; all of them with ``details``."""
    return tuple(
        FilledSection(experiment=name, section=section, table=table)
        for name in analysis.plan.experiments
        for section in load_experiment(name).sections
        if details or not section.details
        if (table := table_of(analysis, section, name, details=details)) is not None
    )


def table_of(
    analysis: Analysis, section: Section, experiment: str, *, details: bool
) -> Table | None:
    """The table of a section, with all columns or without details; ``None`` if it is empty."""
    if isinstance(section.table, Pairs):
        return _pairs(analysis, section.table, experiment)
    spec = section.table
    rows = [
        row
        for row in analysis.rows
        if row.experiment == (section.rows_of or experiment)
        and all(axis in row.case for axis, _ in spec.axes)
        and (spec.where is None or row.case.get(spec.where[0]) == spec.where[1])
    ]
    columns = [column for column in spec.columns if details or not column.details]
    table = columns_table(rows, spec.axes, columns)
    if table is None or not spec.against_fastest or analysis.fastest is None:
        return table
    best = analysis.fastest
    return replace(
        table,
        headings=(*table.headings, f"against {best} (×)"),
        lines=tuple(
            (*line, ratio_cell(None if line[0] == best else analysis.versus(line[0], best)))
            for line in table.lines
        ),
    )


def columns_table(
    rows: Sequence[Row],
    axes: Sequence[tuple[str, str]],
    columns: Sequence[Column],
) -> Table | None:
    """One line per engine and case, one column per metric; ``None`` without rows.

    A cell says its n where that is not the usual one of the table.
    """
    shown = [column for column in columns if any(_fits(row, column) for row in rows)]
    if not shown:
        return None
    lines: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        place = (row.engine, *(parameter(row.case[axis]) for axis, _ in axes))
        lines.setdefault(place, []).append(row)
    headings = ("engine", *(heading for _, heading in axes), *(c.heading for c in shown))
    usual_n = usual_blocks(rows)
    return Table(
        headings=headings, lines=tuple(_lines(lines, shown, usual_n)), usual_n=usual_n or None
    )


def usual_blocks(rows: Iterable[Row]) -> int:
    """The n of most of the rows that have a number; 0 if none has one."""
    counts = Counter(row.n for row in rows if row.n)
    return max(counts, key=lambda n: counts[n], default=0)


def _lines(
    lines: Mapping[tuple[str, ...], Sequence[Row]], columns: Sequence[Column], usual_n: int
) -> Iterator[tuple[str, ...]]:
    """One line per case, and one for several cases without a number for the same reason."""
    for engine in dict.fromkeys(place[0] for place in lines):
        cases = {place: case_rows for place, case_rows in lines.items() if place[0] == engine}
        reasons = {place: _reason(case_rows) for place, case_rows in cases.items()}
        counts = Counter(reason for reason in reasons.values() if reason is not None)
        shared = [reason for reason, count in counts.items() if count > 1]
        # Of several reasons none could have the name of the others.
        common = shared[0] if len(shared) == 1 else None
        own = {
            place: of for place, of in cases.items() if common is None or reasons[place] != common
        }
        for place, case_rows in own.items():
            yield *place, *_cells(case_rows, columns, usual_n)
        if common is not None:
            axes = len(next(iter(cases))) - 1
            rest = [NOTHING] * (len(columns) - 1)
            which = OTHERS if own else EVERY
            yield engine, which, *[NOTHING] * (axes - 1), short(common), *rest


def _reason(rows: Sequence[Row]) -> str | None:
    """Why no metric of a case has a value, if there is one reason for all; else ``None``."""
    reasons = {row.verdict for row in rows if row.value is None}
    return reasons.pop() if len(reasons) == 1 and all(row.value is None for row in rows) else None


def _cells(rows: Sequence[Row], columns: Sequence[Column], usual_n: int) -> Iterator[str]:
    """One cell per column; only the first of several cells with the same reason prints it."""
    printed: set[str | None] = {None}
    for column in columns:
        row = next((row for row in rows if _fits(row, column)), None)
        if not column.caveat:
            yield value_alone(row, column.scale, usual_n=usual_n)
            continue
        known = row is not None and row.verdict in printed
        printer = brief if known else cell
        yield printer(row, column.scale, usual_n=usual_n)
        if row is not None and row.verdict != BY_DEFINITION:
            printed.add(row.verdict)


def _fits(row: Row, column: Column) -> bool:
    if row.metric != column.metric:
        return False
    return column.where is None or row.case.get(column.where[0]) == column.where[1]


def _pairs(analysis: Analysis, spec: Pairs, experiment: str) -> Table | None:
    """One line per pair of engines, one column per metric; ``None`` with one block."""
    compared = [analysis.comparisons[experiment, column.metric] for column in spec.columns]
    found = [
        {(pair.engine, pair.other): pair for pair in (*one.pairs, *one.against_serial)}
        for one in compared
    ]
    places = dict.fromkeys(place for pairs in found for place in pairs)
    if not places:
        return None
    lines = [(*place, *(_pair_cell(pairs.get(place)) for pairs in found)) for place in places]
    within = [NOTHING if one.within is None else f"within {apart(one.within)}" for one in compared]
    lines.append(("any two", "95%, all pairs together", *within))
    headings = ("engine", "against", *(column.heading for column in spec.columns))
    return Table(headings=headings, lines=tuple(lines))


def _pair_cell(pair: Pair | None) -> str:
    if pair is None:
        return NOTHING
    return ratio_cell(pair.ratio) + (", shown" if pair.difference_shown else "")


def rows_called(rows: Iterable[Row], experiment: str) -> list[Row]:
    """The rows of one experiment, or of one kind of session rows."""
    return [row for row in rows if row.experiment == experiment]
