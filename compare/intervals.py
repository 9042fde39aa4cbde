"""Numbers to estimates with 95% intervals.  Knows no record and no engine.

One value a block goes in.  Intervals are Student's t over the blocks, on logarithms for what is
positive by nature (times, rates, ratios).  No bootstrap: over 10 blocks of lognormal noise a BCa
interval covers 89% and over 30 blocks 93%, where t keeps 95% from two blocks on.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
_TAIL_SAMPLES = 10
"""A percentile needs about this many samples beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value, and the bounds of its 95% interval over ``n`` blocks.

    The bounds are ``None`` from one block, and for what has no interval.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def difference_shown(self) -> bool:
        """Of a ratio: the interval excludes 1.  Never from one block."""
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high


def mean(values: Sequence[float]) -> Estimate:
    """Arithmetic mean with a t interval, for what may be zero or negative."""
    value, n = float(np.mean(values)), len(values)
    if n == 1:
        return Estimate(value=value, low=None, high=None, n=1)
    half = float(np.std(values, ddof=1)) / math.sqrt(n) * _quantile(n - 1)
    return Estimate(value=value, low=value - half, high=value + half, n=n)


def geometric_mean(values: Sequence[float]) -> Estimate:
    """Geometric mean with a t interval on the logarithms; all values positive.

    Given ratios a/b of the same blocks, this is the paired estimate of the ratio.
    """
    logs = mean([math.log(value) for value in values])
    return Estimate(
        value=math.exp(logs.value),
        low=None if logs.low is None else math.exp(logs.low),
        high=None if logs.high is None else math.exp(logs.high),
        n=logs.n,
    )


def center(values: Sequence[float]) -> Estimate:
    """Geometric mean where all values are positive, else the arithmetic mean."""
    return geometric_mean(values) if min(values) > 0 else mean(values)


def median(values: Sequence[float]) -> Estimate:
    """Median without an interval: of counts, and of what is the same in every block."""
    return Estimate(value=float(np.median(values)), low=None, high=None, n=len(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio of two independent samples and the chance of one as large without a difference."""

    estimate: Estimate
    """``n`` is the size of the smaller sample."""
    p: float | None
    """Two-sided; ``None`` when a sample is of one block."""


def unpaired_ratio(new: Sequence[float], old: Sequence[float]) -> Ratio:
    """Ratio of geometric means, new/old, with Welch's t interval on the logarithms.

    Degrees of freedom as in Welch 1947, Biometrika 34:28.  ``scipy.stats.ttest_ind`` computes the
    same, but warns when the blocks of one run are equal, which they may well be.
    """
    samples = [np.log(values) for values in (new, old)]
    difference = float(samples[0].mean() - samples[1].mean())
    value, n = math.exp(difference), min(len(new), len(old))
    if n == 1:
        return Ratio(estimate=Estimate(value=value, low=None, high=None, n=1), p=None)
    squared_errors = [float(np.var(sample, ddof=1)) / len(sample) for sample in samples]
    error = math.sqrt(sum(squared_errors))
    if error == 0:  # no noise at all
        same = Estimate(value=value, low=value, high=value, n=n)
        return Ratio(estimate=same, p=1.0 if difference == 0 else 0.0)
    degrees = error**4 / sum(
        squared**2 / (len(sample) - 1)
        for squared, sample in zip(squared_errors, samples, strict=True)
    )
    half = error * _quantile(degrees)
    return Ratio(
        estimate=Estimate(
            value=value, low=math.exp(difference - half), high=math.exp(difference + half), n=n
        ),
        p=float(2 * stats.t.sf(abs(difference) / error, degrees)),
    )


def paired_p(ratios: Sequence[float]) -> float | None:
    """Chance of ratios as far from 1 without a difference: two-sided paired t test on logarithms.

    ``None`` from one block.
    """
    logs = np.log(ratios)
    if len(logs) == 1:
        return None
    error = float(np.std(logs, ddof=1)) / math.sqrt(len(logs))
    if error == 0:  # no noise at all
        return 1.0 if logs[0] == 0 else 0.0
    return float(2 * stats.t.sf(abs(float(logs.mean())) / error, len(logs) - 1))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p values, adjusted so that of all comparisons together one is wrong at most as often.

    Step-down (Holm 1979, Scand. J. Statist. 6:65): the k-th smallest of m is multiplied by
    m - k + 1, and none may be below the one before.
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = least
    return tuple(adjusted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """makespan(N) = a + b·N."""

    fixed_s: float
    per_task_s: float
    residual_s: float
    """Root mean square of makespan - (a + b·N)."""
    worst: float
    """Largest deviation from the line as a share of the makespan there."""


def fit_line(tasks: Sequence[int], makespans_s: Sequence[float]) -> Line | None:
    """Weighted least squares; ``None`` from fewer than three sizes, which leave no residual.

    Of a size that was measured several times the median counts, as one.

    The weights are 1/makespan: the noise of a run grows with its length, so the relative
    deviations are what is minimised.  Unweighted, the largest N alone would decide, and its noise
    would bury ``a``, which the smallest N tells.
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
    """For a percentile: 10/(1 - share)."""
    return math.ceil(round(_TAIL_SAMPLES / (1 - share), 6))


def percentile(samples: Sequence[float], share: float) -> float | None:
    """The value that ``share`` of the samples stay below; ``None`` when they are too few."""
    return float(np.quantile(samples, share)) if len(samples) >= samples_needed(share) else None


@functools.lru_cache(maxsize=256)
def _quantile(degrees: float) -> float:
    """Of Student's t; a distribution object of scipy takes most of the time otherwise."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees))
