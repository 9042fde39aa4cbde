"""The display of a run in a terminal: the results so far, what runs now, and what is left.

It is drawn between two sessions only: whatever refreshes it would run beside what is measured.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from compare import console
from compare.analysis.analysis import Analysis
from compare.execution import Progress
from compare.formatting import duration
from compare.records.measurements import Record
from compare.records.plan import Plan, Session
from compare.report.outcome import heading, outcome

_BAR = 30
"""Columns."""


@contextmanager
def shown() -> Iterator[Progress]:
    """A display if the output is a terminal; lines, as in a log, if it is not."""
    if not sys.stdout.isatty() or console.console.is_dumb_terminal:
        yield console
        return
    # Gone at the end, when the final tables are printed.
    with Live(console=console.console, auto_refresh=False, transient=True) as live:
        yield Display(live)


class Display:
    """Lines for what was measured scroll by above the state of the run."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._results: tuple[RenderableType, ...] = ()

    def say(self, sentence: str) -> None:
        """Print a line above the state."""
        console.say(sentence)

    def print_start(self, plan: Plan, session: Session, left_s: float) -> None:
        """Draw the state before a session."""
        bar = Table.grid(padding=(0, 1))
        sessions = len(plan.sessions)
        bar.add_row(
            ProgressBar(total=sessions, completed=session.position, width=_BAR),
            f"{session.position} of {sessions} sessions, {duration(left_s)} left",
        )
        now = Text(heading(plan, session), no_wrap=True, overflow="ellipsis")
        self._live.update(Group(*self._results, bar, now), refresh=True)

    def print_outcome(self, session: Session, records: Sequence[Record]) -> None:
        """Print the main results of a session above the state."""
        console.say(f"block {session.block}, {session.engine}: {outcome(session, records)}")

    def print_so_far(self, analysis: Callable[[], Analysis]) -> None:
        """Show the results of all sessions so far, with their intervals, from the next start on."""
        self._results = console.console_tables(analysis())[:1]
