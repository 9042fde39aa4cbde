"""Waiting, as for a disk or a remote service: takes time but no core."""

import time

from workload.interface import Kernel, Task


def load() -> Kernel:
    """A kernel that takes seconds and blocks its thread for that long."""
    return time.sleep


def task(case: str, seconds: float) -> Task:
    """A task that blocks for ``seconds``."""
    return Task("sleep", (), case, seconds)
