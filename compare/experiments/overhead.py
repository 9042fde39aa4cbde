"""What an engine adds to a task: no-op throughput, a + b·N, round-trip latency, METG."""

import random
import time
from collections.abc import Iterator

from compare.bench import Bench, refine
from compare.experiments import sweep
from compare.presets import Preset
from compare.records import Case, Measurement, Plan, RoundTrips, TaskRun, Workload
from workload import noop
from workload.task import run_packed

_PILOT_TASKS = 50
_FEWEST, _MOST = 80, 10_000
_FRACTIONS = (1 / 8, 1 / 4, 1 / 2, 1)
"""Of the largest number of no-ops: a + b·N needs several N, and b lives in the large ones."""
_POINTS = 12
"""Of a sweep, about."""
_FEWEST_ROUND_TRIPS, _MOST_ROUND_TRIPS = 20, 1000
"""Enough for a median and for a 99th percentile: 10 / (1 - p)."""


def cases(preset: Preset, _workload: Workload | None) -> tuple[Case, ...]:
    """No-ops, as many as fit a budget, and fixed work in tasks of many sizes."""
    return (
        Case(experiment="overhead", parameters={"budget_s": preset.overhead_budget_s}),
        Case(experiment="overhead", parameters={"point_s": preset.point_s}),
    )


def expected_s(_plan: Plan, case: Case, _workers: int, _image_s: float) -> float:
    """The budget for the largest N, once more for the smaller ones, and for the round trips; or
    the points of a sweep and its calibration.
    """
    if is_sweep(case):
        return 1.0 + _POINTS * float(case.parameters["point_s"])
    return float(case.parameters["budget_s"]) * (sum(_FRACTIONS) + 0.5)


def is_sweep(case: Case) -> bool:
    """Of the two cases here, the one with work in its tasks."""
    return case.experiment == "overhead" and "point_s" in case.parameters


def measure(bench: Bench, case: Case) -> Iterator[Measurement]:
    """No-ops in batches of several sizes in random order, then one by one; or a sweep."""
    return sweep.measure(bench, case) if is_sweep(case) else _costs(bench, case)


def _costs(bench: Bench, case: Case) -> Iterator[Measurement]:
    budget_s = float(case.parameters["budget_s"])
    case = Case(experiment=case.experiment, parameters={})
    # Processes start and code paths warm up in a first pilot; the second gives the rate.
    _no_ops(bench, case, _PILOT_TASKS)
    pilot = _no_ops(bench, case, _PILOT_TASKS)
    most = budget_s / pilot.makespan_s * _PILOT_TASKS
    most = min(max(most, _FEWEST), _MOST)
    sizes = [round(most * fraction) for fraction in _FRACTIONS]
    # Seeded and shuffled: a drift must not look like a dependence on N.
    random.Random(f"{bench.plan.seed}/{bench.session.id}").shuffle(sizes)  # noqa: S311
    for size in sizes:
        yield _no_ops(bench, case, size)
    yield _round_trips(bench, case, budget_s / 2)


def _no_ops(bench: Bench, case: Case, count: int) -> TaskRun:
    label = bench.label()
    return bench.run(refine(case, tasks=count), [noop.task(label)] * count, spans=False)


def _round_trips(bench: Bench, case: Case, budget_s: float) -> RoundTrips:
    tasks = [tuple(noop.task(bench.label()))]
    samples: list[float] = []
    until_s = time.monotonic() + budget_s
    while len(samples) < _FEWEST_ROUND_TRIPS or (
        len(samples) < _MOST_ROUND_TRIPS and time.monotonic() < until_s
    ):
        submitted_s = time.monotonic()
        list(bench.engine.run(run_packed, tasks))
        samples.append(time.monotonic() - submitted_s)
    return RoundTrips(**bench.head(), case=refine(case, round_trips=1), samples_s=tuple(samples))
