"""What an engine adds to a task: no-op throughput, a + b·N, round-trip latency, METG."""

import random
import time
from collections.abc import Iterator

from typing_extensions import override

from compare.bench import Bench, refine
from compare.experiments.base import Experiment, Pace
from compare.experiments.sweep import expected_sweep_s, spin_sweep
from compare.presets import Preset
from compare.records import Case, Measurement, Plan, RoundTrips, TaskRun, Workload
from workload.kernels import noop
from workload.task import run_packed

_PILOT_TASKS = 50
_FEWEST, _MOST = 80, 10_000
_DECADES = (1, 10, 100, 1000)
_REPEATED = {1: 9, 10: 5}
"""The smallest take so little that one interruption, or one wait for a thread, is much of it."""
_FRACTIONS = (1 / 4, 1 / 2, 1)
"""Of the largest number of no-ops: a + b·N needs several N, and b lives in the large ones."""
_FEWEST_ROUND_TRIPS, _MOST_ROUND_TRIPS = 20, 1000
"""Enough for a median and for a 99th percentile: 10 / (1 - p)."""


class Overhead(Experiment):
    """No-ops, as many as fit a budget, and fixed work in tasks of many sizes."""

    name = "overhead"

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        return (
            Case(experiment=self.name, parameters={"budget_s": preset.overhead_budget_s}),
            Case(experiment=self.name, parameters={"point_s": preset.point_s}),
        )

    @override
    def calibrated(self, case: Case) -> bool:
        return is_sweep(case)

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        """The budget for the largest N, once more for the smaller ones, and for the round trips;
        or the points of a sweep and its calibration.
        """
        if is_sweep(case):
            return expected_sweep_s(case, pace.fixed_s)
        return float(case.parameters["budget_s"]) * (sum(_FRACTIONS) + 0.5)

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[Measurement]:
        """No-ops in batches of several sizes in random order, then one by one; or a sweep."""
        return spin_sweep(bench, case).run() if is_sweep(case) else _costs(bench, case)


def is_sweep(case: Case) -> bool:
    """Fixed work in tasks of many sizes, from which METG is read."""
    return "point_s" in case.parameters


def _costs(bench: Bench, case: Case) -> Iterator[Measurement]:
    budget_s = float(case.parameters["budget_s"])
    # Processes start and code paths warm up in a first pilot; the second gives the rate.
    _no_ops(bench, case, _PILOT_TASKS)
    pilot = _no_ops(bench, case, _PILOT_TASKS)
    most = round(min(max(budget_s / pilot.makespan_s * _PILOT_TASKS, _FEWEST), _MOST))
    sizes = {*(n for n in _DECADES if n < most), *(round(most * f) for f in _FRACTIONS)}
    shuffled = sorted(size for size in sizes for _ in range(_REPEATED.get(size, 1)))
    # Seeded and shuffled: a drift must not look like a dependence on N.
    random.Random(f"{bench.plan.seed}/{bench.session.id}").shuffle(shuffled)  # noqa: S311
    for size in shuffled:
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
    return RoundTrips(**bench.head(), case=case, samples_s=tuple(samples))
