"""The data of two plots: efficiency against granularity, and makespan against no-ops."""

from collections.abc import Sequence
from dataclasses import dataclass

from compare.analysis.intervals import Estimate, mean
from compare.experiments.overhead import costs, sweep_cases
from compare.observations.metg import Point, efficiency_at, fitted
from compare.observations.reader import Observations, engines, valid

_STEPS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficiencyCurve:
    """Efficiency of one engine against task granularity."""

    sweeps: tuple[tuple[Point, ...], ...]
    """The measured points of each valid sweep."""
    mean: tuple[tuple[float, Estimate], ...]
    """Granularities in seconds, evenly spaced on a logarithmic axis over the range that all sweeps
    cover, with the mean of the fitted efficiencies at each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoOpBatch:
    """One batch of no-ops."""

    tasks: int
    makespan_s: float


def efficiency_curves(observations: Observations) -> dict[str, EfficiencyCurve]:
    """The efficiency curve of each engine that has a valid sweep."""
    plan = observations.plan
    sweeps = {
        engine: tuple(
            swept.busy
            for case in sweep_cases(plan, engine)
            for swept in valid(observations.sweep(engine, case)).values()
        )
        for engine in engines(plan)
    }
    return {
        engine: EfficiencyCurve(sweeps=engine_sweeps, mean=_mean_curve(engine_sweeps))
        for engine, engine_sweeps in sweeps.items()
        if engine_sweeps
    }


def _mean_curve(sweeps: Sequence[Sequence[Point]]) -> tuple[tuple[float, Estimate], ...]:
    fits = list(map(fitted, sweeps))
    low = max(min(point.granularity_s for point in points) for points in fits)
    high = min(max(point.granularity_s for point in points) for points in fits)
    curve = []
    for step in range(_STEPS + 1):
        granularity_s = min(max(low * (high / low) ** (step / _STEPS), low), high)
        values = [efficiency_at(points, granularity_s) for points in sweeps]
        inside = [value for value in values if value is not None]
        if inside:
            curve.append((granularity_s, mean(inside)))
    return tuple(curve)


def no_op_batches(observations: Observations) -> dict[str, tuple[NoOpBatch, ...]]:
    """All valid batches of no-ops, by engine."""
    batches = {
        engine: tuple(
            NoOpBatch(tasks=run.tasks, makespan_s=run.makespan_s)
            for block in valid(costs(observations, engine)).values()
            for run in block.no_ops
        )
        for engine in engines(observations.plan)
    }
    return {engine: of_engine for engine, of_engine in batches.items() if of_engine}
