"""Tasks of very unequal length: how close an engine comes to the best that is possible."""

import math
import random
from collections.abc import Iterator

from typing_extensions import override

from compare.bench import Bench
from compare.experiments.base import Experiment, Pace
from compare.presets import Preset
from compare.records import Case, Plan, TaskRun, Workload
from engines.interface import Capability
from workload.kernels import sleep

_TASKS_PER_WORKER = 16
_SIGMA = 1.0
"""Of the logarithm: one task in forty lasts seven times the median."""


class Imbalance(Experiment):
    """Sleeping tasks, since the length of each is then known beforehand."""

    name = "imbalance"

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        parameters = {"tasks": _TASKS_PER_WORKER * workers, "mean_s": preset.mean_s}
        return (Case(experiment=self.name, parameters=parameters),)

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.PARALLEL})

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        return int(case.parameters["tasks"]) * float(case.parameters["mean_s"]) / pace.workers

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        label = bench.label()
        durations = durations_s(case, bench.plan.seed, bench.session.block)
        yield bench.run(case, [sleep.task(label, seconds) for seconds in durations])


def durations_s(case: Case, seed: int, block: int) -> tuple[float, ...]:
    """Lognormal, the same for all engines of a block, other ones in each block."""
    rng = random.Random(f"{seed}/{block}/imbalance")  # noqa: S311 - no secret
    # The mean of a lognormal is exp(mu + sigma²/2).
    mu = math.log(float(case.parameters["mean_s"])) - _SIGMA**2 / 2
    return tuple(rng.lognormvariate(mu, _SIGMA) for _ in range(int(case.parameters["tasks"])))


def best_s(durations: tuple[float, ...], workers: int) -> float:
    """No schedule is shorter than the mean load, nor than the longest task."""
    return max(sum(durations) / workers, *durations)
