"""Process set-up that every adapter does before it starts its framework.

An adapter sets the thread and allocator budget, removes environment variables about other clusters
and creates a private folder.
"""

import ast
import multiprocessing
import os
import re
import shutil
import site
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from engines.errors import EngineStartError
from engines.interface import Config, Resources, Setting

Framework: TypeAlias = Any
"""An object of a framework.  Its type is known only after the framework was imported."""

FOLDER = "{folder}"
"""Placeholder for the private folder in a setting's value, so that reports can be compared."""
_COMMON_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - a folder is made below
_LONGEST_FOLDER = 30
"""Characters.  Ray needs 77 more for the name of a socket, of 107 in all."""
PYTHON = "{python}"
"""Placeholder for the path of the running interpreter, for the same reason."""


def thread_environment(resources: Resources) -> dict[str, str]:
    """Environment variables that give every engine's workers the same native threads.

    In the tuned configuration they also set the allocator.  They take effect only if they are set
    before the process starts (allocator) or before numpy and torch are imported (threads), so the
    code that starts a session sets them; an adapter sets them again.
    """
    return {setting.name: setting.value for setting in budget(resources)}


def budget(resources: Resources) -> tuple[Setting, ...]:
    """The variables of ``thread_environment`` with reasons; part of every engine's settings."""
    threads = str(resources.threads_per_worker)
    reason = "every worker gets the same native threads; by default each would use all cores"
    settings = [
        Setting(name=name, value=threads, reason=reason)
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    ]
    if resources.config is Config.TUNED:
        reason = "memory for large tensors is reused, not mapped and unmapped for every operation"
        settings += [
            Setting(name="MALLOC_TRIM_THRESHOLD_", value="-1", reason=reason),
            Setting(name="MALLOC_MMAP_THRESHOLD_", value=str(2**30), reason=reason),
        ]
    return tuple(settings)


def forget(*prefixes: str) -> None:
    """Remove environment variables with these prefixes, because they describe other clusters."""
    for name in list(os.environ):
        if name.startswith(prefixes):
            del os.environ[name]


def export(settings: Iterable[Setting], folder: Path) -> None:
    """Put settings into the environment, so that child processes inherit them."""
    os.environ.update({setting.name: filled(setting.value, folder) for setting in settings})


def arguments(settings: Iterable[Setting], folder: Path) -> dict[str, Any]:
    """Convert settings whose values are Python literals to keyword arguments."""
    return literals(replace(s, value=filled(s.value, folder)) for s in settings)


def literals(settings: Iterable[Setting]) -> dict[str, Any]:
    """Convert settings whose values are Python literals without placeholders."""
    return {setting.name: ast.literal_eval(setting.value) for setting in settings}


def filled(value: str, folder: Path) -> str:
    """Replace the placeholders in a value."""
    return value.replace(FOLDER, str(folder)).replace(PYTHON, sys.executable)


def import_path() -> dict[str, str]:
    """Environment variables with which a new process, and all that it starts, finds this project.

    The working directory is no part of their import path: a file called ``random.py`` there must
    not take the place of a module.
    """
    # Installed packages are found without help, and must not come before the standard library.
    root = str(Path(__file__).parents[1])
    own = [] if root in site.getsitepackages() else [root]
    folders = [*own, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(folders)}


def share_import_path() -> None:
    """Let workers import what this process can; not every framework passes on ``sys.path``."""
    os.environ["PYTHONPATH"] = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)


def temporary_folder() -> str | None:
    """Python's folder for temporary files; ``None`` if it finds none that is writable."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return None


def folder_obstacle() -> Iterator[str]:
    """Why no folder for temporary files can be used; nothing if one can."""
    try:
        temporary_base()
    except EngineStartError as error:
        yield str(error)


def temporary_base() -> Path:
    """The user's folder for temporary files, or another one where engines could not use it.

    The path must be short, because socket paths below it must fit the 107 characters of
    ``AF_UNIX``.  It must be plain, because it becomes part of command lines and property files.
    Spark runs a script in it.

    Raises:
        EngineStartError: no folder is usable.
    """
    tried = [folder for folder in (temporary_folder(), *_COMMON_FOLDERS) if folder is not None]
    for folder in tried:
        plain = len(folder) <= _LONGEST_FOLDER and re.fullmatch(r"[\w./-]+", folder)
        if plain and os.access(folder, os.W_OK | os.X_OK) and not _no_programs(folder):
            return Path(folder)
    raise EngineStartError(
        f"no folder for temporary files is usable: tried {', '.join(dict.fromkeys(tried))}; set "
        "TMPDIR to a writable folder that allows programs, with a path of at most "
        f"{_LONGEST_FOLDER} letters, digits, dots, slashes, dashes or underscores"
    )


def _no_programs(folder: str) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_NOEXEC)


@contextmanager
def private_folder() -> Iterator[Path]:
    """A temporary folder for everything that an engine writes; it is removed on exit.

    Raises:
        EngineStartError: no folder for temporary files is usable.
    """
    folder = Path(tempfile.mkdtemp(prefix="ec-", dir=temporary_base()))
    try:
        yield folder
    finally:
        # Daemons that are shutting down may still write.
        shutil.rmtree(folder, ignore_errors=True)


def end_with_parent() -> None:
    """End this process, started by ``multiprocessing``, when its parent ends for any reason.

    Without this, a worker in the middle of a task does not notice.  The signal of Linux for this
    purpose (``PR_SET_PDEATHSIG``) is sent when the parent's *thread* ends: it would kill workers
    that a pool has just started as replacements, while they hold the pool's lock.
    """
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
