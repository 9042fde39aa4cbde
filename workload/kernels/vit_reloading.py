"""The classification of ``vit``, but the model is loaded again instead of kept."""

from workload.interface import Kernel, Task
from workload.kernels import vit

PER_IMAGE, PER_TASK = "image", "task"


def load(folder: str, dtype: str, threads: int, per: str) -> Kernel:
    """A kernel like that of ``vit`` that loads the model again for each image or each task.

    For each image, it classifies the image alone.
    """

    def classify(paths: tuple[str, ...]) -> tuple[str, ...]:
        if per == PER_TASK:
            return tuple(vit.load(folder, dtype, threads)(paths))
        return tuple(vit.load(folder, dtype, threads)((path,))[0] for path in paths)

    return classify


def tasks(
    case: str, settings: vit.Settings, per: str, images: tuple[str, ...], chunk: int
) -> list[Task]:
    """Like ``vit.tasks``, but for this kernel."""
    return [
        task._replace(workload="vit_reloading", settings=(*settings, per))
        for task in vit.tasks(case, settings, images, chunk)
    ]
