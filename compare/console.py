"""What is printed during a run, and its tables.

In a terminal, the state of a run is drawn between two sessions only: whatever refreshes it would
run beside what is measured.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table as RichTable
from rich.text import Text

from compare.analysis.analysis import Analysis
from compare.experiments import job, overhead, throughput
from compare.experiments.fractional import Fractional
from compare.experiments.section import MIB, Column
from compare.experiments.share_rows import CPUS, smallest_warm
from compare.experiments.shared_metrics import THROUGHPUT
from compare.formatting import duration, plural, seconds, short
from compare.observations.absence import Why
from compare.observations.metric import FEWEST_BLOCKS
from compare.observations.series import Row
from compare.records.measurements import Record
from compare.records.plan import Plan, Session
from compare.report.cells import EVERY, NOTHING, OTHERS, brief, briefest
from compare.report.outcome import heading, outcome
from compare.report.progress import Progress
from compare.report.tables import FilledSection, filled_sections, rows_called, usual_blocks

# A log has no width limit, and the table is wider than the 80 columns that rich assumes there.
_WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
_MOST_SKIPPED = 5
_LONGEST_CELL = 40
"""Characters of a cell; the report has all of them."""
_BAR = 30
"""Columns."""
console = Console(highlight=False, width=_WIDTH)


def say(sentence: str, style: str | None = None) -> None:
    """Print one line without wrapping, because the output may be a log."""
    show(sentence, style=style, markup=False, soft_wrap=True)


def show(*things: object, **options: Any) -> None:  # noqa: ANN401 - those of rich
    """Print on the one console."""
    console.print(*things, **options)


def print_plan(plan: Plan, how_long: str, findings: Iterable[object]) -> None:
    """Print what will be measured; ``how_long`` says about how long it takes.

    ``findings`` are sentences about this host that the measurements depend on.
    """
    options = plan.options
    for engine, reason in plan.missing.items():
        say(f"{engine} will not be measured: {reason}", style="yellow")
    if plan.clusters:
        where = "containers" if options.composed else ", ".join(plan.clusters.values())
        say(f"Clusters with {plural(plan.workers, 'worker')} each: {where}.")
    for finding in findings:
        say(str(finding), style="yellow")
    say(
        f"Run {plan.run_id}: {', '.join(plan.experiments)} on {', '.join(plan.engines)}; "
        f"{plural(plan.workers, 'worker')} × {plural(options.threads_per_worker, 'thread')}, "
        f"{options.config.value}; {plural(plan.blocks, 'block')}, {len(plan.sessions)} sessions, "
        f"{how_long}."
    )
    if plan.job is not None:
        one = plan.job
        say(
            f"Your job {one.label} ({one.file}): {plural(one.inputs, 'task')} of about "
            f"{seconds(one.task_s)}."
        )
    if plan.workload is not None:
        workload = plan.workload
        say(
            f"{len(workload.images)} images in chunks of {workload.chunk}, {workload.model} in "
            f"{workload.dtype}; {len(workload.images_skipped)} files skipped."
        )
        for skipped in workload.images_skipped[:_MOST_SKIPPED]:
            say(f"  skipped {skipped}")
        more = len(workload.images_skipped) - _MOST_SKIPPED
        if more > 0:
            say(f"  and {more} more; the plan lists all of them")


@contextmanager
def shown() -> Iterator[Progress]:
    """A display if the output is a terminal; lines, as in a log, if it is not."""
    if not sys.stdout.isatty() or console.is_dumb_terminal:
        yield Lines()
        return
    # Gone at the end, when the final tables are printed.
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield Display(live)


class Lines:
    """A line before and after each session."""

    def say(self, sentence: str) -> None:
        """Print a line."""
        say(sentence)

    def print_start(self, plan: Plan, session: Session, left_s: float) -> None:
        """Print what is measured next."""
        say(f"{heading(plan, session)}; {duration(left_s)} left")

    def print_outcome(self, session: Session, records: Sequence[Record]) -> None:
        """Print the main results of a session."""
        say(f"    {outcome(session, records)}")

    def print_so_far(self, _: Callable[[], Analysis]) -> None:
        """Print nothing: the lines have the results of all sessions."""


class Display:
    """Lines for what was measured scroll by above the state of the run."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._results: tuple[RenderableType, ...] = ()

    def say(self, sentence: str) -> None:
        """Print a line above the state."""
        say(sentence)

    def print_start(self, plan: Plan, session: Session, left_s: float) -> None:
        """Draw the state before a session."""
        bar = RichTable.grid(padding=(0, 1))
        sessions = len(plan.sessions)
        bar.add_row(
            ProgressBar(total=sessions, completed=session.position, width=_BAR),
            f"{session.position} of {sessions} sessions, {duration(left_s)} left",
        )
        now = Text(heading(plan, session), no_wrap=True, overflow="ellipsis")
        self._live.update(Group(*self._results, bar, now), refresh=True)

    def print_outcome(self, session: Session, records: Sequence[Record]) -> None:
        """Print the main results of a session above the state."""
        say(f"block {session.block}, {session.engine}: {outcome(session, records)}")

    def print_so_far(self, analysis: Callable[[], Analysis]) -> None:
        """Show the results of all sessions so far, with their intervals, from the next start on."""
        self._results = console_tables(analysis())[:1]


def print_report(analysis: Analysis, folder: Path) -> None:
    """Print the final tables, the cautions, and where the report is."""
    for table in console_tables(analysis):
        show(table)
    for caution in analysis.cautions:
        say(f"• {caution}")
    say(f"Read {folder / 'summary.md'}, or open {folder / 'report.html'} in a browser")


def console_tables(analysis: Analysis) -> tuple[RichTable, ...]:
    """The overview table; if nothing in it was measured, the tables of the experiments."""
    first = _first_table(analysis.rows)
    if first is not None:
        return (first,)
    return tuple(_rich(filled) for filled in filled_sections(analysis, details=False))


def _rich(filled: FilledSection) -> RichTable:
    """The table; what does not apply to an engine is a line below it, and no tall cell."""
    table = RichTable(box=SIMPLE, title=filled.section.title, caption_justify="left")
    for place, name in enumerate(filled.table.headings):
        table.add_column(name, no_wrap=not place)
    notes = []
    for engine, *cells in filled.table.lines:
        told = [text for text in cells if text not in {NOTHING, EVERY, OTHERS}]
        if len(told) == 1 and told[0].startswith(f"{Why.NOT_APPLICABLE}: "):
            notes.append(f"{engine}: {told[0]}")
        else:
            table.add_row(engine, *(short(text, _LONGEST_CELL) for text in cells))
    table.caption = "\n".join(notes) or None
    return table


def _first_table(rows: Sequence[Row]) -> RichTable | None:
    """One line per engine: speed, overhead, handling of the smallest share, and memory."""
    speed = THROUGHPUT.quantity.name
    warm = smallest_warm(rows_called(rows, Fractional.name))
    share = float(warm[0].case[CPUS]) if warm else 0.0
    wanted = (
        (throughput.NAME, Column(metric=speed, heading="images/s")),
        (throughput.NAME, Column(metric="speedup", heading="× serial")),
        (job.NAME, Column(metric=job.THROUGHPUT.quantity.name, heading="tasks/s of your job")),
        (overhead.NAME, Column(metric="metg50", heading="METG50")),
        (
            Fractional.name,
            Column(metric="peak_concurrency", heading=f"at once at {share:g} CPU"),
        ),
        (throughput.MEMORY, Column(metric="peak_memory", heading="MiB", scale=MIB)),
    )
    cells = {
        (row.engine, experiment, column.metric): row
        for experiment, column in wanted
        for row in (warm if experiment == Fractional.name else rows_called(rows, experiment))
        if row.metric == column.metric
    }
    shown = [
        (experiment, column)
        for experiment, column in wanted
        if any(key[1:] == (experiment, column.metric) for key in cells)
    ]
    if not shown:
        return None
    head = shown[0][1].metric
    usual_n = usual_blocks(row for (_, _, metric), row in cells.items() if metric == head)
    given = "95% intervals over" if usual_n >= FEWEST_BLOCKS else "no intervals with"
    caption = f"{given} {plural(usual_n, 'block')}; details are in the report"
    table = RichTable(box=SIMPLE, caption=caption)
    table.add_column("engine", no_wrap=True)
    for _, column in shown:
        table.add_column(column.heading, no_wrap=column.metric == speed)
    for engine in dict.fromkeys(row.engine for row in rows):
        of_engine = [
            (cells.get((engine, experiment, column.metric)), column.scale)
            for experiment, column in shown
        ]
        first, *others = of_engine
        table.add_row(
            engine, brief(*first, usual_n=usual_n), *(briefest(*other) for other in others)
        )
    return table
