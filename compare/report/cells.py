"""Rows as text in the cells of a table."""

from compare.analysis.intervals import Estimate
from compare.formatting import bare, estimate, interval, number, short, value_of
from compare.observations.absence import Why
from compare.observations.series import BY_DEFINITION, Row
from compare.records.plan import Scalar

NOTHING = "–"
EVERY, OTHERS = "all", "all others"
"""Stand for every value of a parameter, and for every one that has no line of its own."""


def cell(row: Row | None, scale: float = 1.0, *, usual_n: int | None = None) -> str:
    """The value, any caveat, or the reason it is missing."""
    if row is None:
        return NOTHING
    if row.value is None:
        return _caveat(row.verdict or "not measured")
    if row.verdict == BY_DEFINITION:
        return f"{value_of(row) * scale:.0f} ({BY_DEFINITION})"
    value = estimate(row, scale, usual_n=usual_n)
    return value if row.verdict in (None, row.value) else f"{value}; {_caveat(row.verdict)}"


def _caveat(verdict: str) -> str:
    """The verdict on one line; a caution has the reason of a disturbance."""
    return verdict.partition(":")[0] if verdict.startswith(Why.DISTURBED) else short(verdict)


def brief(row: Row | None, scale: float, *, usual_n: int | None = None) -> str:
    """The value, or the kind of its absence, without the reason."""
    if row is None:
        return NOTHING
    if row.value is None:
        return (row.verdict or "").split(":")[0]
    if row.verdict == BY_DEFINITION:
        return cell(row, scale)
    return estimate(row, scale, usual_n=usual_n)


def briefest(row: Row | None, scale: float) -> str:
    """Like ``brief``, without the interval."""
    return brief(row, scale) if row is None or row.value is None else bare(row, scale)


def value_alone(row: Row | None, scale: float, *, usual_n: int | None = None) -> str:
    """The value without its caveat, or a dash."""
    if row is None or row.value is None:
        return NOTHING
    return estimate(row, scale, usual_n=usual_n)


def ratio_cell(ratio: Estimate | None) -> str:
    """A ratio with its interval."""
    if ratio is None:
        return NOTHING
    if ratio.low is None or ratio.high is None:
        return number(ratio.value)
    return f"{number(ratio.value)} ({interval(ratio.low, ratio.high)})"


def parameter(value: Scalar) -> str:
    """A parameter of a case as text."""
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
