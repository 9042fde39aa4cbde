"""Draws how the workers of each engine followed the demand."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from compare.analysis.analysis import Analysis
from compare.experiments.section import Supply
from compare.observations.elasticity import Levels, demand, supply
from compare.report.plot_style import COLORS, GREY, WIDTH, look


def draw_supply(_: Supply, experiment: str, analysis: Analysis) -> Figure:
    """Demand as a grey area and supply as a line, one engine below the other, on one time axis."""
    watches = analysis.elastic[experiment]
    figure = Figure(figsize=(WIDTH, 0.7 + 1.2 * len(watches)), layout="constrained")
    until_s = max(watch.watched_s for watch in watches.values())
    stacked = figure.subplots(len(watches), sharex=True, squeeze=False)[:, 0]
    for axes, (engine, watch) in zip(stacked, watches.items(), strict=True):
        color, _marker = look(analysis, engine)
        asked, given = (_line(levels, watch.watched_s) for levels in (demand(watch), supply(watch)))
        axes.fill_between(*asked, step="post", color=GREY, alpha=0.35, linewidth=0)
        axes.step(*given, where="post", color=color, linewidth=1.6)
        # A worker that starts has no task yet: a mark at the bottom for each.
        born = [life.created_s for life in watch.workers]
        axes.plot(born, [0] * len(born), "|", color=COLORS[-1], markersize=7, clip_on=False)
        axes.set_ylim(0, watch.most + 0.4)
        axes.set_yticks(range(0, watch.most + 1, max(1, watch.most // 2)))
        axes.set_xlim(0, until_s)
        axes.set_title(engine, loc="left", fontsize=9)
    stacked[-1].set_xlabel(
        "seconds; grey: workers that the tasks asked for; line: workers that there were;\n"
        "marks at the bottom: a process of a worker was started"
    )
    return figure


def _line(levels: Levels, until_s: float) -> tuple[Sequence[float], Sequence[int]]:
    """The times and levels of a line in steps from 0 to the end."""
    points = [(0.0, 0), *levels]
    points.append((until_s, points[-1][1]))
    return [at_s for at_s, _ in points], [workers for _, workers in points]
