"""The makespan of a job on one engine, with the interval of the next time that somebody runs it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compare.analysis.blocks import Residual
from compare.analysis.intervals import quantile
from compare.analysis.makespans import Makespan
from compare.observations.metric import FEWEST_BLOCKS

_COSTS_VARY, _WORK_VARIES = 0.25, 0.05
"""Standard deviation of the logarithm from one run to another on the same machine, which the blocks
of one run cannot show: of what an engine adds, and of the work.  Between the published runs, no-ops
of the engines that were the same program in both differed by 0.05 to 0.4, long tasks by 0.1 at
most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a job is expected to take on one engine."""

    engine: str
    makespan_s: float
    low_s: float | None
    """Bounds of the 95% prediction interval: one run of the job, on the same machine on another
    day, takes a time between them.  ``None`` below three blocks."""
    high_s: float | None
    basis: str
    """The record and the measurements that the number comes from."""
    measured: bool
    """The job lies within what was measured; otherwise the interval spans several models."""
    by_block: Mapping[int, float]
    """Makespan in seconds with the costs of each block."""


def prediction(  # noqa: PLR0913 - what a prediction consists of
    engine: str,
    blocks: Mapping[int, Makespan],
    scatter: Sequence[float],
    shared: Residual | None,
    *,
    overhead_share: float,
    measured: bool,
    basis: str,
) -> Prediction:
    """The prediction from the makespans with the costs of each block.

    The variance of a single run is that between blocks, of which the mean is uncertain, too, that
    of one batch within a block, and that between days.  ``scatter`` has the logarithms of batches
    over their fit; ``overhead_share`` of the makespan is not the tasks' own work.
    """
    values = _logs(one.value_s for one in blocks.values())
    center = float(np.mean(values))
    low = high = None
    if len(values) >= FEWEST_BLOCKS:
        day = _COSTS_VARY * overhead_share + _WORK_VARIES * (1 - overhead_share)
        half = _half_width(values, scatter, shared, day)
        low = math.exp(float(np.mean(_logs(one.low_s for one in blocks.values()))) - half)
        high = math.exp(float(np.mean(_logs(one.high_s for one in blocks.values()))) + half)
    return Prediction(
        engine=engine,
        makespan_s=math.exp(center),
        low_s=low,
        high_s=high,
        basis=basis,
        measured=measured,
        by_block={block: one.value_s for block, one in blocks.items()},
    )


def between_blocks(samples: Sequence[Mapping[int, Makespan]]) -> Residual | None:
    """The variance between blocks that the engines have in common; ``None`` with one block.

    It counts with half of its degrees of freedom: engines are not equally noisy, and a block that
    is slow is slow for all of them.
    """
    logs = [_logs(one.value_s for one in blocks.values()) for blocks in samples]
    degrees = sum(len(one) - 1 for one in logs)
    if degrees < 1:
        return None
    squares = sum(float(np.sum((one - one.mean()) ** 2)) for one in logs)
    return Residual(variance=squares / degrees, prior_degrees=degrees / 2)


def _half_width(
    values: npt.NDArray[np.float64],
    scatter: Sequence[float],
    shared: Residual | None,
    day: float,
) -> float:
    """Half of the prediction interval, on logarithms.

    The variance between blocks is shrunk towards the shared one, but an engine that is noisier than
    the others keeps its own.  ``day`` is the standard deviation between days.  Degrees of freedom
    of the sum as in Welch 1947.
    """
    n, own = len(values), float(np.var(values, ddof=1))
    degrees, variance = float(n - 1), own
    if shared is not None:
        degrees = n - 1 + shared.prior_degrees
        shrunk = own * (n - 1) + shared.variance * shared.prior_degrees
        variance = max(own, shrunk / degrees)
    between = variance * (1 + 1 / n)
    within = float(np.mean(np.square(scatter))) if scatter else 0.0
    total = between + within + day**2
    squares = between**2 / degrees + within**2 / max(len(scatter), 1)
    # Without noise in the run there is no limit to the degrees of freedom.
    most = 1e6
    return math.sqrt(total) * quantile(min(total**2 / squares, most) if squares else most)


def _logs(values: Iterable[float]) -> npt.NDArray[np.float64]:
    logs: npt.NDArray[np.float64] = np.log(np.array(list(values)))
    return logs
