"""The gain from keeping the model: loaded for each image, for each task, once in each worker."""

from collections.abc import Iterator

from typing_extensions import override

from compare.experiments.experiment import Experiment, Pace, Scope
from compare.experiments.section import Column, Columns, Section
from compare.experiments.shared_metrics import images_per_s
from compare.measure.bench import Bench
from compare.measure.image_tasks import image_tasks, settings
from compare.observations.metric import Better, Metric, metric
from compare.observations.reader import Runs
from compare.presets import Sizes
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan, refine
from workload.interface import Task
from workload.kernels import vit_reloading

PER = (vit_reloading.PER_IMAGE, vit_reloading.PER_TASK, "worker")
_CHUNK = 2
_LOAD_S = 0.5
"""Measured for ViT-B/16 on a 2-core server; used for the estimate only."""
RELOADED_IMAGES = Sizes(quick=4, standard=4, full=20)
"""Number of images for which the model is loaded."""

_SECTION = Section(
    title="Where the model lives",
    explanation="""The same images, two per task.  The model is loaded for each image, which is then
classified alone (as in the talk's own program), for each task, or once in each worker before the
clock starts.  Higher is better.""",
    table=Columns(
        columns=(
            Column(metric="per_image", heading="per image (images/s)"),
            Column(metric="per_task", heading="per task (images/s)"),
            Column(metric="per_worker", heading="per worker (images/s)"),
            Column(metric="residency_gain", heading="per worker against per image (×)"),
        )
    ),
)


class Residency(Experiment):
    """One case with three batches over the same images."""

    name = "residency"
    classifies = True
    needs_images = True
    parts = PER
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        # At least one task for each worker.
        count = min(
            max(RELOADED_IMAGES.of(scope.preset), _CHUNK * scope.workers),
            len(scope.need_workload().images),
        )
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

    @override
    def metrics(self, plan: Plan, case: Case) -> tuple[Metric[Runs], ...]:
        image, task, worker = PER
        return (
            metric("per_image", "images/s", Better.HIGHER, lambda runs: images_per_s(runs[image])),
            metric("per_task", "images/s", Better.HIGHER, lambda runs: images_per_s(runs[task])),
            metric(
                "per_worker", "images/s", Better.HIGHER, lambda runs: images_per_s(runs[worker])
            ),
            metric(
                "residency_gain",
                "× loaded per image",
                Better.HIGHER,
                lambda runs: images_per_s(runs[worker]) / images_per_s(runs[image]),
            ),
        )


def _tasks(bench: Bench, case: Case, per: str) -> list[Task]:
    count, chunk = int(case.parameters["images"]), int(case.parameters["chunk"])
    if per == "worker":
        return image_tasks(bench.plan, bench.label(), count=count, chunk=chunk)
    workload = bench.plan.workload
    images = () if workload is None else workload.images[:count]
    return vit_reloading.tasks(bench.label(), settings(bench.plan), per, images, chunk)
