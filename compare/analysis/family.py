"""All rows of two runs as one set of tests: which of them changed.

Hundreds of rows over three blocks need a decision for each that is right for all together, and few
blocks tell little about the variance of one row.  Throughput is what most readers ask about, so it
is tested with the variance that the engines share, and has half of the error to itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from compare.analysis.blocks import Residual, spread
from compare.analysis.intervals import CONFIDENCE, Estimate, Ratio, quantile, unpaired_ratio
from compare.analysis.relative import Pair
from compare.experiments.shared_metrics import THROUGHPUT
from compare.experiments.throughput import NAME
from compare.observations.series import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A row of both runs."""

    before: Series
    after: Series
    pair: Pair
    """The values of both that are compared, all positive; see ``compare.analysis.relative``."""

    @property
    def main(self) -> bool:
        """Whether it is the throughput of an engine."""
        return (self.before.experiment, self.before.quantity.name) == (
            NAME,
            THROUGHPUT.quantity.name,
        )


def tested(rows: Sequence[Tried]) -> list[Ratio]:
    """The ratio after/before of each row with its interval, and the p value of this row alone."""
    alike = [row.main and not row.pair.proxy for row in rows]
    shared = _shared([row.pair for row, one in zip(rows, alike, strict=True) if one])
    return [
        _moderated(row.pair, shared) if shared and one else _alone(row)
        for row, one in zip(rows, alike, strict=True)
    ]


def discoveries(rows: Sequence[Tried], ratios: Sequence[Ratio]) -> tuple[bool, ...]:
    """Which rows changed, with a false discovery rate of 5% (Benjamini and Hochberg 1995).

    Half of it belongs to the throughputs and half to all other rows, each a family of its own: many
    changes among the one must not lower the standard for the other.
    """
    families = [
        {place: ratio.p for place, ratio in enumerate(ratios) if rows[place].main is main}
        for main in (True, False)
    ]
    known = [
        {place: p for place, p in family.items() if p is not None} for family in families if family
    ]
    changed = {
        place
        for family in known
        for place, p in zip(family, _adjusted(list(family.values())), strict=True)
        if p <= (1 - CONFIDENCE) / len(known)
    }
    return tuple(place in changed for place in range(len(rows)))


def _adjusted(p_values: list[float]) -> list[float]:
    if not p_values:
        return []
    # Imported here, since it takes half a second and only ``diff`` and ``history`` come here.
    from scipy import stats

    return list(stats.false_discovery_control(p_values, method="bh"))


def _alone(row: Tried) -> Ratio:
    pair = row.pair
    ratio = unpaired_ratio(list(pair.after.values()), list(pair.before.values()))
    if not pair.proxy or ratio.p is None:
        return ratio
    # Between as measured and relative lies whatever follows the machine in part.  Only what changed
    # in the same direction by both changed itself (an intersection-union test).
    measured = unpaired_ratio(list(row.after.values.values()), list(row.before.values.values()))
    agree = (measured.estimate.value > 1) == (ratio.estimate.value > 1)
    p = max(ratio.p, 1.0 if measured.p is None else measured.p) if agree else 1.0
    return Ratio(estimate=ratio.estimate, p=p)


def _shared(pairs: Sequence[Pair]) -> Residual | None:
    """The variance within the runs that rows have in common; ``None`` if there is one block.

    It counts with a quarter of its degrees of freedom: engines are not equally noisy, and the noise
    of the serial engine is in all rows of a run.
    """
    samples = [list(values.values()) for pair in pairs for values in (pair.before, pair.after)]
    shared = spread(samples)
    return None if shared is None else replace(shared, prior_degrees=shared.prior_degrees / 2)


def _moderated(pair: Pair, shared: Residual) -> Ratio:
    """Two-sample t on logarithms; the variance is shrunk towards the shared one (Smyth 2004), but
    an engine that is noisier than the others keeps its own.
    """
    samples = [_logs(pair.after), _logs(pair.before)]
    own = sum(len(logs) - 1 for logs in samples)
    n = min(map(len, samples))
    squares = sum(float(np.sum((logs - logs.mean()) ** 2)) for logs in samples)
    degrees = own + shared.prior_degrees
    variance = max(
        (squares + shared.variance * shared.prior_degrees) / degrees, squares / max(own, 1)
    )
    error = math.sqrt(variance * sum(1 / len(logs) for logs in samples))
    if n == 1 or error == 0:
        return unpaired_ratio(list(pair.after.values()), list(pair.before.values()))
    center = float(samples[0].mean() - samples[1].mean())
    half = error * quantile(degrees)
    return Ratio(
        estimate=Estimate(
            value=math.exp(center), low=math.exp(center - half), high=math.exp(center + half), n=n
        ),
        p=float(2 * special.stdtr(degrees, -abs(center) / error)),
    )


def _logs(values: Mapping[int, float]) -> npt.NDArray[np.float64]:
    logs: npt.NDArray[np.float64] = np.log(np.array(list(values.values())))
    return logs
