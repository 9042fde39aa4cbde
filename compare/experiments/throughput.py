"""Images per second of ViT batch inference, all images available at the start.

The Offline scenario of MLPerf Inference (https://arxiv.org/abs/1911.02549): samples / makespan.
"""

from collections.abc import Iterator

from typing_extensions import override

from compare.bench import Bench
from compare.experiments.base import Experiment, Pace
from compare.experiments.images import image_tasks
from compare.presets import Preset
from compare.records import Case, Plan, TaskRun, Workload


class Throughput(Experiment):
    """One case: all images, in chunks."""

    name = "throughput"
    classifies = True
    needs_images = True

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        if workload is None:
            raise ValueError("throughput needs a workload")
        return (Case(experiment=self.name, parameters={"chunk": workload.chunk}),)

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        return (
            0.0
            if plan.workload is None
            else len(plan.workload.images) * pace.image_s / pace.workers
        )

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        """One run over all images; the memory is sampled meanwhile."""
        tasks = image_tasks(bench.plan, bench.label())
        items = sum(len(task.payload) for task in tasks)
        yield bench.run(case, tasks, items=items, memory=True)
