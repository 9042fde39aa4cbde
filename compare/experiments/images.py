"""The images of a plan as tasks, the same chunks for every engine."""

from compare.records import Plan
from workload import vit
from workload.interface import Task


def image_tasks(
    plan: Plan, label: str, *, count: int | None = None, chunk: int | None = None
) -> list[Task]:
    """The first ``count`` images (all of them) in chunks (of the plan)."""
    if plan.workload is None:
        raise ValueError("this plan classifies no images")
    images = plan.workload.images[:count]
    return vit.tasks(label, settings(plan), images, chunk or plan.workload.chunk)


def settings(plan: Plan) -> vit.Settings:
    """What every worker loads."""
    if plan.workload is None:
        raise ValueError("this plan classifies no images")
    return plan.workload.model_folder, plan.workload.dtype, plan.threads_per_worker
