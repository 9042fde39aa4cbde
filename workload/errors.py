"""Errors that occur before a workload runs, or in the user's own job.

Every message names the object, the cause and the next step, in one sentence.

    WorkloadError
    ├── ModelError              the model is not available, or cannot be loaded here
    ├── ImagesError             the images are not available
    │   └── BrokenImageError    a file is not an image, or is damaged
    └── JobError                the user's own job has a mistake
"""


class WorkloadError(Exception):
    """Base of all errors that a workload raises on purpose."""


class ModelError(WorkloadError):
    """The model does not exist, or lacks something that is needed to run it."""


class ImagesError(WorkloadError):
    """The folder does not exist, has no image, or has fewer images than requested."""


class BrokenImageError(ImagesError):
    """A file that cannot be decoded."""

    def __init__(self, path: str, reason: str) -> None:
        # Both stay in ``args``, so that the error survives pickling.
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot read the image {self.path}: {self.reason}; remove it or replace it"


class JobError(WorkloadError):
    """A mistake in the user's own job, with its file and line."""


def last_words(report: str) -> str:
    """The message at the end of a traceback, without the name of our own error."""
    own = f"{JobError.__module__}.{JobError.__qualname__}: "
    return report.strip().splitlines()[-1].removeprefix(own)
