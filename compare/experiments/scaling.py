"""Batch inference with 1, 2, 4, … workers: the same work (strong), and as much a worker (weak)."""

from collections.abc import Iterator

from typing_extensions import override

from compare.bench import Bench
from compare.experiments.base import Experiment, Opening, Pace
from compare.experiments.images import image_tasks
from compare.presets import Preset
from compare.records import Case, Plan, TaskRun, Workload
from engines.interface import Capability

STRONG, WEAK = "strong", "weak"


class Scaling(Experiment):
    """Two cases for each number of workers, one where both are the same run."""

    name = "scaling"
    classifies = True
    needs_images = True

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        if workload is None:
            raise ValueError("scaling needs a workload")
        share = min(preset.some_images, len(workload.images)) // workers
        return tuple(
            Case(
                experiment=self.name,
                parameters={"kind": kind, "workers": p, "images": max(share * times, 1)},
            )
            for p in counts(workers)
            for kind, times in ((STRONG, workers), (WEAK, p))
        )

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.PARALLEL})

    @override
    def opening(self, case: Case, workers: int) -> Opening:
        p = int(case.parameters["workers"])
        return Opening(workers=p, label="" if p == workers else f"{p}-of-{workers}-workers")

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        return int(case.parameters["images"]) * pace.image_s / int(case.parameters["workers"])

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        count = int(case.parameters["images"])
        # The smallest tasks, so that a worker without one at the end waits for little.
        tasks = image_tasks(bench.plan, bench.label(), count=count, chunk=1)
        yield bench.run(case, tasks, items=count)


def counts(workers: int) -> tuple[int, ...]:
    """Powers of two below the number of workers, and that number."""
    return (*(2**n for n in range(workers.bit_length()) if 2**n < workers), workers)
