"""METG of engines of known cost on a noisy machine: bias, and coverage of the interval."""

import functools
import math
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import pytest

from compare.analysis.intervals import geometric_mean
from compare.measure.sweep import Sweep
from compare.observations import metg as observed_metg
from compare.observations.metg import Limit, fixed_cost_s, metg, point
from compare.records.measurements import TaskRun
from compare.records.plan import Case
from tests.compare import fakes
from tests.compare.fake_bench import FakeBench

WORKERS = 2
RUNS, BLOCKS = 150, 3
NOISE, BLOCK_NOISE, CALIBRATION_NOISE = 0.03, 0.03, 0.03
MOST_BIAS, FEWEST_HELD = 0.08, 0.93
_TASK_RUN = fakes.task_run()


@dataclass(frozen=True, kw_only=True)
class Model:
    """Costs of an engine: of a batch, of a task in its worker, of a task in the one dispatcher."""

    fixed_s: float = 0.0
    inside_s: float = 0.0
    dispatch_s: float = 0.0
    slowdown: float = 1.0
    """Of work, while all cores are busy."""

    def makespan_s(self, tasks: int, work_s: float) -> float:
        inside_s = tasks / WORKERS * (self.inside_s + self.slowdown * work_s)
        return self.fixed_s + max(tasks * self.dispatch_s, inside_s)

    def metg_s(self, threshold: float) -> float:
        """In closed form: a cost in each worker, or a dispatcher that feeds all of them."""
        return max(self.inside_s / (1 - threshold), WORKERS * self.dispatch_s)


ENGINES = {
    "inside": Model(inside_s=60e-6),
    "dispatcher": Model(dispatch_s=600e-6),
    "both": Model(inside_s=0.004, dispatch_s=0.001),
    "fixed cost": Model(inside_s=0.004, fixed_s=0.04),
    "slow neighbours": Model(inside_s=0.002, fixed_s=0.01, slowdown=1.07),
}


class Simulated(NamedTuple):
    """A sweep of a noisy engine."""

    batches: Sequence[tuple[int, float, int]]
    """Tasks, seconds and iterations of each task; the pilots have none."""
    busy_s: float

    def metg_s(self, threshold: float, *, minus_fixed: bool = True, busy: bool = True) -> float:
        pilots = [(tasks, took_s) for tasks, took_s, work in self.batches if not work]
        fixed_s, _ = fixed_cost_s(pilots)
        iteration_s = self.busy_s if busy else fakes.ITERATION_S
        points = [
            point(
                makespan_s=took_s,
                workers=WORKERS,
                tasks=tasks,
                work_s=work * iteration_s,
                fixed_s=fixed_s if minus_fixed else 0.0,
            )
            for tasks, took_s, work in self.batches
            if work
        ]
        found = metg(points, threshold)
        assert found is not None
        return found.value if isinstance(found, Limit) else found


def simulated(model: Model, rng: random.Random) -> Simulated:
    plan = fakes.plan(seed=rng.randrange(2**32))
    session = next(one for one in plan.sessions if one.engine == "ray")

    def noisy(seconds: float) -> float:
        return seconds * rng.lognormvariate(0, CALIBRATION_NOISE)

    bench = FakeBench(plan, session, fakes.FakeEngine(busy_slowdown=model.slowdown), noisy)
    cost = rng.lognormvariate(0, BLOCK_NOISE)
    of_block = replace(model, inside_s=cost * model.inside_s, dispatch_s=cost * model.dispatch_s)

    def batch(iterations: int, count: int) -> TaskRun:
        seconds = of_block.makespan_s(count, iterations * fakes.ITERATION_S)
        case = Case(experiment="overhead", parameters={"iterations": iterations})
        return replace(
            _TASK_RUN, case=case, tasks=count, makespan_s=seconds * rng.lognormvariate(0, NOISE)
        )

    with bench.calibrated(patient=False):
        planned = Case(experiment="overhead", parameters={"point_s": 0.2})
        runs = list(Sweep(bench, planned, batch).run())
    return Simulated(
        [(run.tasks, run.makespan_s, int(run.case.parameters["iterations"])) for run in runs],
        statistics.fmean(bench.busy_s),
    )


@functools.cache
def blocks(model: Model) -> Sequence[Sequence[Simulated]]:
    """The blocks of each run of this engine; several tests read the same ones."""
    rng = random.Random(str(model))  # noqa: S311
    return [[simulated(model, rng) for _ in range(BLOCKS)] for _ in range(RUNS)]


def bias_and_coverage(
    model: Model, threshold: float, of_block: Callable[[Simulated], float]
) -> tuple[float, float]:
    true_s = model.metg_s(threshold)
    logs, held = [], 0
    for run in blocks(model):
        found = geometric_mean([of_block(block) for block in run])
        assert found.low is not None
        assert found.high is not None
        logs.append(math.log(found.value / true_s))
        held += found.low <= true_s <= found.high
    return math.exp(sum(logs) / RUNS) - 1, held / RUNS


@pytest.mark.parametrize("threshold", [0.5, 0.9])
@pytest.mark.parametrize("name", ENGINES)
def test_metg_is_right_within_8_percent_and_its_interval_holds_it(
    name: str, threshold: float
) -> None:
    model = ENGINES[name]
    bias, held = bias_and_coverage(model, threshold, lambda block: block.metg_s(threshold))
    assert abs(bias) <= MOST_BIAS
    # Less two standard errors of the simulation.
    assert held >= FEWEST_HELD - 2 * math.sqrt(0.95 * 0.05 / RUNS)


def test_with_the_fixed_cost_left_in_the_same_check_fails() -> None:
    model = Model(inside_s=0.0005, fixed_s=0.04)
    right, _ = bias_and_coverage(model, 0.9, lambda block: block.metg_s(0.9))
    wrong, _ = bias_and_coverage(model, 0.9, lambda block: block.metg_s(0.9, minus_fixed=False))
    assert abs(right) <= MOST_BIAS < abs(wrong)


def test_with_an_idle_core_as_the_measure_the_same_check_fails() -> None:
    model = ENGINES["slow neighbours"]
    wrong, _ = bias_and_coverage(model, 0.9, lambda block: block.metg_s(0.9, busy=False))
    assert wrong > MOST_BIAS


@pytest.mark.parametrize("name", ["inside", "both", "dispatcher"])
def test_a_smooth_curve_halves_the_variance_of_metg50(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine where a batch of a tenth of a second differs by 10% from the next one."""
    monkeypatch.setattr(sys.modules[__name__], "NOISE", 0.1)
    monkeypatch.setattr(sys.modules[__name__], "BLOCK_NOISE", 0.0)
    smooth = variance(ENGINES[name], seed=1)
    monkeypatch.setattr(observed_metg, "_smooth", lambda ordered, _: ordered)
    assert smooth < 0.5 * variance(ENGINES[name], seed=2)


def variance(model: Model, *, seed: int) -> float:
    rng = random.Random(seed)  # noqa: S311
    return statistics.variance(math.log(simulated(model, rng).metg_s(0.5)) for _ in range(RUNS))
