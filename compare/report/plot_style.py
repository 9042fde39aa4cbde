"""The style of all plots: one pair of colour and marker per engine.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which colour-blind readers
can distinguish; markers differ as well.
"""

from collections.abc import Sequence

from matplotlib.axis import Axis
from matplotlib.ticker import Formatter, FuncFormatter, LogLocator, NullFormatter

from compare.analysis.analysis import Analysis
from compare.observations.series import Row
from compare.records.plan import CEILING

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#777777"
GRID = "#e5e5e5"
WIDTH = 7.2
"""Width of a figure in inches."""
COUNTS = FuncFormatter(lambda value, _: f"{value:,.10g}")
"""Labels of an axis: ``1,000``."""
_WIDE = 100
"""A logarithmic axis over a larger ratio has labels at powers of ten only."""
_MARKERS = "osD^vPX"
SHAPES = dict(
    zip(
        f".{_MARKERS}",
        (
            *("circle", "circle", "square", "diamond", "triangle-up", "triangle-down", "cross"),
            "M-1,-.6L-.4,0L-1,.6L-.6,1L0,.4L.6,1L1,.6L.4,0L1,-.6L.6,-1L0,-.4L-.6,-1Z",
        ),
        strict=True,
    )
)
"""The markers in the words of Vega; it has none for a cross that stands on two legs."""
STYLE = {
    "svg.hashsalt": "engine-compare",  # determines the ids in the file
    "font.family": "DejaVu Sans",  # part of matplotlib: the same glyphs on every machine
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def look(analysis: Analysis, engine: str) -> tuple[str, str]:
    """Colour and marker of an engine, the same in every plot of a run."""
    return look_of([name for name in analysis.engines if name != CEILING], engine)


def look_of(engines: Sequence[str], engine: str) -> tuple[str, str]:
    """Colour and marker of one of these engines, which do not include the ceiling, or of it."""
    if engine == CEILING:
        return GREY, "."
    round_, place = divmod(engines.index(engine), len(COLORS))
    # A colour that comes a second time has another marker.
    return COLORS[place], _MARKERS[(place + round_) % len(_MARKERS)]


def label_log_axis(axis: Axis, labels: Formatter) -> None:
    """Label the powers of ten of a logarithmic axis; if it is short, also twice and five times."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < _WIDE * low else (1,)))
    axis.set_major_formatter(labels)
    axis.set_minor_formatter(NullFormatter())


def bars_label(rows: Sequence[Row]) -> str:
    """Explains the bars, if there are any."""
    return "; bars are 95% intervals" if any(row.low is not None for row in rows) else ""
