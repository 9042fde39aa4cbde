"""Cautions about the measurements with no-ops."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from typing_extensions import override

from compare.analysis.cautions.caution import Caution, Evidence, gated, with_reasons
from compare.experiments.overhead import PERCENTILES, costs, line
from compare.formatting import enumeration, plural
from compare.measure.warm_up import AGREE
from compare.observations.absence import Why
from compare.observations.compound import Costs
from compare.observations.fits import samples_needed
from compare.observations.reader import absent, engines, valid
from compare.records.measurements import TaskRun

_BENT = 0.2
"""Deviation from the line, as a share of the makespan."""
_ABOVE = 0.03
"""b may be above the average by that much, by the noise of the measurement."""
_HARNESS = 0.05
"""Share of the makespan."""


def _task_s(run: TaskRun) -> float:
    return run.makespan_s / run.tasks


def _slope_over_average(blocks: Sequence[Costs]) -> float:
    ratios = [
        fit.per_task_s / _task_s(largest)
        for block in blocks
        if (fit := line(block)) is not None and (largest := block.largest) is not None
    ]
    return statistics.fmean(ratios) if ratios else 0.0


def _last_change(block: Costs) -> float:
    """How much cheaper a task was in the last batch of the warm-up than in the one before.

    The fixed cost of a batch is taken off: it is spread over fewer tasks in the smaller one.
    """
    if len(block.pilots) < 2:  # noqa: PLR2004 - a change needs two
        return 0.0
    fit = line(block)
    fixed_s = 0.0 if fit is None else max(fit.fixed_s, 0.0)
    before_s, last_s = ((run.makespan_s - fixed_s) / run.tasks for run in block.pilots[-2:])
    return 1 - last_s / before_s if min(before_s, last_s) > 0 else 0.0


def _blocks(evidence: Evidence) -> Iterator[tuple[str, list[Costs]]]:
    for engine in engines(evidence.run.plan):
        blocks = list(valid(costs(evidence.observations, engine)).values())
        if blocks:
            yield engine, blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepDisturbed(Caution):
    """The cores were disturbed during sweeps of task sizes, which do not count."""

    reasons: Mapping[str, str]
    """By sweep, engine and block."""

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        reasons = {
            f"{sweep} of {engine} in block {block}": absence.reason
            for engine in engines(evidence.run.plan)
            for sweep, observed in gated(evidence.observations, engine)
            for block, absence in absent(observed).items()
            if absence.why is Why.DISTURBED
        }
        if reasons:
            yield cls(reasons=reasons)

    @override
    def __str__(self) -> str:
        count = len(self.reasons)
        return (
            f"{plural(count, 'measurement')} {'does' if count == 1 else 'do'} not count, because "
            f"the cores were disturbed meanwhile: {with_reasons(self.reasons)}. The METG of these "
            "engines comes from their other blocks, if there are any."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BentLine(Caution):
    """The makespans of the no-ops do not lie on a straight line."""

    worst: Mapping[str, float]
    """The largest deviation, as a share of the makespan at that point, by engine."""

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        worst = {
            engine: max((fit.worst for fit in map(line, blocks) if fit is not None), default=0.0)
            for engine, blocks in _blocks(evidence)
        }
        bent = {engine: share for engine, share in worst.items() if share > _BENT}
        if bent:
            yield cls(worst=bent)

    @override
    def __str__(self) -> str:
        shares = [f"{share:.0%} ({engine})" for engine, share in self.worst.items()]
        return (
            f"No-op makespans lie off the line a + b·N, by up to {enumeration(shares)}. The "
            "per-task and fixed costs of these engines are rough estimates; their no-op throughput "
            "is measured directly."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StillCold(Caution):
    """An engine still became faster when its warm-up had to end."""

    change: Mapping[str, float]
    """How much cheaper a task became in the last batch of the warm-up, as a share, by engine: the
    median of the blocks, since noise alone makes one of them fall by a tenth."""

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        change = {
            engine: statistics.median(map(_last_change, blocks))
            for engine, blocks in _blocks(evidence)
        }
        cold = {engine: share for engine, share in change.items() if share > AGREE}
        if cold:
            yield cls(change=cold)

    @override
    def __str__(self) -> str:
        shares = [f"{share:.0%} ({engine})" for engine, share in self.change.items()]
        return (
            "The warm-up ended before the cost of an empty task was steady: in its last batch it "
            f"still fell by {enumeration(shares)}. On a cluster that has run for long these "
            "engines are faster; --preset full warms up for longer."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SlopeAboveAverage(Caution):
    """The cost of one more task is above the average cost of a task."""

    ratios: Mapping[str, float]
    """b over the makespan per task of the largest batch, by engine: mean of the blocks."""

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        ratios = {engine: _slope_over_average(blocks) for engine, blocks in _blocks(evidence)}
        high = {engine: ratio for engine, ratio in ratios.items() if ratio > 1 + _ABOVE}
        if high:
            yield cls(ratios=high)

    @override
    def __str__(self) -> str:
        ratios = [f"{engine} {ratio:.2f} times" for engine, ratio in self.ratios.items()]
        return (
            "One more task costs more than the average task of the largest batch, which a straight "
            f"line cannot explain: {enumeration(ratios)}. Large batches are dearer per task than "
            "small ones, or the machine was disturbed; use no-ops/s for these engines."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FewSamples(Caution):
    """There are too few round trips to estimate a percentile."""

    needed: Mapping[int, int]
    """Samples a block, by percentile: of the percentiles that some engine does not have."""
    samples: Mapping[str, int]
    """The smallest number in a block, for each engine that had too few."""

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        fewest = {
            engine: min(len(block.round_trips_s) for block in blocks)
            for engine, blocks in _blocks(evidence)
        }
        every = {round(share * 100): samples_needed(share) for share in PERCENTILES}
        few = {engine: count for engine, count in fewest.items() if count < max(every.values())}
        if few:
            least = min(few.values())
            needed = {percent: count for percent, count in every.items() if least < count}
            yield cls(needed=needed, samples=few)

    @override
    def __str__(self) -> str:
        needs = [f"{count:,} for a {percent}th" for percent, count in self.needed.items()]
        counts = [f"{engine} {count}" for engine, count in self.samples.items()]
        return (
            f"A percentile of the round trip needs enough samples per block, {enumeration(needs)}, "
            f"and there were fewer: {enumeration(counts)}. The report does not give it where "
            "samples are lacking; --preset full takes more."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessShare(Caution):
    """The driver's own work on the results is a visible share of the no-op makespan."""

    shares: Mapping[str, float]
    """Share of the makespan of the largest batch, by engine."""

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        shares = {
            engine: max(
                largest.harness_s / largest.makespan_s
                for block in blocks
                if (largest := block.largest) is not None
            )
            for engine, blocks in _blocks(evidence)
        }
        high = {engine: share for engine, share in shares.items() if share > _HARNESS}
        if high:
            yield cls(shares=high)

    @override
    def __str__(self) -> str:
        shares = [f"{share:.0%} of {engine}'s" for engine, share in self.shares.items()]
        return (
            f"Recording the results takes {enumeration(shares)} time for no-ops: their cost per "
            "task is partly that of the harness. Compare these engines with longer tasks."
        )
