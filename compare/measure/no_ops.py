"""Batches of no-ops, large, small and single, on an engine that is warm."""

import math
import random
from collections.abc import Iterator

from compare.measure.bench import Bench
from compare.measure.warm_up import warm_up
from compare.observations.fits import STRAIGHT
from compare.options import PresetName
from compare.presets import Sizes
from compare.records.measurements import Measurement, RoundTrips, TaskRun
from compare.records.plan import Case, refine
from workload.kernels import noop

WARM_UP_S = Sizes(quick=2.0, standard=3.0, full=30.0)
"""Seconds that an engine may take to become as fast as it gets."""
_FEWEST, _MOST = 300, 10_000
"""Limits of the largest batch of no-ops: three different sizes above 100, and not too long."""
_SMALL = {1: 9, 10: 3}
"""Repetitions by size of the batches below the straight part of the line."""
_SIZES, _REPEATS = 3, 3
"""Of the batches on the straight part: different sizes, and repetitions of each."""
_SUM_OF_SIZES = 1.6
"""Approximate sum of the sizes, relative to the largest one."""
_CLOSEST = 1.4
"""Ratio of two neighbouring sizes; nearer ones tell nothing about a slope."""
_ROUND_TRIPS_S = 0.5
_FEWEST_ROUND_TRIPS, _MOST_ROUND_TRIPS = 20, 1000
"""Enough for a median, and for a 99th percentile: 10 / (1 - p)."""


def measured_costs(bench: Bench, case: Case) -> Iterator[Measurement]:
    """Warm the engine up, then measure no-ops in batches of several sizes in random order, and
    singly.
    """
    budget_s = float(case.parameters["budget_s"])
    pilots: list[TaskRun] = []
    warm_up_s = WARM_UP_S.of(bench.plan.options.preset)
    for pilot in warm_up(lambda count: _no_ops(bench, refine(case, pilot=count), count), warm_up_s):
        pilots.append(pilot)
        yield pilot
    bench.warm = True
    shuffled = [
        *(size for size, repeats in _SMALL.items() for _ in range(repeats)),
        *(size for size in _large_sizes(pilots[-1], budget_s) for _ in range(_REPEATS)),
    ]
    # Seeded and shuffled: a drift must not look like a dependence on N.
    random.Random(f"{bench.plan.options.seed}/{bench.session.id}").shuffle(shuffled)  # noqa: S311
    for size in shuffled:
        yield _no_ops(bench, case, size)
    yield _round_trips(bench, case, max(budget_s, _ROUND_TRIPS_S))


def _large_sizes(warm: TaskRun, budget_s: float) -> list[int]:
    """Numbers of tasks from 100 up, the largest of which takes about ``budget_s``."""
    most = min(max(budget_s * warm.tasks / warm.makespan_s, _FEWEST), _MOST)
    steps = min(_SIZES - 1, math.floor(math.log(most / STRAIGHT, _CLOSEST)))
    return [round(STRAIGHT * (most / STRAIGHT) ** (step / steps)) for step in range(steps + 1)]


def _no_ops(bench: Bench, case: Case, count: int) -> TaskRun:
    label = bench.label()
    return bench.run(refine(case, tasks=count), [noop.task(label)] * count, spans=False)


def _round_trips(bench: Bench, case: Case, budget_s: float) -> RoundTrips:
    task = noop.task(bench.label())
    samples: list[float] = []
    left_s = budget_s
    while len(samples) < _FEWEST_ROUND_TRIPS or (len(samples) < _MOST_ROUND_TRIPS and left_s > 0):
        samples.append(bench.round_trip_s(task))
        left_s -= samples[-1]
    return RoundTrips(**bench.head(), case=case, samples_s=tuple(samples))


def expected_costs_s(preset: PresetName, case: Case) -> float:
    """Approximate seconds that the case takes."""
    warm_up_s = WARM_UP_S.of(preset) / 3  # most engines need less
    return float(case.parameters["budget_s"]) * (_REPEATS * _SUM_OF_SIZES + 1) + warm_up_s
