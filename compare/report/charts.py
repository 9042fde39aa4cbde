"""The charts of the page, which answer to a pointer and to keys, made of the rows of the tables.

Each takes the place of the picture that ``compare.report.plots`` draws of the same rows.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from compare.analysis.analysis import Analysis
from compare.analysis.intervals import Estimate
from compare.experiments.section import Efficiency, FirstDone, Intervals, Picture, Shares
from compare.formatting import bare, estimate, number, seconds, value_of
from compare.observations.metg import THRESHOLDS
from compare.observations.metric import FEWEST_BLOCKS
from compare.observations.series import Row
from compare.records.plan import CEILING
from compare.report.cells import NOTHING
from compare.report.chart_first import draw_first
from compare.report.chart_parts import INK, Chart, axis, bare_axis, compiled, looks
from compare.report.chart_shares import draw_shares
from compare.report.drawable import numbers
from compare.report.plot_style import GREY, bars_label
from compare.report.tables import Table

_METG = {threshold: f"metg{100 * threshold:.0f}" for threshold in THRESHOLDS}
_EVERY = 2
"""The curve is as smooth with half of its points, and its table half as long."""


def charts(pictures: Sequence[Picture], experiment: str, analysis: Analysis) -> dict[str, Chart]:
    """The charts of those pictures that have one, by the name of the picture.

    None where docstrings were stripped (``PYTHONOPTIMIZE=2``): Altair makes its classes of them.
    The pictures stay.
    """
    if sys.flags.optimize > 1:
        return {}
    return {
        picture.name: _CHARTS[type(picture)](picture, experiment, analysis)
        for picture in pictures
        if type(picture) in _CHARTS
    }


def _intervals(picture: Intervals, experiment: str, analysis: Analysis) -> Chart:
    """A point and an interval for each engine, and the ceiling as a line."""
    import altair as alt

    rows = {row.engine: row for row in numbers(analysis, experiment, picture.metric)}
    ceiling = rows.pop(CEILING, None)
    engines = list(rows)
    values = [
        {**_numbers(row), "text": bare(row), "label": f"{row.engine}\n{estimate(row)}"}
        for row in rows.values()
    ]
    title = (picture.x_label + bars_label(list(rows.values()))).split("; ")
    y = alt.Y("engine:N", sort=engines, title=None, axis=bare_axis(grid=False))
    x = alt.X("value:Q", title=title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5))
    color, shape = looks(analysis, engines, legend=None)
    base = alt.Chart(alt.Data(values=values))
    layers = [
        base.mark_rule(strokeWidth=2, aria=False).encode(
            x=alt.X("low:Q", title=title), x2="high:Q", y=y, color=color
        ),
        base.mark_point(filled=True, opacity=1, size=90, ariaRoleDescription="value").encode(
            x=x, y=y, color=color, shape=shape, tooltip="label:N", description="label:N"
        ),
        base.mark_text(align="left", dx=8, color=INK, aria=False).encode(
            x=alt.value("width"), y=y, text="text:N"
        ),
    ]
    if ceiling is not None:
        label = f"ceiling {bare(ceiling)}"
        of = alt.Chart(
            alt.Data(
                values=[
                    {**_numbers(ceiling), "text": label, "label": f"ceiling\n{estimate(ceiling)}"}
                ]
            )
        ).encode(x=alt.X("value:Q", title=title), tooltip="label:N", description="label:N")
        layers += [
            of.mark_rule(color=GREY, strokeDash=[5, 4], ariaRoleDescription="value"),
            of.mark_text(dy=-8, color=INK, aria=False).encode(y=alt.value(0), text="text:N"),
        ]
    return Chart(spec=compiled(alt.layer(*layers), picture, 32 * len(rows), right=56))


def _efficiency(picture: Efficiency, experiment: str, analysis: Analysis) -> Chart:
    """Efficiency against task granularity with its interval, and METG marked."""
    import altair as alt

    metg = {
        threshold: {row.engine: row for row in numbers(analysis, experiment, metric)}
        for threshold, metric in _METG.items()
    }
    half = metg[min(THRESHOLDS)]
    engines = sorted(half, key=lambda engine: value_of(half[engine]))
    curves = [
        (engine, granularity_s, at)
        for engine in engines
        for granularity_s, at in analysis.efficiency[engine].mean[::_EVERY]
    ]
    marked = [
        {
            **_numbers(rows[engine]),
            "y": threshold,
            "label": f"{engine}\nMETG({threshold:.0%}) {estimate(rows[engine])}",
        }
        for threshold, rows in metg.items()
        for engine in engines
        if engine in rows
    ]
    sizes_s = [size for _, size, _ in curves] + [float(one["value"]) for one in marked]
    powers = [10.0**power for power in range(-7, 4)]
    inside = [power for power in powers if min(sizes_s) <= power <= max(sizes_s)]
    title = ["task granularity (log),", "makespan × workers / tasks"]
    x_axis = axis(inside, [seconds(power, digits=1) for power in inside])
    x = {"scale": alt.Scale(type="log", nice=False, padding=10), "title": title, "axis": x_axis}
    heights = [0, 0.25, 0.5, 0.75, 0.9, 1]
    y = {
        "scale": alt.Scale(domain=[0, 1.1], clamp=True),
        "title": "efficiency, higher is better",
        "axis": axis(heights, [f"{height:.0%}" for height in heights]),
    }
    picked = alt.selection_point(fields=["engine"], bind="legend")
    clear = alt.when(picked)
    legend = alt.Legend(
        title=["METG marked at 50% and 90%;", "pick an engine to see it alone"],
        orient="top",
        columns=alt.ExprRef("width < 420 ? 2 : 5"),
        titleLimit=260,
        symbolOpacity=1,
        symbolSize=70,
    )
    color, shape = looks(analysis, engines, legend=legend)
    base = alt.Chart(alt.Data(values=[_curve_point(*one) for one in curves]))
    places = {"x": alt.X("x:Q", **x), "y": alt.Y("y:Q", **y), "color": color}
    layers = [
        alt.Chart(alt.Data(values=[{"y": threshold} for threshold in THRESHOLDS]))
        .mark_rule(color=GREY, strokeDash=[5, 4], aria=False)
        .encode(y=alt.Y("y:Q", **y)),
        base.mark_area(aria=False).encode(
            x=alt.X("x:Q", **x),
            y=alt.Y("low:Q", **y),
            y2="high:Q",
            color=color,
            opacity=clear.then(alt.value(0.15)).otherwise(alt.value(0.02)),
        ),
        base.mark_line(aria=False, strokeWidth=1.5).encode(
            **places, opacity=clear.then(alt.value(1)).otherwise(alt.value(0.12))
        ),
        # Too many to be seen or read aloud; a pointer finds them.
        base.mark_point(aria=False, filled=True, opacity=0, size=50).encode(
            **places, tooltip="label:N"
        ),
        alt.Chart(alt.Data(values=marked))
        .mark_point(filled=True, size=80, ariaRoleDescription="value")
        .encode(
            x=alt.X("value:Q", **x),
            y=alt.Y("y:Q", **y),
            color=color,
            shape=shape,
            opacity=clear.then(alt.value(1)).otherwise(alt.value(0.12)),
            tooltip="label:N",
            description="label:N",
        )
        .add_params(picked),
    ]
    lines = tuple(
        (engine, seconds(size_s), *(_percent(value) for value in (at.value, *_band(at))))
        for engine, size_s, at in curves
    )
    headings = ("engine", "task granularity", "efficiency (%)", "low (%)", "high (%)")
    return Chart(
        spec=compiled(alt.layer(*layers), picture, 300),
        data=Table(headings=headings, lines=lines),
    )


def _curve_point(engine: str, size_s: float, at: Estimate) -> dict[str, object]:
    low, high = _band(at)
    bounds = "" if low is None else f" ({_percent(low)} to {_percent(high)})"
    label = f"{engine}\n{_percent(at.value)}% efficient{bounds}\nat {seconds(size_s)} a task"
    point = {"engine": engine, "x": size_s, "y": at.value, "label": label}
    return point if low is None else {**point, "low": low, "high": high}


def _band(at: Estimate) -> tuple[float | None, float | None]:
    return (at.low, at.high) if at.n >= FEWEST_BLOCKS else (None, None)


def _percent(share: float | None) -> str:
    return NOTHING if share is None else number(100 * share)


def _numbers(row: Row) -> dict[str, Any]:
    """The numbers of a row as they are in ``summary.json``."""
    bounds = {} if row.low is None or row.high is None else {"low": row.low, "high": row.high}
    return {"engine": row.engine, "value": value_of(row), **bounds}


_CHARTS: dict[type[Picture], Callable[[Any, str, Analysis], Chart]] = {
    Intervals: _intervals,
    Efficiency: _efficiency,
    FirstDone: draw_first,
    Shares: draw_shares,
}
