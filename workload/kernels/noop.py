"""An empty kernel: all the time that a task takes is the engine's own cost."""

from workload.interface import Kernel, Task


def load() -> Kernel:
    """A kernel that takes ``None`` and returns ``None``."""
    return _nothing


def task(case: str) -> Task:
    """A task that does nothing."""
    return Task("noop", (), case, None)


def _nothing(_: None) -> None:
    return None
