"""Cautions about missing and invalid measurements."""

import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from typing_extensions import override

from compare.analysis.cautions.caution import Caution, Evidence, gated
from compare.formatting import enumeration, plural, seconds
from compare.observations.absence import Why
from compare.observations.metric import FEWEST_BLOCKS
from compare.observations.reader import absent, engines
from compare.records.measurements import Failure, TaskRun


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialRun(Caution):
    """Some sessions of the plan did not run to their end."""

    done: int
    planned: int

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        planned = len(evidence.run.plan.sessions)
        left = len(evidence.observations.unfinished())
        if left:
            yield cls(done=planned - left, planned=planned)

    @override
    def __str__(self) -> str:
        return (
            f"Only {self.done} of {self.planned} sessions were run. "
            "Finish the run with --resume before you quote it."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FewBlocks(Caution):
    """The run has fewer blocks than an interval needs."""

    blocks: int

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        if evidence.run.plan.blocks < FEWEST_BLOCKS:
            yield cls(blocks=evidence.run.plan.blocks)

    @override
    def __str__(self) -> str:
        return (
            f"With {plural(self.blocks, 'block')} there are no intervals, and no difference can be "
            "shown. Rerun with more --minutes, or with --blocks 3 or more, before you quote a "
            "number."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineMissing(Caution):
    """An engine was asked for, but cannot run here."""

    engine: str
    reason: str

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        for engine, reason in evidence.run.plan.missing.items():
            yield cls(engine=engine, reason=reason)

    @override
    def __str__(self) -> str:
        return f"{self.engine} was asked for but not run: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFailed(Caution):
    """A case or a whole session gave no measurement."""

    engine: str
    block: int
    experiment: str | None
    """``None`` if the session failed as a whole."""
    reason: str

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        for record in evidence.run.records:
            if isinstance(record, Failure):
                yield cls(
                    engine=record.engine,
                    block=record.block,
                    experiment=None if record.case is None else record.case.experiment,
                    reason=record.reason.splitlines()[0],
                )

    @override
    def __str__(self) -> str:
        what = "whole session" if self.experiment is None else self.experiment
        return f"{self.engine} failed in block {self.block} ({what}): {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateBroken(Caution):
    """A batch did not pass a validity gate.  Engines with the same reason have one caution."""

    engines: tuple[str, ...]
    experiment: str
    blocks: tuple[int, ...]
    reason: str

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        observations = evidence.observations
        broken: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for engine in engines(observations.plan):
            for experiment, observed in gated(observations, engine):
                for block, absence in absent(observed).items():
                    if absence.why is Why.INVALID:
                        broken[engine, experiment, absence.reason].append(block)
        alike: dict[tuple[str, tuple[int, ...], str], list[str]] = defaultdict(list)
        for (engine, experiment, reason), blocks in broken.items():
            alike[experiment, tuple(dict.fromkeys(blocks)), reason].append(engine)
        for (experiment, distinct, reason), of_engines in alike.items():
            yield cls(
                engines=tuple(of_engines), experiment=experiment, blocks=distinct, reason=reason
            )

    @override
    def __str__(self) -> str:
        blocks = enumeration([str(block) for block in self.blocks])
        one = len(self.engines) == 1
        return (
            f"{enumeration(list(self.engines))} {'has' if one else 'have'} no valid "
            f"{self.experiment} (block {blocks}): {self.reason}. {'Its' if one else 'Their'} "
            f"numbers are excluded, including those of {'its' if one else 'their'} other blocks."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLost(Caution):
    """A host of the cluster was lost during a batch of tasks."""

    engine: str
    block: int
    host: str
    tasks: int
    again: int
    """Kernel calls beyond the number of tasks; too low if the workers of that host had no folder
    for their counts."""
    makespan_s: float
    usual_s: float | None
    """Median makespan of the same batch in blocks without a loss; ``None`` if there is none."""

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        runs = [r for r in evidence.run.records if isinstance(r, TaskRun) and r.nodes]
        for record in runs:
            lost = _lost(record)
            if not lost:
                continue
            usual = [
                other.makespan_s
                for other in runs
                if (other.engine, other.case) == (record.engine, record.case) and not _lost(other)
            ]
            yield cls(
                engine=record.engine,
                block=record.block,
                host=lost[0],
                tasks=record.tasks,
                again=record.kernel_calls - record.tasks,
                makespan_s=record.makespan_s,
                usual_s=statistics.median(usual) if usual else None,
            )

    @override
    def __str__(self) -> str:
        against = (
            "" if self.usual_s is None else f", instead of {seconds(self.usual_s)} without a loss"
        )
        return (
            f"{self.engine} lost the host {self.host} in block {self.block} and finished: of "
            f"{plural(self.tasks, 'task')}, {self.again} ran twice, and the batch took "
            f"{seconds(self.makespan_s)}{against}."
        )


def _lost(run: TaskRun) -> list[str]:
    return [node.host for node in run.nodes if node.lost]
