"""The images of a plan as tasks, the same chunks for every engine."""

import functools
from collections.abc import Sequence
from pathlib import Path

from compare.records.plan import Plan
from workload.interface import Task
from workload.kernels import vit


def image_tasks(
    plan: Plan, label: str, *, count: int | None = None, chunk: int | None = None
) -> list[Task]:
    """The first ``count`` images in chunks; by default all images, in the plan's chunks."""
    if plan.workload is None:
        raise ValueError("this plan classifies no images")
    images: Sequence[str | bytes] = plan.workload.images[:count]
    if plan.options.shipped:
        images = [_bytes_of(path) for path in plan.workload.images[:count]]
    return vit.tasks(label, settings(plan), images, chunk or plan.workload.chunk)


@functools.cache
def _bytes_of(path: str) -> bytes:
    """The bytes of a file, read once so that no batch includes disk access."""
    return Path(path).read_bytes()


def settings(plan: Plan) -> vit.Settings:
    """The settings of the model that every worker loads."""
    if plan.workload is None:
        raise ValueError("this plan classifies no images")
    return plan.workload.model_folder, plan.workload.dtype, plan.options.threads_per_worker
