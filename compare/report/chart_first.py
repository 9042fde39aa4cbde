"""The chart of which engine is done first, by the length and the number of the tasks."""

from compare.analysis.analysis import Analysis
from compare.experiments.section import FirstDone
from compare.formatting import value_of
from compare.report.chart_parts import INK, Chart, axis, bare_axis, compiled, looks
from compare.report.reigns import powers, reigns


def draw_first(picture: FirstDone, _: str, analysis: Analysis) -> Chart:
    """A bar for each length of the tasks, in the colours of the engines that are done first."""
    import altair as alt

    found = reigns(picture, analysis)
    lengths = list(dict.fromkeys(reign.length for reign in found))
    engines = list(dict.fromkeys(reign.row.engine for reign in found))
    values = [
        {
            "engine": reign.row.engine,
            "length": reign.length,
            "value": value_of(reign.row),
            "until": reign.until,
            "label": reign.said,
        }
        for reign in found
    ]
    bounds = [
        {"length": reign.length, "low": reign.row.low, "high": reign.row.high}
        for reign in found
        if reign.row.low is not None
    ]
    ticks = powers(found)
    title = ["number of tasks (log);", "bars are 95% intervals"] if bounds else "number of tasks"
    x = {
        "title": title,
        "scale": alt.Scale(
            type="log", domain=[1, max(reign.until for reign in found)], nice=False, clamp=True
        ),
        "axis": axis(ticks, [f"{power:,}" for power in ticks]),
    }
    y = alt.Y("length:N", sort=lengths, title="length of a task", axis=bare_axis(grid=False))
    legend = alt.Legend(
        title="done first", orient="top", columns=alt.ExprRef("width < 420 ? 2 : 5")
    )
    color, _shape = looks(analysis, engines, legend=legend)
    layers = [
        alt.Chart(alt.Data(values=values))
        .mark_bar(stroke="#ffffff", strokeWidth=1, ariaRoleDescription="value")
        .encode(
            x=alt.X("value:Q", **x),
            x2="until:Q",
            y=y,
            color=color,
            tooltip="label:N",
            description="label:N",
        ),
        alt.Chart(alt.Data(values=bounds))
        .mark_rule(color=INK, strokeWidth=2, aria=False)
        .encode(x=alt.X("low:Q", **x), x2="high:Q", y=y),
    ]
    return Chart(spec=compiled(alt.layer(*layers), picture, 36 * len(lengths)))
