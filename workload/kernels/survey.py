"""A task that reports where it runs and which files it cannot read there."""

import os
import platform
import socket
import time
from pathlib import Path
from typing import NamedTuple

from workload.interface import Kernel, Task

_STAY_S = 0.2


class Place(NamedTuple):
    """Where a task ran."""

    host: str
    boot_id: str
    """Boot ID of the operating-system kernel; hosts with the same ID have the same clock."""
    python: str
    unreadable: tuple[str, ...]


def load() -> Kernel:
    """A kernel that takes a tuple of paths."""
    return look


def task(case: str, paths: tuple[str, ...]) -> Task:
    """A task that checks these files and folders."""
    return Task("survey", (), case, paths)


def look(paths: tuple[str, ...]) -> Place:
    """Return the place and the paths that cannot be read there."""
    # Long enough that the other workers have to take the next tasks.
    time.sleep(_STAY_S)
    return Place(
        host=socket.gethostname(),
        boot_id=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        python=platform.python_version(),
        unreadable=tuple(path for path in paths if not os.access(path, os.R_OK)),
    )
