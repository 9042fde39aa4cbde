"""Between which numbers of tasks which engine is done first, for its picture and its chart."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from compare.analysis.analysis import Analysis
from compare.experiments.done_first import FROM, MOST_TASKS, WORK_S
from compare.experiments.section import FirstDone
from compare.formatting import estimate, number, seconds, value_of
from compare.observations.series import Row
from compare.report.drawable import numbers

_FEWEST_SHOWN = 10_000
_BEYOND = 10
"""The axis ends so many times beyond the last boundary."""


class Reign(NamedTuple):
    """One engine is done first, for tasks of one length."""

    length: str
    row: Row
    """From how many tasks on, with its interval."""
    until: float
    """The number of tasks at which another engine takes over, or the end of the axis."""
    is_last: bool

    @property
    def said(self) -> str:
        """In words, for those who cannot see it or want to know its bounds."""
        start = "1" if value_of(self.row) == 1 else estimate(self.row)
        end = "on" if self.is_last else f"to {number(self.until)}"
        return f"{self.row.engine}\ntasks of {self.length}: done first from {start} {end}"


def reigns(picture: FirstDone, analysis: Analysis) -> list[Reign]:
    """By length of the tasks, shortest first, and by number of tasks."""
    rows = numbers(analysis, picture.rows_of, FROM.name)
    end = _end([value_of(row) for row in rows])
    found = []
    for length_s in sorted({float(row.case[WORK_S]) for row in rows}):
        of_length = [row for row in rows if row.case[WORK_S] == length_s]
        ordered: list[Row | None] = [*sorted(of_length, key=value_of), None]
        for row, after in pairwise(ordered):
            assert row is not None  # noqa: S101 - only the last one is, which is no first of a pair
            until = end if after is None else value_of(after)
            found.append(Reign(seconds(length_s, digits=1), row, until, is_last=after is None))
    return found


def powers(found: Sequence[Reign]) -> list[int]:
    """The powers of ten on the axis."""
    end = max(reign.until for reign in found)
    return [10**power for power in range(len(str(MOST_TASKS))) if 10**power <= end]


def _end(boundaries: Sequence[float]) -> float:
    last = max(boundaries, default=1.0)
    return float(min(max(_BEYOND * last, _FEWEST_SHOWN), MOST_TASKS))
