"""Compares engines within blocks, with the residual that all engines of a run share.

The engines of a block form a randomised complete block design: what a block has in common cancels
in the ratio of two engines.  With three blocks the variance of one pair alone has two degrees of
freedom, and a difference of 65% can hide in 5% of noise.  So the variance of each pair is shrunk
towards the residual of the run, as in the moderated t test (Smyth 2004,
https://doi.org/10.2202/1544-6115.1027).  All values are logarithms.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from compare.analysis.intervals import CONFIDENCE, Estimate, geometric_mean, holm, quantile
from compare.observations.metric import FEWEST_BLOCKS

Values = Mapping[str, Mapping[int, float]]
"""Positive values by engine and block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """What is left of the logarithms without the effects of engines, and of blocks if they are
    compared within them.
    """

    variance: float
    """Of one value."""
    prior_degrees: float
    """Degrees of freedom that the residual adds to those of a pair, or of an engine.  A part of its
    own, since engines are not equally noisy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The ratio of two engines, tested against 1."""

    ratio: Estimate
    """Paired within blocks, with the interval of this pair alone."""
    p: float
    """Two-sided, of this pair alone."""
    most: float
    """With the confidence of all pairs together the ratio lies between 1/most and most."""
    half_width: float
    """The ratio is known to this share of it, with the confidence of this pair alone."""


def residual(values: Values) -> Residual | None:
    """The residual of a run; ``None`` where two blocks or two engines are not there.

    Least squares of engine and block effects, so that blocks may lack an engine.  It counts with
    half of its degrees of freedom: (k - 1)(n - 1) / 2 for k engines in n complete blocks.
    """
    engines = list(values)
    blocks = sorted({block for of_engine in values.values() for block in of_engine})
    cells = [
        (engines.index(engine), blocks.index(block), math.log(value))
        for engine, of_engine in values.items()
        for block, value in of_engine.items()
    ]
    design = np.zeros((len(cells), len(engines) + len(blocks)))
    for line, (engine, block, _) in enumerate(cells):
        design[line, engine] = design[line, len(engines) + block] = 1.0
    logs = np.array([log for *_, log in cells])
    degrees = len(cells) - (int(np.linalg.matrix_rank(design)) if cells else 0)
    if degrees < 1:
        return None
    fitted, *_ = np.linalg.lstsq(design, logs, rcond=None)
    squares = float(np.sum((logs - design @ fitted) ** 2))
    return Residual(variance=squares / degrees, prior_degrees=degrees / 2)


def difference(
    ours: Mapping[int, float],
    theirs: Mapping[int, float],
    shared: Residual | None,
    *,
    comparisons: int = 1,
) -> Difference | None:
    """``ours`` over ``theirs``; ``None`` with fewer than three common blocks.

    ``comparisons`` is the number of pairs that ``Difference.most`` has to hold for together.
    """
    logs = [math.log(ours[block] / theirs[block]) for block in ours if block in theirs]
    n = len(logs)
    if n < FEWEST_BLOCKS:
        return None
    center, own_degrees = float(np.mean(logs)), n - 1
    variance, degrees = float(np.var(logs, ddof=1)), float(own_degrees)
    if shared is not None:
        degrees = own_degrees + shared.prior_degrees
        # The variance of the difference of two values is twice that of one.
        prior = 2 * shared.variance * shared.prior_degrees
        variance = (prior + variance * own_degrees) / degrees
    error = math.sqrt(variance / n)
    if error == 0:  # no noise at all
        p = 1.0 if center == 0 else 0.0
    else:
        # What stats.t.sf computes; importing scipy.stats takes half a second at every start.
        p = float(2 * special.stdtr(degrees, -abs(center) / error))
    half = error * quantile(degrees)
    # Bonferroni, since an interval for all pairs must hold for each of them.
    together = error * quantile(degrees, 1 - (1 - CONFIDENCE) / comparisons)
    return Difference(
        ratio=Estimate(
            value=math.exp(center), low=math.exp(center - half), high=math.exp(center + half), n=n
        ),
        p=p,
        most=math.exp(abs(center) + together),
        half_width=math.exp(half) - 1,
    )


def spread(samples: Iterable[Sequence[float]]) -> Residual | None:
    """How much the blocks of an engine differ; each sample has the positive values of one engine.

    It counts with half of its degrees of freedom, like the residual.  ``None`` without two blocks.
    """
    logs = [np.log(sample) for sample in samples]
    degrees = sum(len(one) - 1 for one in logs)
    if not degrees:
        return None
    squares = sum(float(np.sum((one - one.mean()) ** 2)) for one in logs)
    return Residual(variance=squares / degrees, prior_degrees=degrees / 2)


def alike(values: Sequence[float], others: Residual | None) -> Estimate:
    """Geometric mean of the blocks of one engine; its noise is known from the others, too.

    ``others`` is the ``spread`` of the other engines.  Without it, and below three blocks, as
    ``geometric_mean``.
    """
    own = geometric_mean(values)
    if others is None or own.low is None:
        return own
    logs = np.log(values)
    squares = float(np.sum((logs - logs.mean()) ** 2))
    degrees = len(values) - 1 + others.prior_degrees
    variance = (squares + others.variance * others.prior_degrees) / degrees
    factor = math.exp(math.sqrt(variance / len(values)) * quantile(degrees))
    return replace(own, low=own.value / factor, high=own.value * factor)


def adjusted(differences: Sequence[Difference]) -> tuple[float, ...]:
    """The p values of a family of pairs, adjusted by Holm."""
    return holm([one.p for one in differences])
