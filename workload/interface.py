"""What goes into a task and what comes out.  Nothing here computes, times or imports a library.

Both are named tuples, not dataclasses: they cross a process boundary once per task, as plain tuples
(``PackedTask``, ``PackedReport``), which are the cheapest thing to pickle.  So the harness weighs
little on a no-op.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeAlias

Kernel: TypeAlias = Callable[..., Any]
"""Does the work of one task: payload in, output out.  May raise.

Of a task that needs others it takes their outputs, too; it may be a coroutine function.
"""

PackedTask: TypeAlias = tuple[str, tuple[Hashable, ...], str, Any]
"""The fields of a ``Task``."""
PackedReport: TypeAlias = tuple[
    str, int, int, float, float, float, int | None, int, Any, str | None
]
"""The fields of a ``TaskReport``."""


class Task(NamedTuple):
    """One kernel call.  Small (paths and numbers), since moving data is not what is measured."""

    workload: str
    """The module in this package whose ``load`` makes the kernel."""
    settings: tuple[Hashable, ...]
    """Passed to ``load``; one kernel is kept in each process for each workload and settings."""
    case: str
    """Kernel calls are counted per process under this name."""
    payload: Any
    """Passed to the kernel."""


class TaskReport(NamedTuple):
    """What happened inside the worker.  A failure is a value: frameworks differ in what they keep
    of an exception and in how often they retry one.

    Times are ``time.monotonic()`` of the worker, comparable between processes on one kernel only.
    """

    worker: str
    """``host:pid`` of the process that ran the task."""
    thread: int
    """Native id of the thread that ran it."""
    call: int
    """1 for the first kernel call of this case in this process, 2 for the second, …"""
    set_up_s: float
    """Time this task spent to make the kernel (load the model); 0.0 when it was there."""
    started_s: float
    """When the kernel was called; after any set-up."""
    ended_s: float
    threads: int | None
    """Native threads that torch would use in this process; ``None`` where torch is not loaded."""
    niceness: int
    output: Any
    """``None`` after an error."""
    error: str | None
    """The traceback, when the set-up or the kernel raised."""
