"""Cautions about the images, the model, and the size of the job."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from typing_extensions import override

from compare.analysis.cautions.caution import Caution, Evidence
from compare.experiments import job, throughput
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
    remedy: str

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        plan = evidence.run.plan
        counts = []
        if plan.workload is not None:
            tasks = -(-len(plan.workload.images) // plan.workload.chunk)
            counts.append((tasks, "Use more images or a smaller --chunk"))
        if plan.job is not None:
            counts.append((plan.job.inputs, "Give your job more inputs, each with less work"))
        for tasks, remedy in counts:
            if tasks < _FEW_TASKS_PER_WORKER * plan.workers:
                yield cls(tasks=tasks, workers=plan.workers, remedy=remedy)

    @override
    def __str__(self) -> str:
        return (
            f"{plural(self.tasks, 'task')} for {self.workers} workers: one slow task at the end "
            f"visibly changes the throughput. {self.remedy}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortRun(Caution):
    """A batch was so short that any disturbance affects it."""

    what: str
    engine: str
    makespan_s: float
    remedy: str

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        for what, of, remedy in (
            ("batch inference", throughput.batches, "Use a larger --n-images or a larger model"),
            ("batch of your job", job.batches, "Give it more inputs"),
        ):
            makespans_s = [
                (run.makespan_s, engine)
                for engine in engines(evidence.run.plan)
                for run in valid(of(evidence.observations, engine)).values()
            ]
            shortest_s, engine = min(makespans_s, default=(_SHORT_S, ""))
            if shortest_s < _SHORT_S:
                yield cls(what=what, engine=engine, makespan_s=shortest_s, remedy=remedy)

    @override
    def __str__(self) -> str:
        return (
            f"The {self.what} took {self.engine} only {seconds(self.makespan_s)}: any "
            f"disturbance visibly changes the throughput. {self.remedy}."
        )
