"""Counts kernel calls by process and case, and keeps the counts after a process has ended.

An engine may rerun a task whose worker died.  The process that counted the first call can then no
longer report it.  Each process therefore keeps its counts in a memory-mapped file if the
environment names a folder for these files; counting costs no system call.
"""

import functools
import hashlib
import mmap
import os
import socket
import tempfile
import threading
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

FOLDER = "ENGINE_COMPARE_CALLS"
"""The environment variable that names the folder."""
_PLACES = 64
"""Number of cases that a process keeps; a new case replaces the oldest one."""

_Cells: TypeAlias = "memoryview[int] | array[int]"
"""For each kept case its key and its count, eight bytes each."""

_lock = threading.Lock()
_calls: dict[str, int] = {}
_cell_of: dict[str, int] = {}
_cells: list[_Cells] = []
"""Empty before the first case is counted; then it has one element."""


def count(case: str) -> int:
    """Count a call of a case in this process; return its number, which is 1 for the first."""
    with _lock:
        number = _calls[case] = _calls.get(case, 0) + 1
        cell = _cell_of.get(case)
        if cell is None:
            cell = _new_cell(case)
        _cells[0][cell] = number
        return number


@functools.cache
def worker(pid: int) -> str:
    """Name of a process: ``host:pid``."""
    # Cached by pid: a forked worker inherits the cache of its parent.
    return f"{socket.gethostname()}:{pid}"


@contextmanager
def kept() -> Iterator[None]:
    """Let all processes that start within this context keep their counts in a temporary folder.

    If the environment already names a folder, that folder is used and not removed: it is shared
    with the workers of a cluster.
    """
    if FOLDER in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="ec-calls-", ignore_cleanup_errors=True) as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]


def folder() -> str | None:
    """The folder that this process shares with all workers of this machine; ``None`` without."""
    return os.environ.get(FOLDER)


def counted(cases: Iterable[str]) -> dict[str, int]:
    """Calls for these cases by each process that kept its counts, including ended processes."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return {}
    keys = set(map(_key, cases))
    calls_of = {}
    for path in Path(folder).iterdir():
        if path.is_dir():  # with something else of a run
            continue
        cells = array("Q", path.read_bytes())
        calls = sum(n for key, n in zip(cells[::2], cells[1::2], strict=True) if key in keys)
        if calls:
            calls_of[path.name] = calls
    return calls_of


def _new_cell(case: str) -> int:
    if not _cells:
        _cells.append(_opened())
    cell = 2 * (len(_calls) % _PLACES)
    for other in [name for name, at in _cell_of.items() if at == cell + 1]:
        del _cell_of[other]
    _cells[0][cell + 1] = 0
    _cells[0][cell] = _key(case)
    _cell_of[case] = cell + 1
    return cell + 1


def _opened() -> _Cells:
    """The memory-mapped file of this process; private memory if there is no file."""
    size = 16 * _PLACES
    folder = os.environ.get(FOLDER)
    try:
        if folder is not None:
            with (Path(folder) / worker(os.getpid())).open("wb+") as file:
                file.truncate(size)
                return memoryview(mmap.mmap(file.fileno(), size)).cast("Q")
    except OSError:
        pass  # a worker on another host has no such folder; its reports have its counts
    return array("Q", bytes(size))


def _key(case: str) -> int:
    return int.from_bytes(hashlib.blake2b(case.encode(), digest_size=8).digest(), "little")


def _forget() -> None:
    _calls.clear()
    _cell_of.clear()
    _cells.clear()


os.register_at_fork(after_in_child=_forget)
