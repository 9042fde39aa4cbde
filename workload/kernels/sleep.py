"""Waiting, as for a disk or a remote service: takes time but no core."""

import asyncio
import time

from workload.interface import Kernel, Task


def load(awaited: bool = False) -> Kernel:  # noqa: FBT001, FBT002 - a setting of a task
    """A kernel that takes seconds and blocks its thread for that long; awaited, a coroutine
    function, which lets others run meanwhile.
    """
    return asyncio.sleep if awaited else time.sleep


def task(case: str, seconds: float) -> Task:
    """A task that blocks for ``seconds``."""
    return Task("sleep", (), case, seconds)


def awaited_task(case: str, seconds: float) -> Task:
    """A task that awaits ``seconds``; for ``run_packed_async``."""
    return Task("sleep", (True,), case, seconds)
