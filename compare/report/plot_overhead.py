"""Draws makespan against no-ops, and efficiency against granularity."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from compare.analysis.analysis import Analysis
from compare.experiments.section import Efficiency, NoOps
from compare.formatting import seconds, value_of
from compare.observations.metg import THRESHOLDS
from compare.observations.metric import FEWEST_BLOCKS
from compare.report.drawable import numbers
from compare.report.plot_style import COUNTS, GREY, GRID, WIDTH, label_log_axis, look

_DURATIONS = FuncFormatter(lambda value, _: seconds(value, digits=1))


def draw_no_ops(_: NoOps, experiment: str, analysis: Analysis) -> Figure:
    """Makespans of N no-ops in all blocks, and the line with the estimated a and b."""
    slopes, starts = (
        {row.engine: row for row in numbers(analysis, experiment, metric)}
        for metric in ("per_task_cost", "fixed_cost")
    )
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    axes = figure.subplots()
    for engine in sorted(slopes, key=lambda engine: -value_of(slopes[engine])):
        batches = analysis.no_ops[engine]
        sizes = [batch.tasks for batch in batches]
        a, b = value_of(starts[engine]), value_of(slopes[engine])
        color, marker = look(analysis, engine)
        axes.plot(sizes, [batch.makespan_s for batch in batches], marker, color=color, markersize=4)
        steps = [min(sizes) * (max(sizes) / min(sizes)) ** (step / 50) for step in range(51)]
        drawn = [size for size in steps if a + b * size > 0]
        axes.plot(drawn, [a + b * size for size in drawn], color=color, linewidth=1)
        axes.plot([], [], f"{marker}-", color=color, label=f"{engine}, {seconds(b)} a task")
    axes.set_xscale("log")
    axes.set_yscale("log")
    label_log_axis(axes.xaxis, COUNTS)
    label_log_axis(axes.yaxis, _DURATIONS)
    axes.set_xlabel("N, number of no-ops (log)")
    axes.set_ylabel("makespan (log), lower is better")
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    figure.legend(loc="outside right upper")
    return figure


def draw_efficiency(_: Efficiency, experiment: str, analysis: Analysis) -> Figure:
    """Efficiency against task granularity, with its 95% interval, and METG(50%) in the legend."""
    metg = {row.engine: row for row in numbers(analysis, experiment, "metg50")}
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    axes = figure.subplots()
    for engine in sorted(metg, key=lambda engine: value_of(metg[engine])):
        color, marker = look(analysis, engine)
        for points in analysis.efficiency[engine].sweeps:
            sizes = [point.granularity_s for point in points]
            axes.plot(sizes, [p.efficiency for p in points], marker, color=color, markersize=3)
        curve = analysis.efficiency[engine].mean
        sizes = [granularity_s for granularity_s, _ in curve]
        axes.plot(sizes, [estimate.value for _, estimate in curve], color=color, linewidth=1)
        if curve and min(estimate.n for _, estimate in curve) >= FEWEST_BLOCKS:
            low = [estimate.low or 0.0 for _, estimate in curve]
            high = [estimate.high or 0.0 for _, estimate in curve]
            axes.fill_between(sizes, low, high, color=color, alpha=0.15, linewidth=0)
        label = f"{engine}, {seconds(value_of(metg[engine]))}"
        axes.plot([], [], f"{marker}-", color=color, label=label)
    for threshold in THRESHOLDS:
        axes.axhline(threshold, color=GREY, linestyle="--", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(_DURATIONS)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(0, 1.1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axes.set_xlabel("task granularity, makespan × workers / tasks (log)")
    axes.set_ylabel("efficiency, higher is better")
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    figure.legend(loc="outside right upper", title="METG(50%)")
    return figure
