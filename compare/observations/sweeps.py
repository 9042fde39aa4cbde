"""The points of a sweep from its records, at one speed of the cores.  Pure functions."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, variance

from compare.observations.metg import Point, Swept, fixed_cost_s, point
from compare.records.measurements import Calibration, TaskRun

_FEWEST_CALIBRATIONS = 4
"""To tell a speed that lasts from noise."""


def swept_of(
    runs: Sequence[TaskRun], calibration: Calibration, workers: int, usual_s: float | None
) -> Swept:
    """The points of the batches ``runs``; those without work are its pilots.

    The speed of a core changes within a sweep, so each batch is compared with the busy cores around
    it, and its durations are taken to the mean speed of the sweep.  ``usual_s`` is given if other
    programs used the cores meanwhile: an iteration on busy cores without them.  The sweep took
    longer by the same factor in all of its parts, which says nothing about the engine and is taken
    off.
    """
    count = len(_sized(runs))
    around_s = around(_calibrated_s(calibration), count)
    mean_s, idle_s = fmean(_calibrated_s(calibration)), _idle_s(calibration)

    to_usual = 1.0 if usual_s is None else min(usual_s / mean_s, 1.0)
    return Swept(
        busy=_points(runs, workers, around_s, [to_usual * mean_s / one for one in around_s]),
        idle=_points(runs, workers, [idle_s] * count, [to_usual] * count),
        busy_s=to_usual * mean_s,
        idle_s=idle_s,
        fixed_s=to_usual * _fixed_s(runs),
    )


def points_so_far(
    runs: Sequence[TaskRun], busy_s: Sequence[float], workers: int
) -> tuple[Point, ...]:
    """The points of a sweep that is not finished, with the efficiencies that the analysis sees."""
    around_s = around(busy_s, len(_sized(runs)))
    return _points(runs, workers, around_s, [1.0] * len(around_s))


def on_average(
    runs: Sequence[TaskRun], calibration: Calibration, workers: int
) -> tuple[Point, ...]:
    """The points with the mean of all calibrations as the measure: what the gate looks at."""
    count = len(_sized(runs))
    mean_s = fmean(_calibrated_s(calibration))
    return _points(runs, workers, [mean_s] * count, [1.0] * count)


def _points(
    runs: Sequence[TaskRun], workers: int, iterations_s: Sequence[float], factors: Sequence[float]
) -> tuple[Point, ...]:
    """Of each batch with work: its useful seconds an iteration, and a factor for all durations."""
    fixed_s = _fixed_s(runs)
    return tuple(
        point(
            makespan_s=factor * run.makespan_s,
            workers=workers,
            tasks=run.tasks,
            work_s=factor * int(run.case.parameters["iterations"]) * iteration_s,
            fixed_s=factor * fixed_s,
        )
        for run, iteration_s, factor in zip(_sized(runs), iterations_s, factors, strict=True)
    )


def _sized(runs: Sequence[TaskRun]) -> list[TaskRun]:
    return [run for run in runs if int(run.case.parameters["iterations"])]


def _idle_s(calibration: Calibration) -> float:
    return (calibration.before_s + calibration.after_s) / 2


def _calibrated_s(calibration: Calibration) -> Sequence[float]:
    # Runs of earlier versions calibrated on an idle core only.
    return calibration.busy_s or (_idle_s(calibration),)


def around(busy_s: Sequence[float], batches: int) -> list[float]:
    """An iteration on busy cores around each batch: the mean of the calibrations before and after,
    as far as speeds last, else the mean of all.

    One of ``busy_s`` was measured before the first batch, the others spread evenly over them.
    """
    mean_s, lasting = fmean(busy_s), lasting_share(busy_s)
    every = max(1, round(batches / max(len(busy_s) - 1, 1)))
    before = [min(batch // every, len(busy_s) - 1) for batch in range(batches)]
    near_s = [fmean(busy_s[place : place + 2]) for place in before]
    return [mean_s * (one / mean_s) ** lasting for one in near_s]


def lasting_share(values: Sequence[float]) -> float:
    """Share of the variance that lasts from one value to the next; the rest is noise.

    One minus half of the mean squared difference of neighbours over the variance (von Neumann 1941,
    Ann. Math. Statist. 12:367): 0 where the order of the values says nothing.
    """
    if len(values) < _FEWEST_CALIBRATIONS or not (whole := variance(values)):
        return 0.0
    of_neighbours = fmean((later - earlier) ** 2 for earlier, later in pairwise(values)) / 2
    return min(max(1 - of_neighbours / whole, 0.0), 1.0)


def _fixed_s(sweep: Sequence[TaskRun]) -> float:
    """The fixed cost of a batch, from the pilots of a sweep, which have no work."""
    pilots = [run for run in sweep if not int(run.case.parameters["iterations"])]
    fixed_s, _ = fixed_cost_s((run.tasks, run.makespan_s) for run in pilots)
    return fixed_s
