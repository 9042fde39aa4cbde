"""What it is worth to keep the model: loaded for each image, for each task, once in each worker."""

from collections.abc import Iterator

from typing_extensions import override

from compare.bench import Bench, refine
from compare.experiments.base import Experiment, Pace
from compare.experiments.images import image_tasks, settings
from compare.presets import Preset
from compare.records import Case, Plan, TaskRun, Workload
from workload.interface import Task
from workload.kernels import vit_reloading

PER = (vit_reloading.PER_IMAGE, vit_reloading.PER_TASK, "worker")
_CHUNK = 2
_LOAD_S = 0.5
"""Seen for ViT-B/16 on a 2-core server; only the estimate depends on it."""


class Residency(Experiment):
    """One case, three runs over the same images."""

    name = "residency"
    classifies = True
    needs_images = True

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        if workload is None:
            raise ValueError("residency needs a workload")
        # A task at least for each worker.
        count = min(max(preset.reloading_images, _CHUNK * workers), len(workload.images))
        return (Case(experiment=self.name, parameters={"images": count, "chunk": _CHUNK}),)

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        count = int(case.parameters["images"])
        loads = count + count / _CHUNK
        return (3 * count * pace.image_s + loads * _LOAD_S) / pace.workers

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        for per in PER:
            yield bench.run(
                refine(case, part=per),
                _tasks(bench, case, per),
                items=int(case.parameters["images"]),
            )


def _tasks(bench: Bench, case: Case, per: str) -> list[Task]:
    count, chunk = int(case.parameters["images"]), int(case.parameters["chunk"])
    if per == "worker":
        return image_tasks(bench.plan, bench.label(), count=count, chunk=chunk)
    workload = bench.plan.workload
    images = () if workload is None else workload.images[:count]
    return vit_reloading.tasks(bench.label(), settings(bench.plan), per, images, chunk)
