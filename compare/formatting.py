"""Numbers, units and plurals as text."""

import math
import re
from collections.abc import Callable
from typing import Protocol

_DIGITS, _BOUND_DIGITS = 3, 2
_WIDE = 2.0
"""High over low of an interval whose bounds need not be equally fine."""
_COUNTED = ("tasks", "processes", "threads", "workers", "1 or 0")
"""Units whose values are whole numbers."""
_RATE, _MANY, _TINY = "tasks/s", 10_000, 0.01
_LONGEST = 110
"""Longest reason in a table, in characters; the cautions print reasons in full."""


class Estimated(Protocol):
    """A value with its interval, such as a row of the summary."""

    @property
    def unit(self) -> str: ...  # noqa: D102 - see compare.observations.series.Row
    @property
    def value(self) -> float | str | None: ...  # noqa: D102
    @property
    def low(self) -> float | None: ...  # noqa: D102
    @property
    def high(self) -> float | None: ...  # noqa: D102
    @property
    def n(self) -> int: ...  # noqa: D102
    @property
    def values(self) -> tuple[float, ...]: ...  # noqa: D102


def number(value: float, *, digits: int = _DIGITS) -> str:
    """Three significant digits, or as many as asked for, without exponent."""
    exponent = int(f"{value:.{digits - 1}e}".split("e")[1])
    decimals = digits - 1 - exponent
    return f"{round(value, decimals) + 0.0:,.{max(0, decimals)}f}"


def seconds(value: float, *, digits: int = _DIGITS) -> str:
    """A duration with the unit that suits its size."""
    unit, scale = _unit(value)
    return f"{number(value * scale, digits=digits)} {unit}"


def value_of(row: Estimated) -> float:
    """The number of a row.

    Raises:
        TypeError: the row has no number.
    """
    if not isinstance(row.value, float):
        raise TypeError(f"this row has no number: {row}")
    return row.value


def estimate(row: Estimated, scale: float = 1.0, *, usual_n: int | None = None) -> str:
    """``4.90 (4.7-5.1)`` with an en dash, and n where it is not the usual one.

    Two blocks have no interval: the cell gives both values.  A duration has the unit that suits
    its size.  The row must have a value.
    """
    of_n = [] if row.n == usual_n else [f"n={row.n}"]
    if isinstance(row.value, str):
        return " ".join([row.value, *(f"({n})" for n in of_n)])
    bounds = []
    if row.low is None and len(row.values) == 2 and len(set(row.values)) == 2:  # noqa: PLR2004
        unit, factor = _unit_of(row, scale)
        both = " and ".join(_digits(row, value * factor) for value in row.values)
        return f"{both} {unit}".rstrip()
    if row.low is not None and row.high is not None:
        _, factor = _unit_of(row, scale)
        low, high = row.low * factor, row.high * factor
        far = row.unit == "s" and low >= 0 and (0 < low < _TINY or high >= _MANY)
        bounds = [_far_apart(row.low * scale, row.high * scale) if far else interval(low, high)]
    inside = ", ".join([*bounds, *of_n])
    return f"{bare(row, scale)} ({inside})" if inside else bare(row, scale)


def bare(row: Estimated, scale: float = 1.0) -> str:
    """The value without its interval; the row must have a number, and a count stays whole."""
    unit, factor = _unit_of(row, scale)
    return f"{_digits(row, value_of(row) * factor)} {unit}".rstrip()


def _digits(row: Estimated, value: float) -> str:
    return f"{value:,.0f}" if row.unit in _COUNTED and value.is_integer() else number(value)


def interval(low: float, high: float) -> str:
    """The bounds with two significant digits, rounded outwards: never narrower than they are.

    The upper bound is as fine as the lower one if the interval is narrower than a factor of two:
    98.1 to 101.2 is 98–102 and not 98–110.
    """
    dash = " to " if low < 0 else "–"
    last = _last_decimal(high)
    if 0 < low <= high < _WIDE * low:
        last = _last_decimal(low)
    return dash.join(
        (_rounded(low, _last_decimal(low), math.floor), _rounded(high, last, math.ceil))
    )


def _far_apart(low_s: float, high_s: float) -> str:
    """Bounds of a duration that would need too many zeros in one unit: ``0.024 µs to 160 ms``."""
    texts = []
    for bound_s, to_whole in ((low_s, math.floor), (high_s, math.ceil)):
        unit, factor = _unit(bound_s)
        bound = bound_s * factor
        texts.append(f"{_rounded(bound, _last_decimal(bound), to_whole)} {unit}")
    return " to ".join(texts)


def _last_decimal(value: float) -> int:
    """The decimal at which the second significant digit stands; negative left of the point."""
    # All digits: 9.97 has the exponent of 9, not of the 10 that it would be rounded to.
    exponent = int(f"{value:.15e}".split("e")[1])
    return _BOUND_DIGITS - 1 - exponent


def _rounded(value: float, decimals: int, to_whole: Callable[[float], int]) -> str:
    # A bound that has two digits already must not move because of its binary neighbour.
    scaled = round(value * 10.0**decimals, 6)
    return f"{to_whole(scaled) / 10.0**decimals + 0.0:,.{max(0, decimals)}f}"


def short(text: str, longest: int = _LONGEST) -> str:
    """The text on one line, cut if it is too long for a table."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def enumeration(items: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def apart(factor: float) -> str:
    """How far two values lie apart at most, to two digits and never less than it is: ``9.7%``,
    ``a factor of 89``.
    """
    if factor < 2:  # noqa: PLR2004 - from here on a factor reads better
        percent = 100 * (factor - 1)
        return f"{_rounded(percent, _last_decimal(percent), math.ceil)}%"
    return f"a factor of {_rounded(factor, _last_decimal(factor), math.ceil)}"


def plural(count: int, noun: str) -> str:
    """``1 block``, ``2 blocks``."""
    return f"{count} {noun}" + "s" * (count != 1)


def duration(value_s: float) -> str:
    """``about 45 s``, ``about 12 min``."""
    in_seconds = value_s < 90  # noqa: PLR2004 - from here on minutes read better
    return f"about {value_s:.0f} s" if in_seconds else f"about {value_s / 60:.0f} min"


def _unit_of(row: Estimated, scale: float) -> tuple[str, float]:
    """The unit to print, and the factor to it; a scale has its unit in the heading of its column,
    except for durations.  Large rates are in thousands, so that nobody has to count zeros.
    """
    if row.unit == _RATE and value_of(row) * scale >= _MANY:
        return "k", scale / 1000
    if row.unit != "s":
        return "", scale
    unit, factor = _unit(value_of(row) * scale)
    return unit, factor * scale


def _unit(value_s: float) -> tuple[str, float]:
    if abs(value_s) >= 1:
        return "s", 1.0
    return ("ms", 1e3) if abs(value_s) >= 1e-3 else ("µs", 1e6)  # noqa: PLR2004 - one millisecond
