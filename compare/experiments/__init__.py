"""The experiments, by the name the command line knows, each in a module of its own."""

from collections.abc import Iterator
from typing import Protocol

from compare.bench import Bench
from compare.experiments import fractional, overhead, throughput
from compare.presets import Preset
from compare.records import Case, Plan, Record, Workload


class Experiment(Protocol):
    """What a module here has."""

    def cases(self, preset: Preset, workload: Workload | None, /) -> tuple[Case, ...]:
        """What a session measures."""

    def expected_s(self, plan: Plan, case: Case, workers: int, image_s: float, /) -> float:
        """About how long that takes when one core needs ``image_s`` for an image."""

    def measure(self, bench: Bench, case: Case, /) -> Iterator[Record]:
        """Measure it on an open engine."""


EXPERIMENTS: dict[str, Experiment] = {
    "throughput": throughput,
    "overhead": overhead,
    "fractional": fractional,
}
