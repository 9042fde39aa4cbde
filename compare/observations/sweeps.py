"""The points of a sweep from its records, at the usual speed of the machine.  Pure functions."""

from collections.abc import Sequence
from statistics import fmean

from compare.observations.metg import Point, Swept, fixed_cost_s, point
from compare.records.measurements import Calibration, TaskRun


def swept_of(
    runs: Sequence[TaskRun], calibration: Calibration, workers: int, usual_s: float | None
) -> Swept:
    """The points of the batches ``runs``; those without work are its pilots.

    ``usual_s`` is given if other programs used the cores meanwhile: an iteration on busy cores
    without them.  Such a sweep takes longer by the same factor in all of its parts, which says
    nothing about the engine and is taken off.
    """
    idle_s = (calibration.before_s + calibration.after_s) / 2
    # Runs of earlier versions calibrated on an idle core only.
    busy_s = fmean(calibration.busy_s) if calibration.busy_s else idle_s
    factor = 1.0 if usual_s is None else min(usual_s / busy_s, 1.0)
    fixed_s = factor * _fixed_s(runs)

    def points(iteration_s: float) -> tuple[Point, ...]:
        return tuple(
            point(
                makespan_s=factor * run.makespan_s,
                workers=workers,
                tasks=run.tasks,
                work_s=factor * iterations * iteration_s,
                fixed_s=fixed_s,
            )
            for run in runs
            if (iterations := int(run.case.parameters["iterations"]))
        )

    return Swept(
        busy=points(busy_s),
        idle=points(idle_s),
        busy_s=factor * busy_s,
        idle_s=idle_s,
        fixed_s=fixed_s,
    )


def _fixed_s(sweep: Sequence[TaskRun]) -> float:
    """The fixed cost of a batch, from the pilots of a sweep, which have no work."""
    pilots = [run for run in sweep if not int(run.case.parameters["iterations"])]
    fixed_s, _ = fixed_cost_s((run.tasks, run.makespan_s) for run in pilots)
    return fixed_s
