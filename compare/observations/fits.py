"""Statistics within one block: a fitted line and percentiles.  Pure functions, without scipy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

STRAIGHT = 100
"""Tasks: smaller batches do not lie on the line."""
_TAIL_SAMPLES = 10
"""A percentile needs about this many samples beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """makespan(N) = a + b·N, for batches of empty tasks."""

    fixed_s: float
    """a: the makespan of a single task, less ``per_task_s``."""
    per_task_s: float
    """b: the slope where the line is straight."""
    residual: float
    """Root mean square of the deviations from the straight part, as a share of the makespan."""
    worst: float
    """Largest of these deviations."""


def fit_line(tasks: Sequence[int], makespans_s: Sequence[float]) -> Line | None:
    """The slope over batches of at least ``STRAIGHT`` tasks, and the fixed cost from single tasks.

    ``None`` without a single task, or with fewer than three sizes of the larger batches, which
    leave no residual.  A size that was measured several times counts once, with its median.

    The slope is a weighted least-squares fit with its own intercept, because small batches do not
    lie on the line: an engine hands their tasks to workers that wait.  The weights are 1/makespan,
    so that relative deviations count: the noise of a run grows with its length.
    """
    of_size: dict[int, list[float]] = {}
    for size, makespan_s in zip(tasks, makespans_s, strict=True):
        of_size.setdefault(size, []).append(makespan_s)
    medians = {size: float(np.median(of_size[size])) for size in sorted(of_size)}
    straight = [size for size in medians if size >= STRAIGHT]
    if 1 not in medians or len(straight) < 3:  # noqa: PLR2004 - a line has two unknowns
        return None
    sizes, seconds = np.array(straight, dtype=float), np.array([medians[n] for n in straight])
    per_task_s, intercept_s = np.polyfit(sizes, seconds, deg=1, w=1 / seconds)
    deviations = (seconds - (intercept_s + per_task_s * sizes)) / seconds
    return Line(
        fixed_s=medians[1] - float(per_task_s),
        per_task_s=float(per_task_s),
        residual=float(np.sqrt(np.mean(deviations**2))),
        worst=float(np.max(np.abs(deviations))),
    )


def samples_needed(share: float) -> int:
    """Samples that a percentile needs: 10/(1 - share)."""
    return math.ceil(round(_TAIL_SAMPLES / (1 - share), 6))


def percentile(samples: Sequence[float], share: float) -> float | None:
    """The value below which ``share`` of the samples lie; ``None`` if there are too few."""
    return float(np.quantile(samples, share)) if len(samples) >= samples_needed(share) else None
