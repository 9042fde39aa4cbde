"""The kinds of cautions: evidence in the fields, advice in the text.  Decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from compare.losses import Parts
from compare.wording import listed, plural, seconds


class Caution(Protocol):
    """Evidence in its fields, advice in its text."""

    def __str__(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialRun:
    """Sessions of the plan did not run to their end."""

    done: int
    planned: int

    def __str__(self) -> str:
        return (
            f"Only {self.done} of {self.planned} sessions were run. "
            "Finish the run with --resume before quoting it."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OneBlock:
    """Everything was measured once."""

    def __str__(self) -> str:
        return (
            "One block: no interval can be given and no difference shown. "
            "Rerun with --blocks 3 or more before quoting a number."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLost:
    """A host of the cluster was gone when a batch of tasks had ended."""

    engine: str
    block: int
    host: str
    tasks: int
    again: int
    """Kernel calls more than there are tasks; too few where the workers of that host had no folder
    to leave their counts in."""
    makespan_s: float
    usual_s: float | None
    """Of the same batch in blocks without a loss."""

    def __str__(self) -> str:
        against = (
            "" if self.usual_s is None else f", against {seconds(self.usual_s)} without a loss"
        )
        return (
            f"{self.engine} lost the host {self.host} in block {self.block} and finished: of "
            f"{plural(self.tasks, 'task')}, {self.again} ran twice, and all took "
            f"{seconds(self.makespan_s)}{against}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineMissing:
    """Asked for, but it cannot run here."""

    engine: str
    reason: str

    def __str__(self) -> str:
        return f"{self.engine} was asked for and not run: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFailed:
    """A case, or a whole session, gave no measurement."""

    engine: str
    block: int
    experiment: str | None
    """``None`` when the session failed as a whole."""
    reason: str

    def __str__(self) -> str:
        what = "its session" if self.experiment is None else self.experiment
        return f"{self.engine} failed in block {self.block} ({what}): {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateBroken:
    """An engine ran, but not what was asked."""

    engine: str
    experiment: str
    blocks: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        blocks = listed([str(block) for block in self.blocks])
        return (
            f"{self.engine} has no valid {self.experiment} (block {blocks}): {self.reason}. "
            "Its numbers are left out, those of its other blocks, too."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomWeights:
    """The model is not trained."""

    model: str

    def __str__(self) -> str:
        return (
            f"{self.model} has random weights: its speed is that of a trained model, its labels "
            "and accuracy mean nothing. Choose a trained --model for those."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesSkipped:
    """Files that are no images."""

    count: int
    first: str

    def __str__(self) -> str:
        return f"{plural(self.count, 'file')} skipped, the first: {self.first}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnequalNiceness:
    """As shipped, engines run their workers at different priorities."""

    niceness: Mapping[str, tuple[int, ...]]

    def __str__(self) -> str:
        said = [f"{engine} {'/'.join(map(str, n))}" for engine, n in self.niceness.items()]
        return (
            f"Workers ran at unequal niceness: {listed(said)}. It matters when the cores are "
            "shared with other programs; --config tuned makes it equal."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnequalAllocator:
    """As shipped, engines tell malloc different things."""

    allocators: Mapping[str, str]

    def __str__(self) -> str:
        said = [f"{engine}: {told}" for engine, told in self.allocators.items()]
        return (
            f"Memory was allocated in unequal ways ({'; '.join(said)}), which decides part of the "
            "speed of a ViT; --config tuned makes it equal."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftoverProcesses:
    """Processes outlived their session and had to be ended."""

    engine: str
    count: int
    first: str

    def __str__(self) -> str:
        return (
            f"{self.engine} left processes behind ({self.count}), which the runner ended; "
            f"the first: {self.first}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FewTasks:
    """So few tasks that the last wave decides."""

    tasks: int
    workers: int

    def __str__(self) -> str:
        return (
            f"{plural(self.tasks, 'task')} for {self.workers} workers: one slow task at the end "
            "shows in the throughput. Use more images or a smaller --chunk."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpareWorkers:
    """More threads or processes ran tasks than there are workers, though never more at once."""

    engine: str
    seen: int
    workers: int

    def __str__(self) -> str:
        return (
            f"{self.engine} ran the image tasks in {self.seen} threads or processes for "
            f"{plural(self.workers, 'worker')}; a process that came late loaded the model while "
            "the clock ran."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AboveCeiling:
    """An engine seems faster than the same kernel calls without any engine."""

    engine: str
    efficiency: float

    def __str__(self) -> str:
        return (
            f"{self.engine} reached {self.efficiency:.0%} of the engine-free ceiling, which cannot "
            "be: the machine was not equally fast for both. Do not quote shares of the ceiling; "
            "rerun on a quiet machine, with more images."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortRun:
    """The batch inference ended before a machine settles."""

    engine: str
    makespan_s: float

    def __str__(self) -> str:
        return (
            f"The batch inference took {self.engine} only {seconds(self.makespan_s)}: any "
            "disturbance shows in the throughput. Use more --n-images or a larger model."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BelowCeiling:
    """An engine lost more than a tenth, with enough tasks to do better."""

    engine: str
    efficiency: float
    block: int
    longer: Parts | None
    """Than the ceiling in that block, part by part; ``None`` without spans."""

    def __str__(self) -> str:
        said = f"{self.engine} reached {self.efficiency:.0%} of the engine-free ceiling."
        if self.longer is None:
            return said
        told = [f"{seconds(part_s)} {name}" for name, part_s in self.longer.by_size() if part_s > 0]
        total_s = self.longer.total_s()
        return (
            f"{said} In block {self.block} it took {seconds(total_s)} longer; each worker lost "
            f"{listed(told)}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BentLine:
    """The makespans of the no-ops do not lie on a line."""

    worst: Mapping[str, float]
    """The largest deviation as a share of the makespan there, by engine."""

    def __str__(self) -> str:
        said = [f"{engine} {share:.0%}" for engine, share in self.worst.items()]
        return (
            f"No-ops lie off the line a + b·N, by up to {listed(said)}: take per-task and fixed "
            "cost of these as rough, and their no-op throughput as measured."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FewSamples:
    """So few round trips that a percentile of them would be a guess."""

    percentile: int
    needed: int
    samples: Mapping[str, int]
    """The fewest of a block, of each engine that had too few."""

    def __str__(self) -> str:
        said = [f"{engine} {count}" for engine, count in self.samples.items()]
        return (
            f"A {self.percentile}th percentile of the round trip needs {self.needed:,} samples a "
            f"block, and there were fewer: {listed(said)}. It is not given for them; "
            "--preset full takes more."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessShare:
    """The driver's own loop over the results took a part of the no-ops that shows."""

    shares: Mapping[str, float]
    """Of the makespan of the largest batch, by engine."""

    def __str__(self) -> str:
        said = [f"{share:.0%} of {engine}'s" for engine, share in self.shares.items()]
        return (
            f"Taking note of the results is {listed(said)} time for no-ops: their cost per task is "
            "partly that of the harness. Compare these with longer tasks."
        )
