"""How often a process called a kernel for each case, kept where it outlives the process.

An engine may run a task again whose worker died: then the process that knows of the first call can
no longer tell.  So each process keeps its counts in memory that it shares with a file, if a folder
for these is named in the environment; a count costs no system call.
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
"""The variable that names the folder."""
_PLACES = 64
"""Cases that a process keeps; a new one takes the place of the oldest."""

_Cells: TypeAlias = "memoryview[int] | array[int]"
"""For each place the key of a case and its count, eight bytes each."""

_lock = threading.Lock()
_calls: dict[str, int] = {}
_cell_of: dict[str, int] = {}
_cells: list[_Cells] = []
"""One, once there is a first case."""


def count(case: str) -> int:
    """Number of this call of a case in this process: 1 for the first, 2 for the second, ...."""
    with _lock:
        number = _calls[case] = _calls.get(case, 0) + 1
        cell = _cell_of.get(case)
        if cell is None:
            cell = _new_cell(case)
        _cells[0][cell] = number
        return number


@functools.cache
def worker(pid: int) -> str:
    """Names a process."""
    # Cached by pid: a forked worker inherits the cache of its parent.
    return f"{socket.gethostname()}:{pid}"


@contextmanager
def kept() -> Iterator[None]:
    """Let all processes that are started meanwhile keep their counts in a folder.

    One that the environment names already is shared with the workers of a cluster, and stays.
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


def counted(cases: Iterable[str]) -> dict[str, int]:
    """Calls for these cases by each process that kept its counts, those that ended included."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return {}
    keys = set(map(_key, cases))
    found = {}
    for path in Path(folder).iterdir():
        cells = array("Q", path.read_bytes())
        calls = sum(n for key, n in zip(cells[::2], cells[1::2], strict=True) if key in keys)
        if calls:
            found[path.name] = calls
    return found


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
    """The file of this process, as long as it lives; memory of its own where there is none."""
    size = 16 * _PLACES
    folder = os.environ.get(FOLDER)
    try:
        if folder is not None:
            with (Path(folder) / worker(os.getpid())).open("wb+") as file:
                file.truncate(size)
                return memoryview(mmap.mmap(file.fileno(), size)).cast("Q")
    except OSError:
        pass  # a worker on another host has no such folder; its reports tell its counts
    return array("Q", bytes(size))


def _key(case: str) -> int:
    return int.from_bytes(hashlib.blake2b(case.encode(), digest_size=8).digest(), "little")


def _forget() -> None:
    _calls.clear()
    _cell_of.clear()
    _cells.clear()


os.register_at_fork(after_in_child=_forget)
