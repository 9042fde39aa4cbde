"""What an engine adds to a task: no-op throughput, a + b·N, round-trip latency."""

import random
import time
from collections.abc import Iterator

from compare.bench import Bench, refine
from compare.presets import Preset
from compare.records import Case, Measurement, Plan, RoundTrips, TaskRun, Workload
from workload import noop
from workload.task import run_packed

_PILOT_TASKS = 50
_FEWEST, _MOST = 80, 10_000
_FRACTIONS = (1 / 8, 1 / 4, 1 / 2, 1)
"""Of the largest number of no-ops: a + b·N needs several N, and b lives in the large ones."""
_FEWEST_ROUND_TRIPS, _MOST_ROUND_TRIPS = 20, 1000
"""Enough for a median and for a 99th percentile: 10 / (1 - p)."""


def cases(preset: Preset, _workload: Workload | None) -> tuple[Case, ...]:
    """One; how many no-ops fit its budget is found out by the first few."""
    return (Case(experiment="overhead", parameters={"budget_s": preset.overhead_budget_s}),)


def expected_s(_plan: Plan, case: Case, _workers: int, _image_s: float) -> float:
    """The budget for the largest N, once more for the smaller ones, and for the round trips."""
    return float(case.parameters["budget_s"]) * (sum(_FRACTIONS) + 0.5)


def measure(bench: Bench, case: Case) -> Iterator[Measurement]:
    """No-ops in batches of several sizes in random order, then one by one."""
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
