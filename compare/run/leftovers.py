"""Finds and kills the processes that a session leaves behind, and no others.  Linux."""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable
from typing import NoReturn

import psutil

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of every orphan below it.

    A daemon that detaches from its session would otherwise become a child of init and could not be
    distinguished from other processes.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def stop_on_signals() -> None:
    """Let SIGINT, SIGTERM and SIGHUP raise ``KeyboardInterrupt``.

    SIGINT is set as well, because a program that a script starts in the background ignores it, and
    such a run must also stop without losing its measurements.  SIGHUP comes when the terminal is
    lost, unless ``nohup`` has the run ignore it.
    """
    # Window managers and launchers that ignore it hand that down: no exit code could be read then.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def end_at_once() -> NoReturn:
    """End this process, which has closed and written everything that it opened.

    Where torch was imported, the interpreter takes two seconds to take itself apart.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def descendants() -> list[psutil.Process]:
    """The descendants of this process that still run."""
    alive = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_ZOMBIE:
                _reap(process.pid)
            else:
                alive.append(process)
    return alive


def wait_for_none(limit_s: float) -> list[psutil.Process]:
    """Give the descendants time to end on their own; return those that did not."""
    until_s = time.monotonic() + limit_s
    while (alive := descendants()) and time.monotonic() < until_s:
        time.sleep(0.05)
    return alive


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill the processes and those they started meanwhile, and wait until all have ended."""
    alive = list(processes)
    while alive:
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        alive = wait_for_none(0.5)


def command_line(process: psutil.Process) -> str:
    """Pid and command, short enough for a report."""
    with contextlib.suppress(psutil.Error):
        return f"{process.pid} {' '.join(process.cmdline())[:120]}"
    return str(process.pid)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
