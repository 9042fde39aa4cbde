"""What every adapter does to the process it lives in before it starts its framework: set the
thread and allocator budget, forget what the environment says about clusters, make a private folder.
"""

import ast
import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from engines.interface import Config, Resources, Setting

Framework: TypeAlias = Any
"""An object of a framework: its types are known only once it has been imported."""

FOLDER = "{folder}"
"""Stands for the private folder in the value of a setting, so that reports can be compared."""
PYTHON = "{python}"
"""Stands for the running interpreter, likewise."""


def thread_environment(resources: Resources) -> dict[str, str]:
    """The variables that give every engine's workers the same threads and, tuned, allocator.

    They work when they are set before the process starts (allocator) or before numpy and torch
    are imported (threads), so whoever starts a session sets them; an adapter sets them again.
    """
    return {setting.name: setting.value for setting in budget(resources)}


def budget(resources: Resources) -> tuple[Setting, ...]:
    """``thread_environment`` with reasons, to be part of every engine's settings."""
    threads = str(resources.threads_per_worker)
    reason = "every worker gets the same native threads; left alone, each would take all cores"
    settings = [
        Setting(name=name, value=threads, reason=reason)
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    ]
    if resources.config is Config.TUNED:
        reason = "large tensors are reused, not mapped and unmapped for every operation"
        settings += [
            Setting(name="MALLOC_TRIM_THRESHOLD_", value="-1", reason=reason),
            Setting(name="MALLOC_MMAP_THRESHOLD_", value=str(2**30), reason=reason),
        ]
    return tuple(settings)


def forget(*prefixes: str) -> None:
    """Remove the variables that begin so: what they say is about some other cluster."""
    for name in list(os.environ):
        if name.startswith(prefixes):
            del os.environ[name]


def export(settings: Iterable[Setting], folder: Path) -> None:
    """Put settings into the environment, where this process's children find them."""
    os.environ.update({setting.name: filled(setting.value, folder) for setting in settings})


def arguments(settings: Iterable[Setting], folder: Path) -> dict[str, Any]:
    """Settings whose values are Python literals, as keyword arguments."""
    return {s.name: ast.literal_eval(filled(s.value, folder)) for s in settings}


def filled(value: str, folder: Path) -> str:
    """The value with what its placeholders stand for."""
    return value.replace(FOLDER, str(folder)).replace(PYTHON, sys.executable)


def share_import_path() -> None:
    """Let workers import what this process can: not every framework hands on ``sys.path``."""
    os.environ["PYTHONPATH"] = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for all that an engine writes, gone with it.

    Its path is short, since sockets below it must stay under the 107 characters of ``AF_UNIX``.
    """
    folder = Path(tempfile.mkdtemp(prefix="ec-"))
    try:
        yield folder
    finally:
        # Daemons that are on their way out may still write.
        shutil.rmtree(folder, ignore_errors=True)


def end_with_parent() -> None:
    """Let this process, started by ``multiprocessing``, end when its parent does, however it does.

    A worker in the middle of a task does not otherwise notice.  The kernel's own signal for this
    (``PR_SET_PDEATHSIG``) comes when the parent's *thread* ends: it would kill workers that a pool
    has just replaced, with the pool's lock in their hands.
    """
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
