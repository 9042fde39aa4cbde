"""Tables of rows for the pages of docs, and how they come between the marks of a page."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from compare.formatting import estimate
from compare.observations.series import Row
from compare.records.plan import Scalar


class Asked(NamedTuple):
    """A row of each engine, under a title."""

    title: str
    metric: str
    """``experiment/metric``."""
    scale: float = 1
    case: Mapping[str, Scalar] = MappingProxyType({})


def by_engine(rows: Sequence[Row], engines: Sequence[str], columns: Sequence[Asked]) -> str:
    """A line for each engine."""
    lines = [
        [engine, *(cell(rows, engine, asked) for asked in columns)]
        for engine in engines
        if any(row.engine == engine for row in rows)
    ]
    return table(["engine", *(asked.title for asked in columns)], lines)


def cell(rows: Sequence[Row], engine: str, asked: Asked) -> str:
    """The number of an engine, or why there is none; a dash if the run did not ask for it."""
    fitting = [
        row
        for row in rows
        if (row.engine, f"{row.experiment}/{row.metric}") == (engine, asked.metric)
        and asked.case.items() <= row.case.items()
    ]
    if not fitting:
        return "–"  # the ceiling is no engine: it does not take part in everything
    (row,) = fitting
    if not isinstance(row.value, float):
        return (row.verdict or "").partition(":")[0]
    return estimate(row, asked.scale, usual_n=row.n)


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    ruled = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in ruled)


def between(text: str, name: str, content: str) -> str:
    """The text with this content between the marks of that name.

    Raises:
        ValueError: the marks are not there once.
    """
    marks = re.compile(f"(?<=<!-- {name}:begin -->\n).*?(?=<!-- {name}:end -->)", re.DOTALL)
    if len(marks.findall(text)) != 1:
        raise ValueError(f"the marks of {name} must be there once")
    return marks.sub(lambda _: content, text)
