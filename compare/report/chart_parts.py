"""What the charts of the page have in common: their look, their axes, and what becomes of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from compare.analysis.analysis import Analysis
from compare.experiments.section import Picture
from compare.report.plot_style import GREY, SHAPES, look
from compare.report.tables import Table

_FONT = "system-ui, sans-serif"
INK = "#000000"
"""The style sheet of the page replaces it by the colour of the text, in the dark a light one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart for a browser."""

    spec: str
    """Vega, as JSON that may stand in a page."""
    data: Table | None = None
    """What the chart shows and no table of its section has."""


def looks(analysis: Analysis, engines: list[str], legend: object) -> tuple[Any, Any]:
    """Colour and mark of each engine, those of its pictures."""
    import altair as alt

    found = [look(analysis, engine) for engine in engines]
    colors = alt.Scale(domain=engines, range=[color for color, _ in found])
    shapes = alt.Scale(domain=engines, range=[SHAPES[marker] for _, marker in found])
    return (
        alt.Color("engine:N", scale=colors, legend=legend),
        alt.Shape("engine:N", scale=shapes, legend=legend),
    )


def bare_axis(**more: object) -> Any:  # noqa: ANN401 - Altair's own type
    """An axis of names, which needs neither a line nor ticks."""
    import altair as alt

    return alt.Axis(domain=False, ticks=False, labelPadding=8, labelLimit=140, **more)


def axis(values: Sequence[float], labels: Sequence[str]) -> Any:  # noqa: ANN401 - likewise
    """An axis with these labels at these values; where there is no room it leaves some out."""
    import altair as alt

    return alt.Axis(
        values=list(values), labelExpr=label_expression(values, labels), labelOverlap="greedy"
    )


def label_expression(values: Sequence[float], labels: Sequence[str]) -> str:
    """Finds the label of a value, so that JavaScript need not format numbers."""
    cases = [
        f"abs(datum.value - {value!r}) <= {value / 1e6!r} ? {json.dumps(label)} : "
        for value, label in zip(values, labels, strict=True)
    ]
    return "".join(cases) + '""'


def compiled(layers: Any, picture: Picture, height: int, right: int = 5) -> str:  # noqa: ANN401
    """The chart as Vega, as wide as its place, as text that may stand in a page."""
    chart = layers.properties(
        width="container",
        height=height,
        padding={"left": 4, "top": 5, "bottom": 5, "right": right},
        description=f"{picture.description}; the arrow keys step through its values, and the "
        "tables of this section have the numbers",
    )
    ink = dict.fromkeys(("labelColor", "titleColor"), INK)
    sizes = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    chart = chart.configure(font=_FONT, background="transparent").configure_view(stroke=None)
    chart = chart.configure_text(fontSize=12)
    chart = chart.configure_axis(**ink, **sizes, gridColor=GREY, gridOpacity=0.25)
    chart = chart.configure_legend(**ink, **sizes, labelLimit=140)
    # Checking it against the schema would take as long as all else; the tests draw it.
    vega = chart.to_dict(format="vega", validate=False)
    text = json.dumps(vega, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
