"""What can go wrong before a workload runs.  Every message names the thing, the cause and the
next step, in one sentence.

    WorkloadError
    ├── ModelError              the model cannot be had, or is not one that can be loaded here
    └── ImagesError             the images cannot be had
        └── BrokenImageError    one file is no image, or a broken one
"""


class WorkloadError(Exception):
    """Base of all errors that a workload raises on purpose."""


class ModelError(WorkloadError):
    """There is no such model, or it lacks something that is needed to run it."""


class ImagesError(WorkloadError):
    """There is no such folder, or no image in it, or not as many as were asked for."""


class BrokenImageError(ImagesError):
    """A file that cannot be decoded."""

    def __init__(self, path: str, reason: str) -> None:
        # Both stay in ``args``, so that the error survives pickling.
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot read the image {self.path}: {self.reason}; remove it or replace it"
