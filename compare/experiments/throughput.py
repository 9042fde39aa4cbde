"""Images per second of ViT batch inference, all images available at the start.

The Offline scenario of MLPerf Inference (https://arxiv.org/abs/1911.02549): samples / makespan.
"""

from collections.abc import Iterator

from compare.bench import Bench
from compare.presets import Preset
from compare.records import Case, Plan, TaskRun, Workload
from workload import vit
from workload.interface import Task


def cases(_preset: Preset, workload: Workload | None) -> tuple[Case, ...]:
    """One: all images, in chunks."""
    if workload is None:
        raise ValueError("throughput needs a workload")
    return (Case(experiment="throughput", parameters={"chunk": workload.chunk}),)


def expected_s(plan: Plan, _case: Case, workers: int, image_s: float) -> float:
    """Seconds for all images when one core takes ``image_s`` for one."""
    return 0.0 if plan.workload is None else len(plan.workload.images) * image_s / workers


def measure(bench: Bench, case: Case) -> Iterator[TaskRun]:
    """One run over all images; the memory is sampled meanwhile."""
    tasks = image_tasks(bench.plan, bench.label())
    items = sum(len(task.payload) for task in tasks)
    yield bench.run(case, tasks, items=items, memory=True)


def image_tasks(plan: Plan, label: str) -> list[Task]:
    """The images of the plan as tasks, the same chunks for every engine."""
    if plan.workload is None:
        raise ValueError("this plan classifies no images")
    settings = (plan.workload.model_folder, plan.workload.dtype, plan.threads_per_worker)
    return vit.tasks(label, settings, plan.workload.images, plan.workload.chunk)
