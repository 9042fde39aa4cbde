"""Statistics within one block: a fitted line and percentiles.  Pure functions, without scipy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_TAIL_SAMPLES = 10
"""A percentile needs about this many samples beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """makespan(N) = a + b·N."""

    fixed_s: float
    per_task_s: float
    residual_s: float
    """Root mean square of makespan - (a + b·N)."""
    worst: float
    """Largest deviation from the line, as a share of the makespan at that point."""


def fit_line(tasks: Sequence[int], makespans_s: Sequence[float]) -> Line | None:
    """Weighted least squares; ``None`` with fewer than three sizes, which leave no residual.

    A size that was measured several times counts once, with its median.

    The weights are 1/makespan: the noise of a run grows with its length, so the relative
    deviations are minimised.  Without weights the largest N alone would decide, and its noise
    would hide ``a``, which the smallest N determines.
    """
    every = sorted(set(tasks))
    if len(every) < 3:  # noqa: PLR2004 - a line has two unknowns
        return None
    of_size = [[s for n, s in zip(tasks, makespans_s, strict=True) if n == size] for size in every]
    sizes, seconds = np.asarray(every, dtype=float), np.asarray([np.median(s) for s in of_size])
    per_task_s, fixed_s = np.polyfit(sizes, seconds, deg=1, w=1 / seconds)
    deviations = seconds - (fixed_s + per_task_s * sizes)
    return Line(
        fixed_s=float(fixed_s),
        per_task_s=float(per_task_s),
        residual_s=float(np.sqrt(np.mean(deviations**2))),
        worst=float(np.max(np.abs(deviations) / seconds)),
    )


def samples_needed(share: float) -> int:
    """Samples that a percentile needs: 10/(1 - share)."""
    return math.ceil(round(_TAIL_SAMPLES / (1 - share), 6))


def percentile(samples: Sequence[float], share: float) -> float | None:
    """The value below which ``share`` of the samples lie; ``None`` if there are too few."""
    return float(np.quantile(samples, share)) if len(samples) >= samples_needed(share) else None
