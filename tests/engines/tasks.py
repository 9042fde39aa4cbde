"""The tasks of the contract tests: small functions that the workers import by name."""

import asyncio
import itertools
import os
import signal
import threading
import time
from typing import NamedTuple

from workload.calls import worker
from workload.kernels import parcel

MISSING = "missing"


class Nap(NamedTuple):
    """When and where a nap ran.

    The times are monotonic seconds, which all processes of a host share.
    """

    started_s: float
    ended_s: float
    process: str


class Sum(NamedTuple):
    """The output of a task in a graph: its own value plus the totals of the tasks that it needs."""

    total: int
    started_s: float
    ended_s: float
    process: str
    call: int
    """Number of the call in its process; the first is 1."""


class Place(NamedTuple):
    """The environment that a task runs in."""

    process: str
    torch_threads: int
    niceness: int
    environment: dict[str, str]


def nap(seconds: float) -> Nap:
    started_s = time.monotonic()
    time.sleep(seconds)
    return Nap(started_s, time.monotonic(), worker(os.getpid()))


_waiting: list[asyncio.Event] = []
_PATIENCE_S = 60.0


async def meet(guests: int) -> tuple[str, int]:
    """Wait until so many wait in this process; return the worker and the thread.

    Raises:
        TimeoutError: the others did not come.
    """
    all_here = asyncio.Event()
    _waiting.append(all_here)
    if len(_waiting) == guests:
        for event in _waiting:
            event.set()
        _waiting.clear()
    async with asyncio.timeout(_PATIENCE_S):
        await all_here.wait()
    return worker(os.getpid()), threading.get_native_id()


_calls = itertools.count(1)


def add_up(value: int, needed: tuple[Sum, ...]) -> Sum:
    started_s = time.monotonic()
    call = next(_calls)
    # The interface promises a tuple; the sum below would accept a list as well.
    assert isinstance(needed, tuple)
    time.sleep(0.01)
    total = value + sum(Sum(*output).total for output in needed)
    return Sum(total, started_s, time.monotonic(), worker(os.getpid()), call)


def look_around(_: object) -> Place:
    import torch

    # Long enough that the other workers start a task too.
    time.sleep(0.3)
    return Place(
        worker(os.getpid()),
        torch.get_num_threads(),
        os.getpriority(os.PRIO_PROCESS, 0),
        dict(os.environ),
    )


def double(value: int) -> int:
    return 2 * value


LAST = 255
"""The byte that ``grow`` appends."""


def grow(value: bytes) -> bytes:
    return value + bytes([LAST])


def who(_: object) -> tuple[str, int, int]:
    """Return a different value for each call, so that a reused result is detected."""
    return worker(os.getpid()), threading.get_native_id(), time.monotonic_ns()


def kill_worker(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def answer_of(package: str) -> str:
    """The answer of a package like ``workload.parcel``, if this worker can import it."""
    try:
        answer: str = parcel.load()(package)
    except ImportError:
        return MISSING
    return answer
