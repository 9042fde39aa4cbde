"""The functions that every engine runs.  They know no engine and no particular workload.

There is one for ordinary tasks, one for tasks that need others, one for coroutines, and one that
does not hide errors from the engine.
"""

import importlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Hashable

from workload import calls
from workload.interface import Kernel, PackedReport, PackedTask, Task, TaskReport

_lock = threading.Lock()


def run_task(task: Task) -> TaskReport:
    """Run one task and report on it.  Never raises an ``Exception``; see ``TaskReport.error``."""
    return TaskReport(*run_packed(tuple(task)))


def run_packed(task: PackedTask) -> PackedReport:
    """Like ``run_task``, but with plain tuples, which are cheap to send between processes."""
    workload, settings, case, payload = task
    # Count before the work, so that failed and repeated calls are counted too.
    call = calls.count(case)
    set_up_s = 0.0
    output = error = None
    started_s = time.monotonic()
    try:
        kernel, set_up_s = _kernel(workload, settings)
        started_s = time.monotonic()
        output = kernel(payload)
    except Exception:  # noqa: BLE001 - any error of a kernel is its result
        error = traceback.format_exc()
    return _report(call, set_up_s, started_s, output, error)


def run_packed_after(task: PackedTask, needed: tuple[PackedReport, ...]) -> PackedReport:
    """Like ``run_packed``, for a task that also takes the outputs of others."""
    workload, settings, case, payload = task
    call = calls.count(case)
    set_up_s = 0.0
    output = error = None
    started_s = time.monotonic()
    try:
        kernel, set_up_s = _kernel(workload, settings)
        started_s = time.monotonic()
        output = kernel(payload, tuple(TaskReport(*report).output for report in needed))
    except Exception:  # noqa: BLE001 - as above
        error = traceback.format_exc()
    return _report(call, set_up_s, started_s, output, error)


async def run_packed_async(task: PackedTask) -> PackedReport:
    """Like ``run_packed``, for a kernel that is a coroutine function."""
    workload, settings, case, payload = task
    call = calls.count(case)
    set_up_s = 0.0
    output = error = None
    started_s = time.monotonic()
    try:
        kernel, set_up_s = _kernel(workload, settings)
        started_s = time.monotonic()
        output = await kernel(payload)
    except Exception:  # noqa: BLE001 - as above
        error = traceback.format_exc()
    return _report(call, set_up_s, started_s, output, error)


def run_or_raise(task: PackedTask) -> PackedReport:
    """Like ``run_packed``, but the engine sees an error of the kernel, as one of a user's code."""
    workload, settings, case, payload = task
    call = calls.count(case)
    kernel, set_up_s = _kernel(workload, settings)
    started_s = time.monotonic()
    return _report(call, set_up_s, started_s, kernel(payload), None)


def _report(
    call: int, set_up_s: float, started_s: float, output: object, error: str | None
) -> PackedReport:
    ended_s = time.monotonic()
    torch = sys.modules.get("torch")
    return (
        calls.worker(os.getpid()),
        threading.get_native_id(),
        call,
        set_up_s,
        started_s,
        ended_s,
        None if torch is None else torch.get_num_threads(),
        os.getpriority(os.PRIO_PROCESS, 0),
        output,
        error,
    )


_kernels: dict[tuple[str, tuple[Hashable, ...]], Kernel] = {}


def _kernel(workload: str, settings: tuple[Hashable, ...]) -> tuple[Kernel, float]:
    """The kernel of this process, and the seconds that this call took to create it."""
    kernel = _kernels.get((workload, settings))
    if kernel is not None:
        return kernel, 0.0
    # If workers are threads of one process, they must not load the model once per thread.
    with _lock:
        started_s = time.monotonic()
        if (workload, settings) not in _kernels:
            module = importlib.import_module(f"workload.kernels.{workload}")
            _kernels[workload, settings] = module.load(*settings)
        return _kernels[workload, settings], time.monotonic() - started_s
