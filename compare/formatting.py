"""Numbers, units and plurals as text."""

import re
from typing import Protocol

_DIGITS = 3
_COUNTED = ("tasks", "processes", "threads")
"""Units whose values are whole numbers."""
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


def number(value: float, *, like: float | None = None) -> str:
    """Three significant digits without exponent; ``like`` can determine the decimals."""
    decimals = _decimals(value if like is None else like)
    return f"{round(value, decimals) + 0.0:,.{max(0, decimals)}f}"


def seconds(value: float) -> str:
    """A duration with the unit that suits its size."""
    unit, scale = _unit(value)
    return f"{number(value * scale)} {unit}"


def seconds_with_interval(row: Estimated) -> str:
    """Like ``seconds``, with the interval and n; the row must have a number."""
    unit, scale = _unit(value_of(row))
    return f"{estimate(row, scale).replace(' (', f' {unit} (', 1)}"


def value_of(row: Estimated) -> float:
    """The number of a row.

    Raises:
        TypeError: the row has no number.
    """
    if not isinstance(row.value, float):
        raise TypeError(f"this row has no number: {row}")
    return row.value


def estimate(row: Estimated, scale: float = 1.0) -> str:
    """``4.90 (4.71-5.10, n=3)`` with an en dash; without an interval ``4.90 (n=1)``.

    The row must have a value.  A count is printed as a whole number.
    """
    if isinstance(row.value, str):
        return f"{row.value} (n={row.n})"
    if row.low is None or row.high is None:
        return f"{bare(row, scale)} (n={row.n})"
    value = value_of(row) * scale
    return f"{bare(row, scale)} ({interval(value, row.low * scale, row.high * scale)}, n={row.n})"


def bare(row: Estimated, scale: float = 1.0) -> str:
    """The number without its interval; the row must have a number."""
    value = value_of(row) * scale
    return f"{value:.0f}" if row.unit in _COUNTED and value.is_integer() else number(value)


def interval(value: float, low: float, high: float) -> str:
    """The bounds, with as many decimals as the value."""
    dash = " to " if low < 0 else "–"
    return f"{number(low, like=value)}{dash}{number(high, like=value)}"


def short(text: str) -> str:
    """The text on one line, cut if it is too long for a table."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"


def enumeration(items: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def plural(count: int, noun: str) -> str:
    """``1 block``, ``2 blocks``."""
    return f"{count} {noun}" + "s" * (count != 1)


def duration(value_s: float) -> str:
    """``about 45 s``, ``about 12 min``."""
    in_seconds = value_s < 90  # noqa: PLR2004 - from here on minutes read better
    return f"about {value_s:.0f} s" if in_seconds else f"about {value_s / 60:.0f} min"


def _decimals(value: float) -> int:
    """Decimals that give three significant digits; negative for digits left of the point."""
    exponent = int(f"{value:.{_DIGITS - 1}e}".split("e")[1])
    return _DIGITS - 1 - exponent


def _unit(value_s: float) -> tuple[str, float]:
    if abs(value_s) >= 1:
        return "s", 1.0
    return ("ms", 1e3) if abs(value_s) >= 1e-3 else ("µs", 1e6)  # noqa: PLR2004 - one millisecond
