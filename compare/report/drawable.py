"""Finds the pictures of a section that have data."""

from collections.abc import Callable

from compare.analysis.analysis import Analysis
from compare.experiments.done_first import FROM
from compare.experiments.section import (
    Curve,
    Efficiency,
    FirstDone,
    Intervals,
    Lanes,
    NoOps,
    Picture,
    Progress,
    Section,
    Shares,
    Stacked,
    Supply,
)
from compare.observations.absence import Absence
from compare.observations.compound import Trial
from compare.observations.series import Row
from compare.records.plan import CEILING


def drawable(section: Section, experiment: str, analysis: Analysis) -> tuple[Picture, ...]:
    """The pictures of the section that can be drawn."""
    return tuple(
        picture
        for picture in section.pictures
        if _HAS_DATA[type(picture)](picture, experiment, analysis)
    )


def curve_points(picture: Curve, experiment: str, analysis: Analysis) -> list[Row]:
    """The rows that a curve shows."""
    return [
        row
        for row in numbers(analysis, experiment, picture.metric)
        if picture.where is None or row.case.get(picture.where[0]) == picture.where[1]
    ]


def numbers(analysis: Analysis, experiment: str, metric: str) -> list[Row]:
    """Rows of a metric that have a number."""
    return [
        row
        for row in analysis.rows
        if row.experiment == experiment and row.metric == metric and isinstance(row.value, float)
    ]


def trials_of(picture: Progress, experiment: str, analysis: Analysis) -> dict[str, Trial]:
    """The batches that a picture of progress shows, by engine."""
    trials = analysis.trials.get(experiment, {})
    return {engine: trial for (engine, fault), trial in trials.items() if fault == picture.fault}


def _has_lanes(_: Lanes, experiment: str, analysis: Analysis) -> bool:
    return any(
        not isinstance(group.run, Absence) for group in analysis.timelines.get(experiment, ())
    )


def _has_engines(experiment: str, metric: str, analysis: Analysis) -> bool:
    return any(row.engine != CEILING for row in numbers(analysis, experiment, metric))


_HAS_DATA: dict[type[Picture], Callable[..., bool]] = {
    Curve: lambda picture, name, analysis: bool(curve_points(picture, name, analysis)),
    Lanes: _has_lanes,
    Intervals: lambda picture, name, analysis: _has_engines(name, picture.metric, analysis),
    Stacked: lambda picture, name, analysis: _has_engines(name, picture.parts[0].metric, analysis),
    NoOps: lambda _, name, analysis: _has_engines(name, "per_task_cost", analysis),
    Efficiency: lambda _, name, analysis: _has_engines(name, "metg50", analysis),
    FirstDone: lambda picture, _, analysis: bool(numbers(analysis, picture.rows_of, FROM.name)),
    Shares: lambda _, name, analysis: _has_engines(name, "peak_concurrency", analysis),
    Progress: lambda picture, name, analysis: bool(trials_of(picture, name, analysis)),
    Supply: lambda _, name, analysis: bool(analysis.elastic.get(name)),
}
