"""Fixed work in tasks of many sizes, from far below to far above an engine's overhead."""

import math
import random
from collections.abc import Callable, Iterator
from typing import TypeAlias

from compare.measure.bench import Bench, Way
from compare.observations.metg import THRESHOLDS, Point, bracket, point
from compare.records.measurements import TaskRun
from compare.records.plan import Case, refine
from workload.kernels import spin

_LADDER = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16)
"""Work of a task, relative to the overhead that the pilots measured."""
_MOST_STEPS_DOWN, _MOST_STEPS_UP = 3, 3
_REFINEMENTS = 2
_PILOT_TASKS = 50
_FEWEST_WAVES, _MOST_TASKS = 10, 20_000
_POINTS = 14
"""Approximate number of points, including repeated ones and the pilots."""
_FIXED_SHARE = 0.05
"""A point lasts long enough that the engine's fixed cost is at most this share of it."""
_LONGEST_POINT_S = 2.0
"""Upper limit of that duration; steps to larger tasks that would take longer are left out."""


Batch: TypeAlias = Callable[[int, int], TaskRun]
"""Runs a batch with these iterations per task and this approximate number of tasks."""


class Sweep:
    """Measures the ladder in random order, then more steps if it does not cross a threshold, then
    the first size below each threshold again, then points between those that bracket a threshold.
    """

    def __init__(self, bench: Bench, case: Case, batch: Batch) -> None:
        self._bench = bench
        self._case = case
        self._batch = batch
        self._workers = bench.workers
        self._iteration_s = bench.calibrated_s()
        self._points: dict[float, Point] = {}
        self._confirmed_s: set[float] = set()

    def run(self) -> Iterator[TaskRun]:
        """Measure and yield each point."""
        added_s, fixed_s = self._added_and_fixed_s()
        wanted_s = float(self._case.parameters["point_s"])
        self._point_s = _point_s(wanted_s, fixed_s)
        self._added_s = added_s
        rungs = [added_s * factor for factor in _LADDER]
        # Seeded and shuffled: a drift must not look like a dependence on the size.
        random.Random(f"{self._bench.plan.options.seed}/{self._bench.session.id}").shuffle(rungs)  # noqa: S311
        for work_s in rungs:
            yield self._measured(work_s)
        yield from self._widened()
        yield from self._confirmed()
        for _ in range(_REFINEMENTS):
            yield from self._refined()

    def _added_and_fixed_s(self) -> tuple[float, float]:
        """Overhead of a task for its worker, and fixed cost of a batch, from two pilots."""
        pilots = [
            min((self._batch(0, count) for _ in range(2)), key=lambda run: run.makespan_s)
            for count in (self._workers, _PILOT_TASKS * self._workers)
        ]
        (few, few_s), (many, many_s) = ((run.tasks, run.makespan_s) for run in pilots)
        slope_s = (many_s - few_s) / (many - few) if many > few else 0.0
        per_task_s = max(slope_s, many_s / many / 10)
        return per_task_s * self._workers, max(few_s - per_task_s * few, 0.0)

    def _measured(self, work_s: float) -> TaskRun:
        iterations = max(1, round(work_s / self._iteration_s))
        waves = max(_FEWEST_WAVES, math.ceil(self._point_s / (work_s + self._added_s)))
        run = self._batch(iterations, min(waves * self._workers, _MOST_TASKS))
        measured = point(
            makespan_s=run.makespan_s,
            workers=self._workers,
            tasks=run.tasks,
            work_s=iterations * self._iteration_s,
        )
        before = self._points.get(work_s, measured)
        self._points[work_s] = max(before, measured, key=lambda point: point.efficiency)
        return run

    def _widened(self) -> Iterator[TaskRun]:
        for _ in range(_MOST_STEPS_UP):
            largest = max(self._points)
            too_long = 2 * largest * _FEWEST_WAVES > max(_LONGEST_POINT_S, self._point_s)
            if self._points[largest].efficiency >= max(THRESHOLDS) or too_long:
                break
            yield self._measured(2 * largest)
        for _ in range(_MOST_STEPS_DOWN):
            smallest = min(self._points)
            can_be_smaller = smallest / 2 >= self._iteration_s
            if self._points[smallest].efficiency < min(THRESHOLDS) or not can_be_smaller:
                break
            yield self._measured(smallest / 2)

    def _confirmed(self) -> Iterator[TaskRun]:
        """Repeat the size below each threshold: METG depends on it, and a machine that is slow for
        a moment makes any size look too small.
        """
        for threshold in THRESHOLDS:
            while (below := self._bracket(threshold)) and below[0] not in self._confirmed_s:
                self._confirmed_s.add(below[0])
                yield self._measured(below[0])

    def _refined(self) -> Iterator[TaskRun]:
        """Add a point between the two that bracket each threshold."""
        for threshold in THRESHOLDS:
            if sizes := self._bracket(threshold):
                yield self._measured(math.sqrt(math.prod(sizes)))

    def _bracket(self, threshold: float) -> tuple[float, float] | None:
        """Work of the tasks on either side of the threshold."""
        ends = bracket(list(self._points.values()), threshold)
        if ends is None:
            return None
        below, above = (
            next(work_s for work_s, point in self._points.items() if point is end) for end in ends
        )
        return below, above


def expected_sweep_s(case: Case, fixed_s: float) -> float:
    """Approximate seconds of a sweep on an engine with this fixed cost per batch."""
    calibrations_s = 1.0
    return calibrations_s + _POINTS * _point_s(float(case.parameters["point_s"]), fixed_s)


def _point_s(wanted_s: float, fixed_s: float) -> float:
    return max(wanted_s, min(fixed_s / _FIXED_SHARE, _LONGEST_POINT_S))


def spin_sweep(bench: Bench, case: Case, way: Way = Way.BULK) -> Sweep:
    """A sweep over independent tasks."""

    def batch(iterations: int, count: int) -> TaskRun:
        tasks = [spin.task(bench.label(), iterations)] * count
        return bench.run(refine(case, iterations=iterations), tasks, spans=False, way=way)

    return Sweep(bench, case, batch)
