"""Sleeping tasks that note when they start and end, and that fail if they are told to.

All processes append their notes to one file, also those in several containers of a machine, which
share a volume.  A note is one write of few bytes, so a process that is killed leaves no half of it,
and the notes of dead processes stay.
"""

import os
import resource
import signal
import socket
import time
from pathlib import Path
from typing import NamedTuple

from workload.interface import Kernel, Task

LOADING, STARTED, FAILING, ENDED = "loading", "started", "failing", "ended"
"""What a process notes: it creates its kernel; a task starts, is about to fail, has ended."""
SOUND, RAISES_ONCE, KILLS, EATS = "sound", "raises once", "kills", "eats"
"""What a task does: its work; its work, but it raises the first time; it kills its process; it
needs more memory than its process may have."""
ROOM_BYTES, EATEN_BYTES = 2**26, 2**30
"""What a process may still take when a task eats, and what that task asks for."""
NO_TASK = -1


class Note(NamedTuple):
    """What a process did at a moment of its host's clock."""

    what: str
    task: int
    """Number of the task; ``NO_TASK`` while the kernel is created."""
    pid: int
    at_s: float
    host: str = ""
    """The pids of two containers may be equal."""


class InjectedError(Exception):
    """The error of a task that was told to raise."""


def load(path: str, load_s: float) -> Kernel:
    """A kernel that returns its task's number and notes what it does in the file.

    Creating it takes ``load_s`` seconds, as loading a model does.  It takes
    ``(number, seconds, what the task does)``.
    """
    _note(path, LOADING, NO_TASK)
    time.sleep(load_s)

    def nap(payload: tuple[int, float, str]) -> int:
        number, seconds, deed = payload
        _note(path, STARTED, number)
        time.sleep(seconds / 2)
        if deed == KILLS:
            _note(path, FAILING, number)
            os.kill(os.getpid(), signal.SIGKILL)
        if deed == RAISES_ONCE and _starts(path, number) == 1:
            _note(path, FAILING, number)
            raise InjectedError(f"task {number} raised, as it was told to")
        if deed == EATS:
            _note(path, FAILING, number)
            _eat()
        time.sleep(seconds / 2)
        _note(path, ENDED, number)
        return number

    return nap


def task(case: str, settings: tuple[str, float], number: int, seconds: float, deed: str) -> Task:
    """The task of this number; ``settings`` are the file of notes and the seconds of loading."""
    return Task("fragile", settings, case, (number, seconds, deed))


def notes(text: str) -> list[Note]:
    """The notes in whole lines of the file."""
    fields = (line.split() for line in text.splitlines())
    return [
        Note(what, int(number), int(pid), float(at_s), host)
        for what, number, pid, at_s, host in fields
    ]


def _eat() -> None:
    """Ask for more memory than the process may have.

    The limit is that of ``ulimit -v``, as batch systems set it, and as Spark sets it for
    ``spark.executor.pyspark.memory``.  It holds for a moment, so that it hits this task alone.

    Raises:
        MemoryError: always.
    """
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        bytearray(EATEN_BYTES)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _starts(path: str, number: int) -> int:
    found = notes(Path(path).read_text())
    return sum(note.what == STARTED and note.task == number for note in found)


def _note(path: str, what: str, number: int) -> None:
    who, at_s = os.getpid(), time.monotonic()
    line = f"{what} {number} {who} {at_s:.6f} {socket.gethostname()}\n".encode()
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line)
    finally:
        os.close(file)
