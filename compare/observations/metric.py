"""The meaning of a number: its name, its unit, its direction, and how blocks are averaged.

Names and units must not change, because other programs read them from ``summary.json``.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from compare.observations.absence import Absence

_T = TypeVar("_T")

FEWEST_BLOCKS = 3
"""For an interval: over two blocks, Student's t has one degree of freedom, a factor of 12.7."""


class Better(enum.Enum):
    """Which direction is better for the reader."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


class Mean(enum.Enum):
    """How the values of the blocks are averaged; ``compare.analysis.intervals`` computes it."""

    GEOMETRIC = "geometric"
    """With an interval on logarithms; for positive values: times, rates, ratios."""
    ARITHMETIC = "arithmetic"
    """With an interval; for estimates that noise may make zero or negative, as a fitted cost."""
    SHARE = "arithmetic, between 0 and 1"
    """With an interval that is cut where no share can be; noise may give a single block more."""
    RANGE = "arithmetic, with the range"
    """With the smallest and the largest block instead of an interval; for durations that may be
    zero, and for values that differ between blocks because the work does.  An interval would reach
    values that are impossible."""
    GEOMETRIC_ALIKE = "geometric, with the noise of all engines"
    """Like ``GEOMETRIC``, but the variance is shrunk towards that of the other engines: for what is
    measured in the same way on each, so that they are about equally noisy."""
    GEOMETRIC_IF_POSITIVE = "geometric if all values are positive, else arithmetic, with the range"
    MEDIAN = "median"
    """Without an interval; for counts, and for values that are equal in every block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """The meaning of a number, without its source."""

    name: str
    unit: str
    better: Better
    mean: Mean = Mean.GEOMETRIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(Generic[_T]):
    """A quantity, and how it is computed from the measurements of one block."""

    quantity: Quantity
    value: "Callable[[_T], float | Absence | None]"
    """The number of a block; or why it has none, in words of its own."""
    lacking: str = "not measured"
    """Why ``value`` can be ``None``."""


def metric(  # noqa: PLR0913 - one parameter per field
    name: str,
    unit: str,
    better: Better,
    value: "Callable[[_T], float | Absence | None]",
    *,
    mean: Mean = Mean.GEOMETRIC,
    lacking: str = "not measured",
) -> Metric[_T]:
    """A metric with its quantity."""
    quantity = Quantity(name=name, unit=unit, better=better, mean=mean)
    return Metric(quantity=quantity, value=value, lacking=lacking)
