"""Draws the pictures of an analysis as SVG.  The same records give the same bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullLocator

from compare.analysis.analysis import Analysis
from compare.analysis.session_rows import NAME as STARTUP
from compare.analysis.session_rows import SECTION as STARTUP_SECTION
from compare.experiments.registry import load_experiment
from compare.experiments.section import (
    Curve,
    Efficiency,
    FirstDone,
    Intervals,
    Lanes,
    NoOps,
    Picture,
    Progress,
    Shares,
    Stacked,
    Supply,
)
from compare.formatting import number, value_of
from compare.records.plan import CEILING
from compare.report.drawable import curve_points, drawable, numbers
from compare.report.plot_first import draw_first
from compare.report.plot_lanes import draw_lanes
from compare.report.plot_overhead import draw_efficiency, draw_no_ops
from compare.report.plot_progress import draw_progress
from compare.report.plot_shares import draw_shares
from compare.report.plot_stacked import draw_stacked
from compare.report.plot_style import (
    COUNTS,
    GREY,
    GRID,
    STYLE,
    WIDTH,
    bars_label,
    label_log_axis,
    look,
)
from compare.report.plot_supply import draw_supply


def write_plots(analysis: Analysis, folder: Path) -> tuple[Path, ...]:
    """Write every picture that has data; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    sections = [
        (name, section)
        for name in analysis.plan.experiments
        for section in load_experiment(name).sections
    ]
    for name, section in (*sections, (STARTUP, STARTUP_SECTION)):
        for picture in drawable(section, name, analysis):
            path = folder / f"{picture.name}.svg"
            with mpl.rc_context():
                mpl.rcdefaults()  # whatever the user's own style is
                mpl.rcParams.update(STYLE)
                figure = _DRAW[type(picture)](picture, name, analysis)
                FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None})
            written.append(path)
    return tuple(written)


def _intervals(picture: Intervals, experiment: str, analysis: Analysis) -> Figure:
    """A point and an interval for each engine, and the ceiling as a line."""
    rows = {row.engine: row for row in numbers(analysis, experiment, picture.metric)}
    ceiling = rows.pop(CEILING, None)
    figure = Figure(figsize=(WIDTH, 1.2 + 0.4 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows.values()):
        value = value_of(row)
        color, marker = look(analysis, row.engine)
        axes.plot(value, place, marker, color=color)
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [place, place], "|-", color=color, markersize=9)
        axes.annotate(
            number(value),
            (1, place),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
        )
    if ceiling is not None:
        axes.axvline(value_of(ceiling), color=GREY, linestyle="--", linewidth=1)
        axes.annotate(
            f"ceiling {number(value_of(ceiling))}",
            (value_of(ceiling), 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            color=GREY,
        )
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel(picture.x_label + bars_label(list(rows.values())))
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def _curve(picture: Curve, experiment: str, analysis: Analysis) -> Figure:
    """A metric against a parameter of the case, a line with its intervals for each engine."""
    rows = curve_points(picture, experiment, analysis)
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    for engine in dict.fromkeys(row.engine for row in rows):
        line = sorted((float(row.case[picture.x]), row) for row in rows if row.engine == engine)
        color, marker = look(analysis, engine)
        x = [place for place, _ in line]
        axes.plot(x, [value_of(row) for _, row in line], f"{marker}-", color=color, markersize=4)
        for place, row in line:
            if row.low is not None and row.high is not None:
                axes.plot([place, place], [row.low, row.high], "_-", color=color, linewidth=0.8)
        axes.plot([], [], f"{marker}-", color=color, label=engine)
    axes.set_xscale("log")
    values = sorted({float(row.case[picture.x]) for row in rows})
    axes.set_xticks(values, [EngFormatter(sep="").format_eng(value) for value in values])
    axes.xaxis.set_minor_locator(NullLocator())
    if picture.log_y:
        axes.set_yscale("log")
        label_log_axis(axes.yaxis, COUNTS)
    else:
        axes.set_ylim(bottom=0)
    # Beside the axis the label would be longer than the figure is high.
    axes.set_xlabel(picture.x_label + bars_label(rows))
    axes.set_ylabel(picture.y_label)
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    figure.legend(loc="outside right upper")
    return figure


_DRAW: dict[type[Picture], Callable[[Any, str, Analysis], Figure]] = {
    Curve: _curve,
    Intervals: _intervals,
    Lanes: draw_lanes,
    NoOps: draw_no_ops,
    Efficiency: draw_efficiency,
    FirstDone: draw_first,
    Shares: draw_shares,
    Progress: draw_progress,
    Stacked: draw_stacked,
    Supply: draw_supply,
}
