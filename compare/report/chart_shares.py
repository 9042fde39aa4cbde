"""The chart of shares of a core: how many tasks ran at once, and how many of them fit."""

from collections.abc import Mapping
from typing import Any

from compare.analysis.analysis import Analysis
from compare.experiments.section import Shares
from compare.experiments.share_rows import ADMITTED, COLD, CPUS, WARM
from compare.formatting import bare, estimate, short
from compare.observations.series import Row
from compare.report.cells import NOTHING, cell
from compare.report.chart_parts import Chart, bare_axis, compiled, label_expression
from compare.report.plot_style import COLORS

_FEW, _MANY = COLORS[0], COLORS[1]
_EXACT, _NO_NUMBER = "#f3f5f7", "#c3c9cf"
_MOST_TIMES = 4
"""Times what fits, from which on the colour of a cell does not change."""
_DARK_TIMES = 2.5
"""Times what fits, from which on a cell needs white text."""


def draw_shares(picture: Shares, experiment: str, analysis: Analysis) -> Chart:
    """A cell for each engine and share: tasks at once, coloured by how many of them fit."""
    import altair as alt

    found = {
        (row.engine, float(row.case[CPUS]), row.metric, row.case.get("phase")): row
        for row in analysis.rows
        if row.experiment == experiment and CPUS in row.case
    }
    asked = sorted({share for _, share, _, _ in found}, reverse=True)
    engines = list(dict.fromkeys(engine for engine, _, _, _ in found))
    values = [_share_cell(found, engine, share) for engine in engines for share in asked]
    x_title = ["f, CPUs that each task asks for,", f"on C = {analysis.plan.workers}"]
    x = alt.X("share:O", sort=None, title=x_title, axis=bare_axis(labelAngle=0))
    y = alt.Y("engine:N", sort=engines, title=None, axis=bare_axis())
    base = alt.Chart(alt.Data(values=values)).encode(x=x, y=y)
    scale = alt.Scale(
        type="log",
        domain=[1 / _MOST_TIMES, 1, _MOST_TIMES],
        range=[_FEW, _EXACT, _MANY],
        interpolate="rgb",
        clamp=True,
    )
    steps = [1 / _MOST_TIMES, 1 / 2, 1, 2, _MOST_TIMES]
    legend = alt.Legend(
        title=["tasks at once, warm;", "colour: share of what fits"],
        orient="top",
        titleLimit=260,
        gradientLength=200,
        values=steps,
        labelExpr=label_expression(steps, [f"{step:.0%}" for step in steps]),
    )
    none = alt.when("!isValid(datum.times)")
    dark = f"datum.times >= {_DARK_TIMES} || datum.times <= {1 / _DARK_TIMES}"
    layers = [
        base.mark_rect(
            stroke="#ffffff", strokeWidth=1, invalid=None, ariaRoleDescription="value"
        ).encode(
            color=none.then(alt.value(_NO_NUMBER)).otherwise("times:Q", scale=scale, legend=legend),
            tooltip="label:N",
            description="label:N",
        ),
        base.mark_text(aria=False, invalid=None).encode(
            text="text:N",
            color=alt.when(f"isValid(datum.times) && ({dark})")
            .then(alt.value("#ffffff"))
            .otherwise(alt.value("#111111")),
            tooltip="label:N",
        ),
    ]
    return Chart(spec=compiled(alt.layer(*layers), picture, 28 * len(engines)))


def _share_cell(
    found: Mapping[tuple[str, float, str, Any], Row], engine: str, share: float
) -> dict[str, object]:
    def row(metric: str, phase: str) -> Row | None:
        return found.get((engine, share, metric, phase))

    answer, peak = row(ADMITTED, WARM), row("peak_concurrency", WARM)
    accuracy = row("admission_accuracy", WARM)
    measured = peak is not None and isinstance(peak.value, float)
    said = cell(answer)
    label = f"{engine}, f = {share:g}: {short(said)}"
    if peak is not None and measured:
        label += f"\nat once: {estimate(peak)} warm, {cell(row('peak_concurrency', COLD))} cold"
        label += f"\nof what fits: {cell(accuracy, 100)}% warm" if accuracy is not None else ""
    rejected = answer is not None and answer.value == "rejected"
    missing = "rejected" if rejected else NOTHING
    return {
        "engine": engine,
        "share": f"{share:g}",
        "times": accuracy.value if accuracy is not None and measured else None,
        "text": bare(peak) if peak is not None and measured else missing,
        "label": label,
    }
