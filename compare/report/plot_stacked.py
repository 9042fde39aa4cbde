"""Draws times that follow each other as one bar for each engine."""

from matplotlib.figure import Figure

from compare.analysis.analysis import Analysis
from compare.experiments.section import Stacked
from compare.formatting import seconds, value_of
from compare.report.drawable import numbers
from compare.report.plot_style import WIDTH

_SHADES = ("#333333", "#7d7d7d", "#b5b5b5", "#e0e0e0")
"""Of the parts; colours belong to engines."""


def draw_stacked(picture: Stacked, experiment: str, analysis: Analysis) -> Figure:
    """A bar for each engine, of a part for each metric, and its length in total."""
    rows = {part.metric: numbers(analysis, experiment, part.metric) for part in picture.parts}
    found = {(row.engine, metric): value_of(row) for metric, of in rows.items() for row in of}
    engines = list(dict.fromkeys(engine for engine, _ in found))
    figure = Figure(figsize=(WIDTH, 1.4 + 0.4 * len(engines)), layout="constrained")
    axes = figure.subplots()
    ends_s = [0.0] * len(engines)
    for part, shade in zip(picture.parts, _SHADES[: len(picture.parts)], strict=True):
        lengths_s = [found.get((engine, part.metric), 0.0) for engine in engines]
        if any(lengths_s):
            axes.barh(
                range(len(engines)),
                lengths_s,
                left=ends_s,
                height=0.6,
                color=shade,
                edgecolor="black",
                linewidth=0.5,
                label=part.heading,
            )
        ends_s = [sum(pair) for pair in zip(ends_s, lengths_s, strict=True)]
    for place, end_s in enumerate(ends_s):
        axes.annotate(
            seconds(end_s), (end_s, place), (4, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(engines)), engines)
    axes.set_ylim(len(engines) - 0.5, -0.6)
    axes.set_xlim(0, 1.12 * max(ends_s))
    axes.set_xlabel(picture.x_label)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper center", ncols=len(picture.parts))
    return figure
