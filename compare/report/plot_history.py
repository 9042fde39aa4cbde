"""Draws a metric over several runs."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from compare.analysis.history import History
from compare.formatting import value_of
from compare.records.plan import CEILING
from compare.report.history_table import SHOWN, new_versions, title
from compare.report.plot_style import GRID, STYLE, WIDTH, bars_label, look_of

_MOST_VERSIONS = 4
"""Lines of versions below a run; the table has all of them."""


def write_history(history: History, path: Path) -> None:
    """Write the picture as SVG.  The same runs give the same bytes.

    Raises:
        OSError: the file cannot be written.
    """
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever the user's own style is
        mpl.rcParams.update(STYLE)
        FigureCanvasSVG(draw_history(history)).print_svg(path, metadata={"Date": None})


def draw_history(history: History) -> Figure:
    """A line with intervals for each engine; a ring marks a change from the run before."""
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.subplots()
    names = [engine for engine in history.engines if engine != CEILING]
    marked = False
    for engine in history.engines:
        color, marker = look_of(names, engine)
        points = [
            (place, entry.rows[engine], entry.changes.get(engine))
            for place, entry in enumerate(history.entries)
            if engine in entry.rows and isinstance(entry.rows[engine].value, float)
        ]
        places = [place for place, _, _ in points]
        values = [value_of(row) for _, row, _ in points]
        axes.plot(places, values, f"{marker}-", color=color, markersize=4, label=engine)
        for place, row, change in points:
            if row.low is not None and row.high is not None:
                axes.plot([place, place], [row.low, row.high], "_-", color=color, linewidth=0.8)
            if change is not None and change.outcome in SHOWN:
                marked = True
                ring = axes.plot(place, value_of(row), "o", markersize=11, color=color)
                ring[0].set_markerfacecolor("none")
                axes.annotate(
                    change.outcome, (place, value_of(row)), (8, 6), textcoords="offset points"
                )
    labels = [
        "\n".join([entry.date, *_told(versions)])
        for entry, versions in zip(history.entries, new_versions(history), strict=True)
    ]
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.4, len(labels) - 0.6)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(title(history))
    rows = [row for entry in history.entries for row in entry.rows.values()]
    rings = "\na ring marks a change from the run before" if marked else ""
    axes.set_xlabel(f"runs and their new versions{bars_label(rows)}{rings}")
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    figure.legend(loc="outside right upper")
    return figure


def _told(versions: Mapping[str, str]) -> list[str]:
    lines = [f"{name} {version}" for name, version in versions.items()]
    more = len(lines) - _MOST_VERSIONS
    return lines if more <= 0 else [*lines[:_MOST_VERSIONS], f"and {more} more"]
