"""The input and the output of a task.  Nothing here computes, measures time or imports a library.

Both are named tuples, not dataclasses: they cross a process boundary once per task, as plain tuples
(``PackedTask``, ``PackedReport``), which are the cheapest type to pickle.  The harness therefore
adds little to the time of a no-op.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeAlias

Kernel: TypeAlias = Callable[..., Any]
"""Does the work of one task: it takes the payload and returns the output.  It may raise.

If the task needs others, the kernel also takes their outputs.  It may be a coroutine function.
"""

PackedTask: TypeAlias = tuple[str, tuple[Hashable, ...], str, Any]
"""The fields of a ``Task``."""
PackedReport: TypeAlias = tuple[
    str, int, int, float, float, float, int | None, int, Any, str | None
]
"""The fields of a ``TaskReport``."""


class Task(NamedTuple):
    """One kernel call.  It is small (paths and numbers), because data transfer is not measured."""

    workload: str
    """Name of the module in ``workload.kernels`` whose ``load`` creates the kernel."""
    settings: tuple[Hashable, ...]
    """Passed to ``load``.  Each process keeps one kernel for each workload and settings."""
    case: str
    """Kernel calls are counted per process under this name."""
    payload: Any
    """Passed to the kernel."""


class TaskReport(NamedTuple):
    """What happened inside the worker.

    A failure is a value, because frameworks differ in what they keep of an exception and in how
    often they retry.  Times are ``time.monotonic()`` of the worker; they are comparable only
    between processes on the same operating-system kernel.
    """

    worker: str
    """``host:pid`` of the process that ran the task."""
    thread: int
    """Native id of the thread that ran it."""
    call: int
    """1 for the first kernel call of this case in this process, 2 for the second, …"""
    set_up_s: float
    """Time that this task spent creating the kernel (loading the model); 0.0 if it existed."""
    started_s: float
    """When the kernel was called, after any set-up."""
    ended_s: float
    threads: int | None
    """Native threads that torch would use in this process; ``None`` if torch is not loaded."""
    niceness: int
    output: Any
    """``None`` after an error."""
    error: str | None
    """The traceback if the set-up or the kernel raised; otherwise ``None``."""
