"""Cautions about how the engines ran."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from typing_extensions import override

from compare.analysis.cautions.caution import Caution, Evidence
from compare.experiments import job, throughput
from compare.experiments.batch_rows import ENGINE_EFFICIENCY
from compare.experiments.throughput import speed
from compare.formatting import enumeration, plural, seconds
from compare.observations.makespan import Parts, parts
from compare.observations.reader import engines, valid
from compare.observations.series import Row
from compare.records.measurements import Lifecycle, TaskRun
from compare.records.plan import CEILING, SERIAL
from engines.interface import Config

_ALLOCATOR = ("MALLOC_", "LD_PRELOAD")
_GOOD_EFFICIENCY = 0.9
_ENOUGH_CHUNKS = 16
"""With fewer tasks, the last wave alone can cost a tenth of the efficiency."""
_VISIBLY_ABOVE = 1.0005
"""Less prints as 100.0%."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnequalNiceness(Caution):
    """In the shipped configuration, engines run their workers at different priorities."""

    niceness: Mapping[str, tuple[int, ...]]

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        # In the tuned configuration, unequal niceness makes a run invalid.
        if evidence.run.plan.options.config is not Config.SHIPPED:
            return
        niceness: dict[str, tuple[int, ...]] = {}
        for record in evidence.run.records:
            if isinstance(record, TaskRun):
                seen = {*niceness.get(record.engine, ()), *record.niceness}
                niceness[record.engine] = tuple(sorted(seen))
        if len(set(niceness.values())) > 1:
            yield cls(niceness=niceness)

    @override
    def __str__(self) -> str:
        values = [f"{engine} {'/'.join(map(str, n))}" for engine, n in self.niceness.items()]
        return (
            f"Workers ran at unequal niceness: {enumeration(values)}. It matters when the cores "
            "are shared with other programs; --config tuned makes it equal."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnequalAllocator(Caution):
    """In the shipped configuration, engines configure malloc differently."""

    allocators: Mapping[str, str]

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        if evidence.run.plan.options.config is not Config.SHIPPED:
            return
        allocators: dict[str, str] = {}
        for life in evidence.lifecycles:
            values = [
                f"{setting.name}={setting.value}"
                for setting in life.settings
                if setting.name.startswith(_ALLOCATOR)
            ]
            if life.engine not in (CEILING, SERIAL):
                known = allocators.get(life.engine, "default")
                allocators[life.engine] = ", ".join(values) or known
        if len(set(allocators.values())) > 1:
            yield cls(allocators=allocators)

    @override
    def __str__(self) -> str:
        values = [f"{engine}: {value}" for engine, value in self.allocators.items()]
        return (
            f"The engines configure the memory allocator differently ({'; '.join(values)}), which "
            "affects the speed of a ViT; --config tuned makes it equal."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpareWorkers(Caution):
    """More threads or processes ran tasks than there are workers, but never more at once."""

    engine: str
    seen: int
    workers: int

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        workers = evidence.run.plan.workers
        for engine in engines(evidence.run.plan):
            runs = valid(throughput.batches(evidence.observations, engine)).values()
            seen = max((run.workers_seen for run in runs), default=0)
            if seen > workers:
                yield cls(engine=engine, seen=seen, workers=workers)

    @override
    def __str__(self) -> str:
        return (
            f"{self.engine} ran the image tasks in {self.seen} threads or processes for "
            f"{plural(self.workers, 'worker')}; a process that started late loaded the model "
            "during the measurement."
        )


def _efficiencies(rows: tuple[Row, ...], experiment: str) -> Iterator[tuple[str, float]]:
    name = ENGINE_EFFICIENCY.name
    for row in rows:
        if (row.experiment, row.metric) == (experiment, name) and isinstance(row.value, float):
            yield row.engine, row.value


@dataclass(frozen=True, slots=True, kw_only=True)
class AboveCeiling(Caution):
    """Engines seem faster than the same kernel calls without any engine."""

    shares: Mapping[int, Mapping[str, float]]
    """Share of the ceiling, by block and engine, of those above 100%."""

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        ceiling = speed(evidence.observations, CEILING).values
        above: dict[int, dict[str, float]] = {}
        for engine in engines(evidence.run.plan):
            for block, value in speed(evidence.observations, engine).values.items():
                if block in ceiling and value > _VISIBLY_ABOVE * ceiling[block]:
                    above.setdefault(block, {})[engine] = value / ceiling[block]
        if above:
            yield cls(shares=dict(sorted(above.items())))

    @override
    def __str__(self) -> str:
        blocks = [
            f"block {block} ({', '.join(f'{engine} {share:.1%}' for engine, share in of.items())})"
            for block, of in self.shares.items()
        ]
        most = max(share for of in self.shares.values() for share in of.values())
        return (
            f"Engines were faster than the engine-free ceiling in {enumeration(blocks)}. The "
            "ceiling is a measured reference: the machine was faster in their sessions than in its "
            f"own. Shares of the ceiling are uncertain by at least {most - 1:.1%} in these blocks."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BelowCeiling(Caution):
    """An engine lost more than a tenth of the ceiling's throughput, with enough tasks."""

    what: str
    """What it ran, if that is not the batch inference."""
    engine: str
    efficiency: float
    block: int
    longer: Parts | None
    """Difference from the ceiling in that block, part by part; ``None`` without spans."""

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        workers = evidence.run.plan.workers
        for experiment, of, what in (
            (throughput.NAME, throughput.batches, ""),
            (job.NAME, job.batches, " with your job"),
        ):
            ceiling = valid(of(evidence.observations, CEILING))
            for engine, efficiency in _efficiencies(evidence.rows, experiment):
                if engine in (CEILING, SERIAL) or efficiency >= _GOOD_EFFICIENCY:
                    continue
                runs = valid(of(evidence.observations, engine))
                block = min(block for block in runs if block in ceiling)
                if runs[block].tasks < _ENOUGH_CHUNKS:
                    continue
                ours, theirs = (parts(run, workers) for run in (runs[block], ceiling[block]))
                longer = None if ours is None or theirs is None else ours.minus(theirs)
                yield cls(
                    what=what, engine=engine, efficiency=efficiency, block=block, longer=longer
                )

    @override
    def __str__(self) -> str:
        fact = f"{self.engine} reached {self.efficiency:.0%} of the engine-free ceiling{self.what}."
        if self.longer is None:
            return fact
        losses = [
            f"{seconds(part_s)} {name}" for name, part_s in self.longer.by_size() if part_s > 0
        ]
        return (
            f"{fact} In block {self.block} it took {seconds(self.longer.total_s())} longer than "
            f"the ceiling; each worker lost {enumeration(losses)}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftoverProcesses(Caution):
    """Processes outlived their session, and the runner killed them."""

    engine: str
    count: int
    first: str

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        left: dict[str, list[str]] = defaultdict(list)
        for record in evidence.run.records:
            if isinstance(record, Lifecycle):
                left[record.engine] += record.leftovers
        for engine, commands in left.items():
            if commands:
                yield cls(engine=engine, count=len(commands), first=commands[0])

    @override
    def __str__(self) -> str:
        return (
            f"{self.engine} left processes behind ({self.count}), which the runner killed; "
            f"the first: {self.first}"
        )
