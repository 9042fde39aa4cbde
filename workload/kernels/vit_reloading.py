"""The classification of ``vit`` by a program that does not keep its model."""

from workload.interface import Kernel, Task
from workload.kernels import vit

PER_IMAGE, PER_TASK = "image", "task"


def load(folder: str, dtype: str, threads: int, per: str) -> Kernel:
    """A kernel like that of ``vit``, which loads the model for each image and classifies it alone,
    or loads it for each task.
    """

    def classify(paths: tuple[str, ...]) -> tuple[str, ...]:
        if per == PER_TASK:
            return tuple(vit.load(folder, dtype, threads)(paths))
        return tuple(vit.load(folder, dtype, threads)((path,))[0] for path in paths)

    return classify


def tasks(
    case: str, settings: vit.Settings, per: str, images: tuple[str, ...], chunk: int
) -> list[Task]:
    """As ``vit.tasks``."""
    return [
        task._replace(workload="vit_reloading", settings=(*settings, per))
        for task in vit.tasks(case, settings, images, chunk)
    ]
