"""What the workers run in the contract tests: small functions that workers import by name."""

import asyncio
import itertools
import os
import signal
import threading
import time
from typing import NamedTuple

from workload.calls import worker


class Nap(NamedTuple):
    """When and where a nap was taken; monotonic seconds, which processes of a host share."""

    started_s: float
    ended_s: float
    process: str


class Sum(NamedTuple):
    """What a task in a graph made of the tasks that it needs."""

    total: int
    started_s: float
    ended_s: float
    process: str
    call: int
    """1 for the first call in this process, 2 for the second, …"""


class Place(NamedTuple):
    """What a task finds around it."""

    process: str
    torch_threads: int
    niceness: int
    environment: dict[str, str]


def nap(seconds: float) -> Nap:
    started_s = time.monotonic()
    time.sleep(seconds)
    return Nap(started_s, time.monotonic(), worker(os.getpid()))


async def nap_awaited(seconds: float) -> tuple[float, float, tuple[str, int]]:
    """A nap, and the thread that took it."""
    started_s = time.monotonic()
    await asyncio.sleep(seconds)
    return started_s, time.monotonic(), (worker(os.getpid()), threading.get_native_id())


_calls = itertools.count(1)


def add_up(value: int, needed: tuple[Sum, ...]) -> Sum:
    started_s = time.monotonic()
    call = next(_calls)
    # A list would do as well, but a promise is a promise.
    assert isinstance(needed, tuple)
    time.sleep(0.01)
    total = value + sum(Sum(*one).total for one in needed)
    return Sum(total, started_s, time.monotonic(), worker(os.getpid()), call)


def look_around(_: object) -> Place:
    import torch

    # Long enough for the other workers to take a task, too.
    time.sleep(0.3)
    return Place(
        worker(os.getpid()),
        torch.get_num_threads(),
        os.getpriority(os.PRIO_PROCESS, 0),
        dict(os.environ),
    )


def double(value: int) -> int:
    return 2 * value


def who(_: object) -> tuple[str, int, int]:
    """A new identity for each call, so that a call cannot be replaced by the result of another."""
    return worker(os.getpid()), threading.get_native_id(), time.monotonic_ns()


def kill_worker(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
