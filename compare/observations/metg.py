"""Minimum effective task granularity, METG, from a sweep of task durations.  Pure functions.

Task Bench (Slaughter et al., SC20, https://arxiv.org/abs/1908.05790, section IV): the smallest
average task granularity, makespan × workers / tasks, at which the efficiency is still at least a
given share of what the machine can do.
"""

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Numbers: TypeAlias = NDArray[np.float64]

THRESHOLDS = (0.5, 0.9)
_LEAST_REACH = 0.2
"""To neighbours, relative to the largest one."""
_ROBUST_STEPS, _FAR = 6, 6.0
"""A batch loses all of its weight at so many times the median distance (Cleveland 1979)."""
_ALONE = 0.99
"""A batch that pulls the line so much has no neighbours that could say anything about it."""
_SAME = 1e-12
"""A relative difference, or its square, that is rounding."""
_MOST_FIXED = 0.5
"""Of a makespan: a noisy estimate of the fixed cost must not take off more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A batch of many tasks with the same fixed work, submitted at once."""

    granularity_s: float
    """makespan × workers / tasks, without the fixed cost of a batch."""
    efficiency: float
    """Useful seconds / (makespan × workers); useful is the calibrated duration of the work."""

    @property
    def work_s(self) -> float:
        """Useful seconds of a task."""
        return self.granularity_s * self.efficiency


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """The points of a sweep at one speed of the cores, with two definitions of useful time."""

    busy: tuple[Point, ...]
    """100% is what the cores do when all of them are busy, as in Task Bench."""
    idle: tuple[Point, ...]
    """100% is one core while the others are idle, times the number of workers."""
    busy_s: float
    """One iteration of the kernel while all workers are busy, at that speed."""
    idle_s: float
    """One iteration on one core while the others are idle."""
    fixed_s: float
    """Of each batch; it was taken off the points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What was looked for lies beyond the sizes of a sweep."""

    value: float
    more: bool
    """It is larger than ``value``; otherwise it is smaller."""


def point(
    *, makespan_s: float, workers: int, tasks: int, work_s: float, fixed_s: float = 0.0
) -> Point:
    """The point of one batch of ``tasks`` tasks of ``work_s`` useful seconds each.

    ``fixed_s``, the fixed cost of a batch, is taken off: it belongs to no task.
    """
    spent_s = makespan_s - min(fixed_s, _MOST_FIXED * makespan_s)
    granularity_s = spent_s * workers / tasks
    return Point(granularity_s=granularity_s, efficiency=work_s / granularity_s)


def fixed_cost_s(pilots: Iterable[tuple[int, float]]) -> tuple[float, float]:
    """Fixed seconds of a batch, and seconds of one more task, from batches of empty tasks.

    ``pilots`` are numbers of tasks and makespans.  The line goes through the medians of the
    smallest and of the largest number; if there is only one, no cost is fixed.
    """
    of_size: dict[int, list[float]] = {}
    for tasks, makespan_s in pilots:
        of_size.setdefault(tasks, []).append(makespan_s)
    if not of_size:
        return 0.0, 0.0
    few, many = min(of_size), max(of_size)
    few_s, many_s = median(of_size[few]), median(of_size[many])
    if few == many:
        return 0.0, many_s / many
    # On a noisy machine many tasks can seem to take no longer than a few.
    per_task_s = max((many_s - few_s) / (many - few), many_s / many / 10)
    return max(few_s - per_task_s * few, 0.0), per_task_s


def fitted(points: Sequence[Point]) -> tuple[Point, ...]:
    """Smoothed isotonic regression of the efficiency on the work of a task: one point for each.

    First each granularity becomes the value of a local line (LOWESS: Cleveland 1979, J. Am. Stat.
    Assoc. 74:829): a batch of a tenth of a second is disturbed by chance, and the batches of
    similar tasks together are disturbed less.  Then least squares under the condition that longer
    tasks are not less efficient.  Smooth first, then monotone: Mammen 1991, Ann. Statist. 19:724.
    """
    return _fitted(tuple(points))


@functools.lru_cache(maxsize=512)
def _fitted(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """The fit of a sweep, which is read at many sizes."""
    if not points:
        return ()
    ordered = sorted(points, key=lambda one: one.work_s)
    return _isotonic(_smooth(ordered, _isotonic(ordered)))


def _isotonic(ordered: Sequence[Point]) -> tuple[Point, ...]:
    """Isotonic regression of points that are ordered by size: adjacent violators are pooled.

    Ayer et al. 1955, Ann. Math. Statist. 26:641, as in ``scipy.optimize.isotonic_regression``,
    which a process that measures does not load.
    """
    pools: list[tuple[list[float], list[float]]] = []
    """Sizes and efficiencies."""
    for one in ordered:
        pools.append(([one.work_s], [one.efficiency]))
        while len(pools) > 1 and fmean(pools[-2][1]) >= fmean(pools[-1][1]):
            last = pools.pop()
            pools[-1] = (pools[-1][0] + last[0], pools[-1][1] + last[1])
    return tuple(
        Point(granularity_s=work_s / mean, efficiency=mean)
        for works, efficiencies in pools
        for mean in [fmean(efficiencies)]
        for work_s in works
    )


def _smooth(ordered: Sequence[Point], rough: Sequence[Point]) -> list[Point]:
    """The points, each with the granularity that a line through its neighbours has there.

    Granularity over work is a line where every task pays a cost, and where one dispatcher decides;
    between the two, close to full efficiency, it bends.  Hence sizes up to a factor of two apart
    are neighbours where half of the time is useful or less, and fewer where more is (``rough``
    efficiency).  The weights (tricube) end there, so that sizes far apart stay as they are.
    Batches far from what their neighbours say lose their weight (bisquare).
    """
    work = np.array([one.work_s for one in ordered])
    granularity = np.array([one.granularity_s for one in ordered])
    reach = math.log(2) * np.clip([2 * (1 - one.efficiency) for one in rough], _LEAST_REACH, 1.0)
    distance = np.abs(np.log(work[None, :] / work[:, None])) / reach[:, None]
    near = np.where(distance < 1, (1 - np.minimum(distance, 1) ** 3) ** 3, 0.0)
    trusted = np.ones(len(ordered))
    smooth = granularity
    for _ in range(_ROBUST_STEPS):
        smooth, leverage = _on_lines(work, granularity, near * trusted)
        # What the others say about a batch: without its own pull on the line.
        alone = leverage > _ALONE
        from_others = np.where(
            alone, 0.0, np.log(granularity / smooth) / np.where(alone, 1.0, 1 - leverage)
        )
        usual = np.median(np.abs(from_others[~alone])) if not alone.all() else 0.0
        if usual > _SAME:
            trusted = np.maximum(1 - (from_others / (_FAR * usual)) ** 2, 0.0) ** 2
    return [
        Point(granularity_s=float(size_s), efficiency=float(work_s / size_s))
        for work_s, size_s in zip(work, smooth, strict=True)
    ]


def _on_lines(
    work: _Numbers, granularity: _Numbers, weights: _Numbers
) -> tuple[_Numbers, _Numbers]:
    """Value of a line at each size, and how much the batch itself pulls it.

    ``weights``: a row for each size, with the weight of each batch.  A size without any keeps its
    granularity.
    """
    total = weights.sum(axis=1)
    lonely = total <= 0
    share = weights / np.where(lonely, 1.0, total)[:, None]
    middle, mean = share @ work, share @ granularity
    away = work[None, :] - middle[:, None]
    spread = (share * away**2).sum(axis=1)
    # Batches of one size, up to rounding, have no slope.
    flat = spread <= _SAME * middle**2
    slope = (share * away * granularity[None, :]).sum(axis=1) / np.where(flat, 1.0, spread)
    own = np.where(flat, 0.0, work - middle)
    lowest = np.where(weights > 0, granularity[None, :], np.inf).min(axis=1)
    highest = np.where(weights > 0, granularity[None, :], -np.inf).max(axis=1)
    value = np.clip(mean + slope * own, lowest, highest)
    leverage = share.diagonal() * (1 + own**2 / np.where(flat, 1.0, spread))
    return np.where(lonely, granularity, value), np.where(lonely, 1.0, leverage)


def metg(points: Sequence[Point], threshold: float) -> float | Limit | None:
    """METG(threshold) in seconds, from the fitted efficiency; ``None`` without points.

    Between two sizes the granularity is taken to grow evenly with the work, which is exact for a
    cost that every task pays.
    """
    curve = fitted(points)
    if not curve:
        return None
    if curve[-1].efficiency < threshold:
        return Limit(value=curve[-1].granularity_s, more=True)
    if curve[0].efficiency >= threshold:
        return Limit(value=curve[0].granularity_s, more=False)
    below, above = next(
        (one, other) for one, other in pairwise(curve) if other.efficiency >= threshold
    )
    longer_s = above.granularity_s - below.granularity_s
    more_work_s = above.work_s - below.work_s
    share = (threshold * below.granularity_s - below.work_s) / (more_work_s - threshold * longer_s)
    return below.granularity_s + share * longer_s


def efficiency_at(points: Sequence[Point], granularity_s: float) -> float | None:
    """Fitted efficiency at a granularity, interpolated linearly; ``None`` outside the sweep."""
    curve = fitted(points)
    # Below the limit of a single dispatcher all granularities are alike, up to noise.
    sizes = np.maximum.accumulate([one.granularity_s for one in curve])
    if not sizes[0] <= granularity_s <= sizes[-1]:
        return None
    return float(np.interp(granularity_s, sizes, [one.efficiency for one in curve]))


def efficiency_of_work(points: Sequence[Point], work_s: float) -> float | Limit | None:
    """Fitted efficiency of tasks with this useful work; ``None`` without points.

    Outside the sizes of the sweep a limit, since longer tasks are not less efficient; its value is
    the efficiency of the nearest size.  Between two sizes as in ``metg``.  At most 1: no time is
    more than useful, although a machine may be faster in a batch than in the calibrations.
    """
    curve = fitted(points)
    if not curve:
        return None
    sizes = [one.work_s for one in curve]
    if work_s < sizes[0]:
        return Limit(value=min(curve[0].efficiency, 1.0), more=False)
    if work_s > sizes[-1]:
        last = curve[-1].efficiency
        return 1.0 if last >= 1 else Limit(value=last, more=True)
    found = work_s / float(np.interp(work_s, sizes, [one.granularity_s for one in curve]))
    return min(found, 1.0)
