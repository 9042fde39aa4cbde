"""Draws the rows and records as SVG.  Same records, same bytes; computes no estimate.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which the colour-blind can
tell apart; markers differ as well.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter, NullLocator

from compare.experiments.fractional import CPUS, slots
from compare.granularity import THRESHOLDS
from compare.lanes import Group, groups
from compare.metrics import ADMITTED
from compare.observations import Absence, Observations, Why, engines, valid
from compare.records import CEILING, Row, Run
from compare.series import sweeps_of
from compare.statistics import efficiency_curve
from compare.studies import STUDIES
from compare.studies.base import Curve, Lanes, Picture
from compare.wording import number, seconds, value_of

_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX"
_GREY = "#777777"
_WIDTH = 7.2
_LANE = 0.8
"""Of a lane's height is drawn."""
_STACKED = 0.5
"""Height of a lane of a worker that has several."""
_BETWEEN = 0.4
"""Workers that have several."""
_FEWEST_FOR_A_BAND = 3
_WIDE = 100
"""A logarithmic axis over so large a ratio has labels at powers of ten alone."""
_STYLE = {
    "svg.hashsalt": "engine-compare",  # the ids in the file are drawn from it
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same glyphs on every machine
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def write_plots(run: Run, rows: Sequence[Row], folder: Path) -> tuple[Path, ...]:
    """Write every figure that there are data for; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    drawings: dict[str, Callable[[Run, Sequence[Row]], Figure | None]] = {
        draw.__name__: draw for draw in (throughput, lanes, overhead, efficiency, fractional)
    }
    for study in STUDIES.values():
        for picture in study.pictures:
            drawings[picture.name] = partial(_draw, picture, study.experiment)
    for name, draw in drawings.items():
        with mpl.rc_context(_STYLE):
            figure = draw(run, rows)
            if figure is not None:
                path = folder / f"{name}.svg"
                FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None})
                written.append(path)
    return tuple(written)


def throughput(_run: Run, rows: Sequence[Row]) -> Figure | None:
    """A point and an interval for each engine, and the ceiling as a line."""
    found = _numbers([row for row in rows if row.experiment == "throughput"], "throughput")
    ceiling = found.pop(CEILING, None)
    if not found:
        return None
    figure = Figure(figsize=(_WIDTH, 1.2 + 0.4 * len(found)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(found.values()):
        value = value_of(row)
        axes.plot(value, place, "o", color=_COLORS[0])
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [place, place], "|-", color=_COLORS[0], markersize=9)
        axes.annotate(
            number(value),
            (1, place),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
        )
    if ceiling is not None:
        axes.axvline(value_of(ceiling), color=_GREY, linestyle="--", linewidth=1)
        axes.annotate(
            f"ceiling {number(value_of(ceiling))}",
            (value_of(ceiling), 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            color=_GREY,
        )
    axes.set_yticks(range(len(found)), list(found))
    axes.set_ylim(len(found) - 0.5, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"images/s, higher is better{_bars(list(found.values()))}")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def lanes(run: Run, _rows: Sequence[Row]) -> Figure | None:
    """When each worker ran which task in the first valid block, all engines on one time axis."""
    measured = [one for one in groups(run, "throughput") if not isinstance(one.run, Absence)]
    return _lanes([(one, one.engine, _COLORS[0]) for one in measured])


def _draw(picture: Picture, experiment: str, run: Run, rows: Sequence[Row]) -> Figure | None:
    if isinstance(picture, Curve):
        return _curve(picture, run, picture.points(experiment, rows))
    found = groups(run, experiment)
    cases = list(dict.fromkeys(one.case.parameters[picture.by] for one in found))
    return _lanes(
        [
            (one, _told(one, picture), _COLORS[cases.index(one.case.parameters[picture.by])])
            for one in found
        ]
    )


def _told(group: Group, picture: Lanes) -> str:
    if isinstance(group.run, Absence) and group.run.why is Why.NOT_APPLICABLE:
        return f"{group.engine}: {picture.cannot}"
    name = f"{group.engine}, {group.case.parameters[picture.by]}"
    return f"{name}: {group.run.why}" if isinstance(group.run, Absence) else name


def _lanes(labelled: Sequence[tuple[Group, str, str]]) -> Figure | None:
    """Groups with their labels and colours; those that were not measured have a label alone."""
    ends_s = [one.run.makespan_s for one, _, _ in labelled if not isinstance(one.run, Absence)]
    if not ends_s:
        return None
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    top = 0.0
    ticks = []
    for group, _, color in labelled:
        bottom = top
        for lane, (at, height) in zip(group.lanes, _heights(group), strict=True):
            bottom = top + at + height
            axes.broken_barh(
                [(span.start_s, span.end_s - span.start_s) for span in lane.spans],
                (top + at, height),
                facecolor=_GREY if group.engine == CEILING else color,
                edgecolor="white",
                linewidth=0.5,
            )
        if isinstance(group.run, Absence):
            bottom = top + _LANE
        else:
            end_s = group.run.makespan_s
            axes.plot([end_s] * 2, [top, bottom], color="black", linewidth=1)
            axes.annotate(
                seconds(end_s),
                (end_s, (top + bottom) / 2),
                (4, 0),
                textcoords="offset points",
                va="center",
            )
        ticks.append((top + bottom) / 2)
        top = bottom + 1
    figure.set_size_inches(_WIDTH, min(9.0, 1.0 + 0.18 * top))
    axes.set_yticks(ticks, [label for _, label, _ in labelled])
    for (group, _, _), label in zip(labelled, axes.get_yticklabels(), strict=True):
        label.set_color(_GREY if isinstance(group.run, Absence) else "black")
    axes.set_ylim(top, -0.5)
    axes.set_xlim(0, 1.1 * max(ends_s))
    stacked = any(lane.place for group, _, _ in labelled for lane in group.lanes)
    axes.set_xlabel(
        "seconds since the tasks were submitted; one lane a worker, one box a task"
        + ("\nthin lanes: what one worker runs at once" if stacked else "")
    )
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def _heights(group: Group) -> list[tuple[float, float]]:
    """Where each lane begins below the top of the group, and how high it is drawn."""
    stacked = {lane.worker for lane in group.lanes if lane.place}
    found: list[tuple[float, float]] = []
    at = 0.0
    for lane in group.lanes:
        if lane.place == 0 and lane.worker in stacked and found:
            at += _BETWEEN
        step = _STACKED if lane.worker in stacked else 1.0
        found.append((at, step * _LANE))
        at += step
    return found


def overhead(run: Run, rows: Sequence[Row]) -> Figure | None:
    """Makespans of N no-ops in all blocks, and the line of the estimates."""
    observations = Observations(run)
    slopes, starts = _numbers(rows, "per_task_cost"), _numbers(rows, "fixed_cost")
    if not slopes:
        return None
    figure = Figure(figsize=(_WIDTH, 3.8), layout="constrained")
    axes = figure.subplots()
    for engine in sorted(slopes, key=lambda engine: -value_of(slopes[engine])):
        blocks = valid(observations.overhead(engine)).values()
        runs = [no_op for block in blocks for no_op in block.no_ops]
        sizes = [no_op.tasks for no_op in runs]
        a, b = value_of(starts[engine]), value_of(slopes[engine])
        color, marker = _look(run, engine)
        axes.plot(sizes, [no_op.makespan_s for no_op in runs], marker, color=color, markersize=4)
        steps = [min(sizes) * (max(sizes) / min(sizes)) ** (step / 50) for step in range(51)]
        drawn = [size for size in steps if a + b * size > 0]
        axes.plot(drawn, [a + b * size for size in drawn], color=color, linewidth=1)
        axes.plot([], [], f"{marker}-", color=color, label=f"{engine}, {seconds(b)} a task")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < _WIDE * low else (1,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("N, number of no-ops (log)")
    axes.set_ylabel("makespan, s (log), lower is better")
    axes.grid(visible=True, color="#e5e5e5", linewidth=0.6)
    figure.legend(loc="outside right upper")
    return figure


def efficiency(run: Run, rows: Sequence[Row]) -> Figure | None:
    """Efficiency against task granularity, with its 95% interval, and METG(50%) in the legend."""
    found = _numbers([row for row in rows if row.experiment == "overhead"], "metg50")
    if not found:
        return None
    observations = Observations(run)
    figure = Figure(figsize=(_WIDTH, 3.8), layout="constrained")
    axes = figure.subplots()
    for engine in sorted(found, key=lambda engine: value_of(found[engine])):
        color, marker = _look(run, engine)
        sweeps = [
            points
            for case in sweeps_of(run.plan, engine)
            for points in valid(observations.sweep(engine, case)).values()
        ]
        for points in sweeps:
            sizes = [point.granularity_s for point in points]
            axes.plot(sizes, [p.efficiency for p in points], marker, color=color, markersize=3)
        curve = efficiency_curve(run, engine)
        sizes = [granularity_s for granularity_s, _ in curve]
        axes.plot(sizes, [estimate.value for _, estimate in curve], color=color, linewidth=1)
        # From two blocks the interval is wider than the figure.
        if curve and min(estimate.n for _, estimate in curve) >= _FEWEST_FOR_A_BAND:
            low = [estimate.low or 0.0 for _, estimate in curve]
            high = [estimate.high or 0.0 for _, estimate in curve]
            axes.fill_between(sizes, low, high, color=color, alpha=0.15, linewidth=0)
        label = f"{engine}, {seconds(value_of(found[engine]))}"
        axes.plot([], [], f"{marker}-", color=color, label=label)
    for threshold in THRESHOLDS:
        axes.axhline(threshold, color=_GREY, linestyle="--", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(0, 1.1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axes.set_xlabel("task granularity, makespan × workers / tasks (log)")
    axes.set_ylabel("efficiency, higher is better")
    axes.grid(visible=True, color="#e5e5e5", linewidth=0.6)
    figure.legend(loc="outside right upper", title="METG(50%)")
    return figure


def _curve(of: Curve, run: Run, found: Sequence[Row]) -> Figure | None:
    """A metric against a parameter of the case, a line with its intervals for each engine."""
    if not found:
        return None
    figure = Figure(figsize=(_WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    for engine in dict.fromkeys(row.engine for row in found):
        line = sorted((float(row.case[of.x]), row) for row in found if row.engine == engine)
        color, marker = _look(run, engine)
        x = [place for place, _ in line]
        axes.plot(x, [value_of(row) for _, row in line], f"{marker}-", color=color, markersize=4)
        for place, row in line:
            if row.low is not None and row.high is not None:
                axes.plot([place, place], [row.low, row.high], "_-", color=color, linewidth=0.8)
        axes.plot([], [], f"{marker}-", color=color, label=engine)
    axes.set_xscale("log")
    values = sorted({float(row.case[of.x]) for row in found})
    axes.set_xticks(values, [EngFormatter(sep="").format_eng(value) for value in values])
    axes.xaxis.set_minor_locator(NullLocator())
    if of.log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel(of.x_label)
    axes.set_ylabel(of.y_label + _bars(found))
    axes.grid(visible=True, color="#e5e5e5", linewidth=0.6)
    figure.legend(loc="outside right upper")
    return figure


def fractional(run: Run, rows: Sequence[Row]) -> Figure | None:
    """Tasks at once for each share that was asked for, beside what fits."""
    rows = [row for row in rows if row.experiment in ("fractional", "matrix") and CPUS in row.case]
    peaks = [row for row in rows if row.metric == "peak_concurrency" and _has_number(row)]
    if not peaks:
        return None
    asked = sorted({float(row.case[CPUS]) for row in rows}, reverse=True)
    answering = list(dict.fromkeys(row.engine for row in rows if row.value is not None))
    figure = Figure(figsize=(_WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    for place, cpus in enumerate(asked):
        fitting = slots(run.plan.workers, cpus)
        axes.plot([place - 0.4, place + 0.4], [fitting] * 2, color="black", linewidth=1)
    axes.plot([], [], color="black", linewidth=1, label="what fits, floor(C/f)")
    for number_of, engine in enumerate(answering):
        color, marker = _look(run, engine)
        shift = 0.6 * ((number_of + 0.5) / len(answering) - 0.5)
        for row in peaks:
            if row.engine == engine:
                axes.plot(
                    asked.index(float(row.case["cpus"]))
                    + shift
                    + (0.05 if row.case["phase"] == "warm" else -0.05),
                    value_of(row),
                    marker,
                    color=color,
                    fillstyle="full" if row.case["phase"] == "warm" else "none",
                    markersize=6,
                )
        axes.plot([], [], marker, color=color, label=engine)
        for row in rows:
            if row.engine == engine and row.metric == ADMITTED and row.value == "rejected":
                place = asked.index(float(row.case["cpus"]))
                axes.plot(place + shift, 0.85, "x", color=color)
    axes.plot([], [], "o", color=_GREY, label="filled: warm")
    axes.plot([], [], "o", color=_GREY, fillstyle="none", label="hollow: cold")
    if any(row.value == "rejected" for row in rows):
        axes.plot([], [], "x", color=_GREY, label="rejected")
    axes.set_yscale("log", base=2)
    most = max(value_of(row) for row in peaks)
    axes.set_ylim(0.7, 1.5 * max(most, *(slots(run.plan.workers, cpus) for cpus in asked)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xticks(range(len(asked)), [f"{cpus:g}" for cpus in asked])
    axes.set_xlabel(f"f, CPUs that each task asks for, on C = {run.plan.workers}")
    axes.set_ylabel("most tasks at once (log)")
    figure.legend(loc="outside right upper")
    return figure


def _numbers(rows: Sequence[Row], metric: str) -> dict[str, Row]:
    return {row.engine: row for row in rows if row.metric == metric and _has_number(row)}


def _has_number(row: Row) -> bool:
    return isinstance(row.value, float)


def _bars(rows: Sequence[Row]) -> str:
    return "; bars are 95% intervals" if any(row.low is not None for row in rows) else ""


def _look(run: Run, engine: str) -> tuple[str, str]:
    """Colour and marker, the same in every plot of the run."""
    if engine == CEILING:
        return _GREY, "."
    place = [name for name in engines(run.plan) if name != CEILING].index(engine)
    return _COLORS[place % len(_COLORS)], _MARKERS[place % len(_MARKERS)]
