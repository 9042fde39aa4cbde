"""Draws how many tasks ran at once for each share of a core."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from compare.analysis.analysis import Analysis
from compare.experiments.section import Shares
from compare.experiments.share_rows import ADMITTED, CPUS, WARM, slots
from compare.formatting import value_of
from compare.report.drawable import numbers
from compare.report.plot_style import GREY, WIDTH, look


def draw_shares(_: Shares, experiment: str, analysis: Analysis) -> Figure:
    """Tasks at once for each share that was asked for, and the number that fits."""
    rows = [row for row in analysis.rows if row.experiment == experiment and CPUS in row.case]
    peaks = numbers(analysis, experiment, "peak_concurrency")
    asked = sorted({float(row.case[CPUS]) for row in rows}, reverse=True)
    answering = list(dict.fromkeys(row.engine for row in rows if row.value is not None))
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    for place, cpus in enumerate(asked):
        fitting = slots(analysis.plan.workers, cpus)
        axes.plot([place - 0.4, place + 0.4], [fitting] * 2, color="black", linewidth=1)
    axes.plot([], [], color="black", linewidth=1, label="what fits, floor(C/f)")
    for number_of, engine in enumerate(answering):
        color, marker = look(analysis, engine)
        shift = 0.6 * ((number_of + 0.5) / len(answering) - 0.5)
        for row in peaks:
            if row.engine == engine:
                axes.plot(
                    asked.index(float(row.case[CPUS]))
                    + shift
                    + (0.05 if row.case["phase"] == WARM else -0.05),
                    value_of(row),
                    marker,
                    color=color,
                    fillstyle="full" if row.case["phase"] == WARM else "none",
                    markersize=6,
                )
        axes.plot([], [], marker, color=color, label=engine)
        for row in rows:
            if row.engine == engine and row.metric == ADMITTED and row.value == "rejected":
                place = asked.index(float(row.case[CPUS]))
                axes.plot(place + shift, 0.85, "x", color=color)
    axes.plot([], [], "o", color=GREY, label="filled: warm")
    axes.plot([], [], "o", color=GREY, fillstyle="none", label="hollow: cold")
    if any(row.value == "rejected" for row in rows):
        axes.plot([], [], "x", color=GREY, label="rejected")
    axes.set_yscale("log", base=2)
    most = max(value_of(row) for row in peaks)
    axes.set_ylim(0.7, 1.5 * max(most, *(slots(analysis.plan.workers, cpus) for cpus in asked)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xticks(range(len(asked)), [f"{cpus:g}" for cpus in asked])
    axes.set_xlabel(f"f, CPUs that each task asks for, on C = {analysis.plan.workers}")
    axes.set_ylabel("most tasks at once (log)")
    figure.legend(loc="outside right upper")
    return figure
