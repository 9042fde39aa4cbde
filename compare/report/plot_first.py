"""Draws which engine is done first, by the length and the number of the tasks."""

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from compare.analysis.analysis import Analysis
from compare.experiments.section import FirstDone
from compare.formatting import value_of
from compare.report.plot_style import WIDTH, bars_label, look
from compare.report.reigns import powers, reigns

_THICK = 0.6


def draw_first(picture: FirstDone, _: str, analysis: Analysis) -> Figure:
    """A bar for each length of the tasks, in the colours of the engines that are done first."""
    found = reigns(picture, analysis)
    lengths = list(dict.fromkeys(reign.length for reign in found))
    figure = Figure(figsize=(WIDTH, 1.3 + 0.4 * len(lengths)), layout="constrained")
    axes = figure.subplots()
    for reign in found:
        place, begin = lengths.index(reign.length), value_of(reign.row)
        color, _marker = look(analysis, reign.row.engine)
        axes.barh(
            place, reign.until - begin, _THICK, begin, color=color, edgecolor="white", linewidth=0.8
        )
        low, high = reign.row.low, reign.row.high
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], "|-", color="black", linewidth=1, markersize=6)
    for engine in dict.fromkeys(reign.row.engine for reign in found):
        axes.barh(0, 0, color=look(analysis, engine)[0], label=engine)
    axes.set_xscale("log")
    axes.set_xlim(1, max(reign.until for reign in found))
    axes.set_xticks(powers(found), [f"{power:,}" for power in powers(found)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(range(len(lengths)), lengths)
    axes.set_ylim(len(lengths) - 0.5, -0.5)
    axes.set_xlabel("number of tasks (log)" + bars_label([reign.row for reign in found]))
    axes.set_ylabel("length of a task")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside right upper")
    return figure
