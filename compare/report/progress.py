"""How a run tells the user how far it is."""

from collections.abc import Callable, Sequence
from typing import Protocol

from compare.analysis.analysis import Analysis
from compare.records.measurements import Record
from compare.records.plan import Plan, Session


class Progress(Protocol):
    """``compare.console`` prints lines, as for a log, or draws in a terminal."""

    def say(self, sentence: str, /) -> None:
        """Tell something that is about no single session."""

    def print_start(self, plan: Plan, session: Session, left_s: float, /) -> None:
        """A session begins; ``left_s`` is about how long the run will take from now."""

    def print_outcome(self, session: Session, records: Sequence[Record], /) -> None:
        """A session has ended with these records."""

    def print_so_far(self, analysis: Callable[[], Analysis], /) -> None:
        """A block has ended; the analysis takes part of a second."""
