"""Fixed work in tasks of many sizes, from far below to far above an engine's overhead."""

import math
import random
from collections.abc import Callable, Iterator
from statistics import fmean
from typing import TypeAlias

from compare.measure.bench import Bench, Way
from compare.measure.warm_up import warm_up
from compare.observations.metg import (
    THRESHOLDS,
    Limit,
    Point,
    efficiency_of_work,
    fixed_cost_s,
    metg,
)
from compare.observations.sweeps import points_so_far
from compare.records.measurements import TaskRun
from compare.records.plan import CEILING, SERIAL, Case, refine
from workload.kernels import spin

_LADDER = (1 / 2, 1, 2, 4, 8)
"""Work of a task, relative to the overhead that the pilots measured."""
_MOST_STEPS_DOWN, _MOST_STEPS_UP = 3, 6
_MARGIN = 1.5
"""Largest size over that at the upper crossing: noise takes a crossing at the end of the sizes
away."""
_AROUND = (4 / 5, 5 / 4)
"""Sizes relative to that of a crossing, one after the other: METG depends on these."""
_ROUNDS = {0.5: 12, 0.9: 2}
"""Sizes measured around the crossing of each threshold.  Where half of the time is useful, the
efficiency depends on every disturbance of a batch, and the tasks are short enough to repeat."""
_ROUNDS_OF_REFERENCES = {0.5: 4, 0.9: 2}
"""The same for the references, which nobody chooses by their METG."""
_PILOTS, _PILOT_TASKS = 3, 50
_WARM_UP_S = 2.0
_FEWEST_WAVES, _MOST_TASKS = 6, 20_000
_CALIBRATED_EVERY, _CALIBRATED_EVERY_OF_REFERENCES = 2, 1
"""Points between two calibrations.  The references have fewer points, and each sweep needs enough
calibrations on a machine whose cores have two speeds."""
_POINTS = 25
"""Approximate number of points, if all lasted equally long: the largest tasks last longer."""
_PILOTS_S, _CALIBRATION_S = 1.5, 0.1
_FIXED_SHARE = 0.15
"""A point lasts long enough that the engine's fixed cost is at most this share of it."""
_LONGEST_POINT_S = 2.0
"""Upper limit of that duration; steps to larger tasks that would take longer are left out."""


Batch: TypeAlias = Callable[[int, int], TaskRun]
"""Runs a batch with these iterations per task and this approximate number of tasks."""


class Sweep:
    """Measures the ladder in random order, then more steps if it does not cross a threshold, then
    sizes around both crossings.  Between the points, the kernel is calibrated on busy cores.
    """

    def __init__(self, bench: Bench, case: Case, batch: Batch, *, warm: bool = False) -> None:
        """``warm``: empty tasks were run in such batches just before, until they were steady."""
        self._bench = bench
        self._case = case
        self._batch = batch
        self._warm = warm
        self._workers = bench.workers
        reference = bench.session.engine in (SERIAL, CEILING)
        self._rounds = _ROUNDS_OF_REFERENCES if reference else _ROUNDS
        self._every = _CALIBRATED_EVERY_OF_REFERENCES if reference else _CALIBRATED_EVERY
        self._pilot_runs: list[TaskRun] = []
        self._runs: list[TaskRun] = []
        self._fixed_s = self._added_s = self._point_s = 0.0

    def run(self) -> Iterator[TaskRun]:
        """Measure and yield the pilots, which have no work, and each point."""
        self._bench.calibrate_busy()
        yield from self._pilots()
        rungs = [self._added_s * factor for factor in _LADDER]
        # Seeded and shuffled: a drift must not look like a dependence on the size.
        random.Random(f"{self._bench.plan.options.seed}/{self._bench.session.id}").shuffle(rungs)  # noqa: S311
        for work_s in rungs:
            yield self._measured(work_s)
        yield from self._widened()
        for number in range(max(self._rounds.values())):
            for threshold in THRESHOLDS:
                if number < self._rounds[threshold]:
                    around = _AROUND[number % len(_AROUND)]
                    yield self._measured(self._crossing_s(threshold) * around)
        # Noise may have taken a crossing away that was there before these sizes.
        yield from self._widened()

    def _pilots(self) -> Iterator[TaskRun]:
        """Measure the fixed cost of a batch, and what a task adds for its worker."""
        if not self._warm:
            for _ in warm_up(lambda count: self._batch(0, count), _WARM_UP_S):
                pass
        self._pilot_runs = [
            self._batch(0, count)
            for _ in range(_PILOTS)
            for count in (self._workers, _PILOT_TASKS * self._workers)
        ]
        yield from self._pilot_runs
        costs = ((run.tasks, run.makespan_s) for run in self._pilot_runs)
        self._fixed_s, per_task_s = fixed_cost_s(costs)
        self._added_s = per_task_s * self._workers
        self._point_s = _point_s(float(self._case.parameters["point_s"]), self._fixed_s)

    def _measured(self, work_s: float) -> TaskRun:
        iterations = max(1, round(work_s / self._iteration_s()))
        waves = max(_FEWEST_WAVES, math.ceil(self._point_s / self._granularity_s(work_s)))
        run = self._batch(iterations, min(waves * self._workers, _MOST_TASKS))
        self._runs.append(run)
        if len(self._runs) % self._every == 0:
            self._bench.calibrate_busy()
        return run

    def _iteration_s(self) -> float:
        """On busy cores, in the mean of this sweep."""
        return fmean(self._bench.busy_s)

    def _granularity_s(self, work_s: float) -> float:
        """Of tasks with this work, as measured so far; else from the pilots' overhead."""
        efficiency = efficiency_of_work(self._points(), work_s)
        return work_s / efficiency if isinstance(efficiency, float) else work_s + self._added_s

    def _points(self) -> tuple[Point, ...]:
        # As the analysis sees them: a crossing that it does not find would be missed for good.
        return points_so_far([*self._pilot_runs, *self._runs], self._bench.busy_s, self._workers)

    def _widened(self) -> Iterator[TaskRun]:
        """Measure larger and smaller sizes until both crossings lie well inside them."""
        upper, lower = max(THRESHOLDS), min(THRESHOLDS)
        for _ in range(_MOST_STEPS_UP):
            largest_s = max(one.work_s for one in self._points())
            too_long = 2 * largest_s * _FEWEST_WAVES > max(_LONGEST_POINT_S, self._point_s)
            if too_long or largest_s >= _MARGIN * self._crossing_s(upper):
                break
            yield self._measured(2 * largest_s)
        for _ in range(_MOST_STEPS_DOWN):
            smallest_s = min(one.work_s for one in self._points())
            too_short = smallest_s / 2 < self._iteration_s()
            if too_short or smallest_s < self._crossing_s(lower):
                break
            yield self._measured(smallest_s / 2)

    def _crossing_s(self, threshold: float) -> float:
        """Work at which the efficiency reaches the threshold; if none does, the nearest size."""
        points = self._points()
        found = metg(points, threshold)
        if isinstance(found, float):
            return found * threshold
        sizes = [one.work_s for one in points]
        return max(sizes) if isinstance(found, Limit) and found.more else min(sizes)


def expected_sweep_s(case: Case, fixed_s: float) -> float:
    """Approximate seconds of a sweep on an engine with this fixed cost per batch."""
    calibrations_s = 1.0 + _POINTS / _CALIBRATED_EVERY * _CALIBRATION_S
    points_s = _POINTS * _point_s(float(case.parameters["point_s"]), fixed_s)
    return _PILOTS_S + calibrations_s + points_s


def _point_s(wanted_s: float, fixed_s: float) -> float:
    return max(wanted_s, min(fixed_s / _FIXED_SHARE, _LONGEST_POINT_S))


def spin_sweep(bench: Bench, case: Case, way: Way = Way.BULK) -> Sweep:
    """A sweep over independent tasks."""

    def batch(iterations: int, count: int) -> TaskRun:
        tasks = [spin.task(bench.label(), iterations)] * count
        return bench.run(refine(case, iterations=iterations), tasks, spans=False, way=way)

    return Sweep(bench, case, batch, warm=bench.warm and way is Way.BULK)
