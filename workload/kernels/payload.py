"""Tasks that receive bytes or return bytes."""

import functools
import random

from workload.interface import Kernel, Task

_LOOKED_AT = 64


def load() -> Kernel:
    """A kernel that takes bytes and their fingerprint, or returns the requested number of bytes."""
    return _exchange


def _exchange(payload: tuple[bytes, tuple[int, int] | int]) -> bytes | None:
    content, asked = payload
    if isinstance(asked, int):
        return _block(asked)
    if fingerprint(content) != asked:
        raise ValueError(f"{fingerprint(content)} arrived instead of {asked}")
    return None


def fingerprint(content: bytes) -> tuple[int, int]:
    """The length and the sum of some of the bytes; its time does not depend on the length."""
    return len(content), sum(content[:: max(1, len(content) // _LOOKED_AT)])


def task_in(case: str, size: int, number: int) -> Task:
    """A task that receives ``size`` bytes, which differ for each ``number``."""
    content = random.Random(number).randbytes(size)  # noqa: S311 - no secret
    return Task("payload", (), case, (content, fingerprint(content)))


def task_out(case: str, size: int) -> Task:
    """A task that returns ``size`` bytes."""
    return Task("payload", (), case, (b"", size))


@functools.cache
def _block(size: int) -> bytes:
    """Random bytes, because some frameworks would compress zeros; created once in each worker."""
    return random.Random(size).randbytes(size)  # noqa: S311
