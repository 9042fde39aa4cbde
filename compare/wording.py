"""Numbers and rows in words, for the report, the console and the cautions."""

import re

from compare.metrics import BY_DEFINITION
from compare.records import Row

_DIGITS = 3
_COUNTED = ("tasks", "processes", "threads")
"""Units of what is whole."""
_LONGEST = 110
"""Characters of a reason in a table; the cautions have it whole."""


def number(value: float, *, like: float | None = None) -> str:
    """Three significant digits, with the decimals that ``like`` would have; no exponent."""
    decimals = _decimals(value if like is None else like)
    return f"{round(value, decimals) + 0.0:,.{max(0, decimals)}f}"


def seconds(value: float) -> str:
    """With the unit that suits its size."""
    unit, scale = _unit(value)
    return f"{number(value * scale)} {unit}"


def seconds_of(row: Row) -> str:
    """The same, with the interval and n; the row has a number."""
    unit, scale = _unit(value_of(row))
    return f"{estimate(row, scale).replace(' (', f' {unit} (', 1)}"


def value_of(row: Row) -> float:
    """The number of a row that has one."""
    if not isinstance(row.value, float):
        raise TypeError(f"{row.engine} has no number for {row.metric}")
    return row.value


def estimate(row: Row, scale: float = 1.0) -> str:
    """``4.90 (4.71-5.10, n=3)`` with an en dash; without an interval ``4.90 (n=1)``.

    The row has a value; a count stays whole.
    """
    if isinstance(row.value, str):
        return f"{row.value} (n={row.n})"
    if row.low is None or row.high is None:
        return f"{bare(row, scale)} (n={row.n})"
    value = value_of(row) * scale
    return f"{bare(row, scale)} ({interval(value, row.low * scale, row.high * scale)}, n={row.n})"


def bare(row: Row, scale: float = 1.0) -> str:
    """The number alone; the row has one."""
    value = value_of(row) * scale
    return f"{value:.0f}" if row.unit in _COUNTED and value.is_integer() else number(value)


def interval(value: float, low: float, high: float) -> str:
    """Bounds with the decimals of the value."""
    dash = " to " if low < 0 else "–"
    return f"{number(low, like=value)}{dash}{number(high, like=value)}"


def cell(row: Row | None, scale: float = 1.0) -> str:
    """A row in one cell: the number, what stands against it, or why there is none."""
    if row is None:
        return "–"
    if row.value is None:
        return short(row.verdict or "not measured")
    if row.verdict == BY_DEFINITION:
        return f"{value_of(row) * scale:.0f} ({BY_DEFINITION})"
    told = estimate(row, scale)
    return told if row.verdict is None else f"{told}; {short(row.verdict)}"


def short(text: str) -> str:
    """On one line and not too long."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"


def listed(items: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def plural(count: int, noun: str) -> str:
    """``1 block``, ``2 blocks``."""
    return f"{count} {noun}" + "s" * (count != 1)


def _decimals(value: float) -> int:
    """Of a number with three significant digits; negative left of the point."""
    exponent = int(f"{value:.{_DIGITS - 1}e}".split("e")[1])
    return _DIGITS - 1 - exponent


def _unit(value_s: float) -> tuple[str, float]:
    if abs(value_s) >= 1:
        return "s", 1.0
    return ("ms", 1e3) if abs(value_s) >= 1e-3 else ("µs", 1e6)  # noqa: PLR2004 - one millisecond
