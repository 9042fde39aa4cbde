"""Draws when each worker ran which task."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from compare.analysis.analysis import Analysis
from compare.experiments.section import Lanes
from compare.formatting import seconds
from compare.observations.absence import Absence, Why
from compare.observations.lanes import Group
from compare.records.plan import CEILING
from compare.report.plot_style import COLORS, GREY, WIDTH

_LANE = 0.8
"""Share of a lane's height that is drawn."""
_STACKED = 0.5
"""Height of a lane if its worker has several."""
_BETWEEN = 0.4
"""Gap between workers that have several lanes."""


def draw_lanes(picture: Lanes, experiment: str, analysis: Analysis) -> Figure:
    """The first valid batch of each engine and case, all on one time axis."""
    groups = analysis.timelines[experiment]
    if picture.by is None:
        # One batch an engine: the ceiling has one at the beginning of a block and one at its end.
        first = {
            group.engine: group for group in reversed(groups) if not isinstance(group.run, Absence)
        }
        return _figure([(group, engine, COLORS[0]) for engine, group in reversed(first.items())])
    cases = list(dict.fromkeys(group.case.parameters[picture.by] for group in groups))
    return _figure(
        [
            (
                group,
                _label(group, picture, picture.by),
                COLORS[cases.index(group.case.parameters[picture.by])],
            )
            for group in groups
        ]
    )


def _label(group: Group, picture: Lanes, by: str) -> str:
    if isinstance(group.run, Absence) and group.run.why is Why.NOT_APPLICABLE:
        return f"{group.engine}: {picture.inapplicable}"
    name = f"{group.engine}, {group.case.parameters[by]}"
    return f"{name}: {group.run.why}" if isinstance(group.run, Absence) else name


def _figure(labelled: Sequence[tuple[Group, str, str]]) -> Figure:
    """Groups with their labels and colours; groups without a batch have only a label."""
    ends_s = [g.run.makespan_s for g, _, _ in labelled if not isinstance(g.run, Absence)]
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
                facecolor=GREY if group.engine == CEILING else color,
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
    figure.set_size_inches(WIDTH, min(9.0, 1.0 + 0.18 * top))
    axes.set_yticks(ticks, [label for _, label, _ in labelled])
    for (group, _, _), label in zip(labelled, axes.get_yticklabels(), strict=True):
        label.set_color(GREY if isinstance(group.run, Absence) else "black")
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
    heights: list[tuple[float, float]] = []
    at = 0.0
    for lane in group.lanes:
        if lane.place == 0 and lane.worker in stacked and heights:
            at += _BETWEEN
        step = _STACKED if lane.worker in stacked else 1.0
        heights.append((at, step * _LANE))
        at += step
    return heights
