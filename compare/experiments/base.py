"""What an experiment is: what it measures in a session, and what it needs for that."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from compare.bench import Bench
from compare.presets import Preset
from compare.records import SERIAL, Case, Plan, Record, Workload
from engines.interface import Capability

LACKING = {
    Capability.PARALLEL: "runs one task at a time",
    Capability.FRACTIONAL_CPUS: "has no way to say that a task needs a share of a core",
    Capability.SLOTS: "has no resources that a task can ask for",
    Capability.BULK: "has one way only to take tasks",
    Capability.AWAITS: "has no way to let a task wait without its worker waiting, too",
    Capability.GRAPHS: "has no way to hand the result of a task to another but through the driver",
    Capability.TRACES: "keeps no record of its own",
}
"""What an engine says that does not claim the capability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How an engine is opened.  Cases with the same share a session."""

    workers: int
    smallest_share: float = 1.0
    traced: bool = False
    label: str = ""
    """Part of the session's name; empty for the main one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What is known beforehand of how fast a session goes; for the estimate of its duration."""

    workers: int
    image_s: float
    """Of one core."""
    fixed_s: float
    """Of a run, beside its tasks."""


class Experiment(ABC):
    """A question, asked of every engine in the same way."""

    name: ClassVar[str]
    """As the command line knows it."""
    classifies: ClassVar[bool] = False
    """Its tasks classify images with a model that every worker has loaded before."""
    needs_images: ClassVar[bool] = False
    with_ceiling: ClassVar[bool] = True
    """Asked of the engine-free ceiling, too."""

    @abstractmethod
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        """What an engine measures, in this order."""

    @abstractmethod
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        """About how long that takes."""

    @abstractmethod
    def measure(self, bench: Bench, case: Case) -> Iterator[Record]:
        """Measure it on an open engine."""

    def blocks(self, preset: Preset) -> int:
        """In how many blocks of the preset it is measured; ``--blocks`` overrides it."""
        return preset.blocks

    def needs(self, case: Case) -> frozenset[Capability]:
        """What an engine must be able to do."""
        del case
        return frozenset()

    def calibrated(self, case: Case) -> bool:
        """Its tasks do a fixed amount of work, calibrated before it and checked after it."""
        del case
        return False

    def opening(self, case: Case, workers: int) -> Opening:
        """How the engine is opened for it."""
        del case
        return Opening(workers=workers)


def workers_of(engine: str, workers: int) -> int:
    """How many tasks an engine that was given ``workers`` runs at once."""
    return 1 if engine == SERIAL else workers


def lacking(
    name: str, capabilities: frozenset[Capability], needed: frozenset[Capability]
) -> str | None:
    """Why an engine cannot do it, in a sentence; ``None`` when it can."""
    missing = [capability for capability in Capability if capability in needed - capabilities]
    return f"{name} {LACKING[missing[0]]}" if missing else None
