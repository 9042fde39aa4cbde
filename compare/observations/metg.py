"""Minimum effective task granularity, METG, from a sweep of task durations.  Pure functions.

Task Bench (Slaughter et al., SC20, https://arxiv.org/abs/1908.05790, section IV): the smallest
average task granularity, makespan × workers / tasks, at which the efficiency is still at least a
given share of what the machine can do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

THRESHOLDS = (0.5, 0.9)
MOST_EFFICIENCY = 1.1
"""A point above it shows that the calibration was disturbed: the sweep is not usable."""
_MOST_DRIFT = 0.2
"""Largest accepted change of the kernel's speed from before a sweep to after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A batch of many tasks with the same fixed work, submitted at once."""

    granularity_s: float
    """makespan × workers / tasks."""
    efficiency: float
    """Useful seconds / (makespan × workers); useful is the calibrated duration of the work."""

    @property
    def work_s(self) -> float:
        """Useful seconds of a task."""
        return self.granularity_s * self.efficiency


def point(*, makespan_s: float, workers: int, tasks: int, work_s: float) -> Point:
    """The point of one batch of ``tasks`` tasks of ``work_s`` useful seconds each."""
    granularity_s = makespan_s * workers / tasks
    return Point(granularity_s=granularity_s, efficiency=work_s / granularity_s)


def bracket(points: Sequence[Point], threshold: float) -> tuple[Point, Point] | None:
    """The neighbours between which the efficiency, seen from the largest tasks down, first falls
    below ``threshold``; ``None`` if no point lies on one side.
    """
    # By work, because all granularities are alike below the limit of a single dispatcher.
    by_size = sorted(points, key=lambda point: point.work_s, reverse=True)
    if not by_size or by_size[0].efficiency < threshold:
        return None
    for larger, smaller in pairwise(by_size):
        if smaller.efficiency < threshold:
            return smaller, larger
    return None


def metg(points: Sequence[Point], threshold: float) -> float | None:
    """METG(threshold) in seconds, interpolated between the bracketing points, or ``None``."""
    ends = bracket(points, threshold)
    if ends is None:
        return None
    below, above = ends
    share = (threshold - below.efficiency) / (above.efficiency - below.efficiency)
    return below.granularity_s + share * (above.granularity_s - below.granularity_s)


def efficiency_at(points: Sequence[Point], granularity_s: float) -> float | None:
    """Efficiency at a granularity, interpolated linearly; ``None`` outside the sweep."""
    by_size = sorted(points, key=lambda point: point.granularity_s)
    for smaller, larger in pairwise(by_size):
        if smaller.granularity_s <= granularity_s <= larger.granularity_s:
            width = larger.granularity_s - smaller.granularity_s
            share = (granularity_s - smaller.granularity_s) / width if width else 0.0
            return smaller.efficiency + share * (larger.efficiency - smaller.efficiency)
    return None


def drifted(before_s: float, after_s: float) -> bool:
    """Whether the machine was much faster or slower at the later calibration."""
    return abs(after_s / before_s - 1) > _MOST_DRIFT
