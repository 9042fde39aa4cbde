"""The functions that every engine runs: one, and its forms for tasks that need others and for
coroutines.  Knows no engine and no particular workload.
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
    """``run_task`` as it crosses process boundaries: a plain tuple in, a plain tuple out."""
    workload, settings, case, payload = task
    # Before the work, so that a call that fails or is repeated is counted too.
    call = calls.count(case)
    set_up_s = 0.0
    output = error = None
    started_s = time.monotonic()
    try:
        kernel, set_up_s = _kernel(workload, settings)
        started_s = time.monotonic()
        output = kernel(payload)
    except Exception:  # noqa: BLE001 - whatever a kernel raises is its result
        error = traceback.format_exc()
    return _report(call, set_up_s, started_s, output, error)


def run_packed_after(task: PackedTask, needed: tuple[PackedReport, ...]) -> PackedReport:
    """``run_packed`` of a task that takes the outputs of others, too."""
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
    """``run_packed`` of a kernel that is a coroutine function."""
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
    """The kernel of this process and the seconds it took to make now."""
    kernel = _kernels.get((workload, settings))
    if kernel is not None:
        return kernel, 0.0
    # The engines whose workers are threads of one process must not load the model once a thread.
    with _lock:
        started_s = time.monotonic()
        if (workload, settings) not in _kernels:
            module = importlib.import_module(f"workload.kernels.{workload}")
            _kernels[workload, settings] = module.load(*settings)
        return _kernels[workload, settings], time.monotonic() - started_s
