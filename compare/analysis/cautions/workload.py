"""Cautions about the images, the model, and the size of the job."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from typing_extensions import override

from compare.analysis.cautions.caution import Caution, Evidence
from compare.experiments.throughput import batches
from compare.formatting import plural, seconds
from compare.observations.reader import engines, valid

_FEW_TASKS_PER_WORKER = 4
_SHORT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomWeights(Caution):
    """The model is not trained."""

    model: str

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        workload = evidence.run.plan.workload
        if workload is not None and workload.random_weights:
            yield cls(model=workload.model)

    @override
    def __str__(self) -> str:
        return (
            f"{self.model} has random weights: it is as fast as a trained model, but its labels "
            "and accuracy mean nothing. Choose a trained --model if you need them."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesSkipped(Caution):
    """Some files are not readable images."""

    count: int
    first: str

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        workload = evidence.run.plan.workload
        if workload is not None and workload.images_skipped:
            skipped = workload.images_skipped
            yield cls(count=len(skipped), first=skipped[0])

    @override
    def __str__(self) -> str:
        return f"{plural(self.count, 'file')} skipped, the first: {self.first}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FewTasks(Caution):
    """There are so few tasks that the last wave dominates the makespan."""

    tasks: int
    workers: int

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        plan = evidence.run.plan
        if plan.workload is None:
            return
        tasks = -(-len(plan.workload.images) // plan.workload.chunk)
        if tasks < _FEW_TASKS_PER_WORKER * plan.workers:
            yield cls(tasks=tasks, workers=plan.workers)

    @override
    def __str__(self) -> str:
        return (
            f"{plural(self.tasks, 'task')} for {self.workers} workers: one slow task at the end "
            "visibly changes the throughput. Use more images or a smaller --chunk."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortRun(Caution):
    """The batch inference was so short that any disturbance affects it."""

    engine: str
    makespan_s: float

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        makespans_s = [
            (run.makespan_s, engine)
            for engine in engines(evidence.run.plan)
            for run in valid(batches(evidence.observations, engine)).values()
        ]
        shortest_s, engine = min(makespans_s, default=(_SHORT_S, ""))
        if shortest_s < _SHORT_S:
            yield cls(engine=engine, makespan_s=shortest_s)

    @override
    def __str__(self) -> str:
        return (
            f"The batch inference took {self.engine} only {seconds(self.makespan_s)}: any "
            "disturbance visibly changes the throughput. Use a larger --n-images or a larger model."
        )
