"""Waiting, as for a disk or a remote service: it takes time but needs no core."""

import asyncio
import time

from workload.interface import Kernel, Task


def load(awaited: bool = False) -> Kernel:  # noqa: FBT001, FBT002 - a setting of a task
    """A kernel that takes seconds and blocks its thread for that time.

    With ``awaited`` it is a coroutine function, which lets other tasks run meanwhile.
    """
    return asyncio.sleep if awaited else time.sleep


def task(case: str, seconds: float) -> Task:
    """A task that blocks for ``seconds``."""
    return Task("sleep", (), case, seconds)


def awaited_task(case: str, seconds: float) -> Task:
    """A task that awaits ``seconds``; for ``run_packed_async``."""
    return Task("sleep", (True,), case, seconds)
