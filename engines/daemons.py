"""Runs the daemons of a private cluster on this host, and ends them."""

import contextlib
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from engines.cluster import LOOPBACK, Daemon
from engines.errors import EngineStartError

_UP_LIMIT_S, _DOWN_LIMIT_S = 60, 10
_PATIENCE_S = 2.0
"""Between asking a daemon to end and killing it.  Ray's may take longer than four seconds, and have
nothing to lose."""
_WORDS = 300


def free_ports(count: int) -> tuple[int, ...]:
    """Different ports of the loopback interface that nobody uses now."""
    with ExitStack() as opened:
        bound = [opened.enter_context(socket.socket()) for _ in range(count)]
        for one in bound:
            one.bind((LOOPBACK, 0))
        return tuple(one.getsockname()[1] for one in bound)


@contextmanager
def running(
    daemon: Daemon, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Start the daemon, enter with its pid when its page answers, and end it on exit.

    Its environment is this process's if none is given; its settings are added to it.

    Raises:
        EngineStartError: it did not come up; the message has the end of its output.
    """
    settings = {setting.name: setting.value for setting in daemon.settings}
    with log.open("wb") as written:
        process = subprocess.Popen(
            daemon.command,
            env={**(os.environ if environment is None else environment), **settings},
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_up(process, daemon.alive, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(_DOWN_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(process: subprocess.Popen[bytes], page: str, log: Path) -> None:
    until_s = time.monotonic() + _UP_LIMIT_S
    while process.poll() is None and time.monotonic() < until_s:
        with contextlib.suppress(OSError), urllib.request.urlopen(page, timeout=5):  # noqa: S310
            return
        time.sleep(0.1)
    raise EngineStartError(f"a daemon of the cluster did not start: {last_words(log)}")


def last_words(log: Path) -> str:
    """The end of what a daemon wrote, in one line."""
    return " ".join(log.read_text(errors="replace").split())[-_WORDS:] or "no output"


def end_those_with(*texts: str) -> None:
    """End all processes that have a text, such as a private folder, in their command line.

    For daemons that detach from the process that starts them.  What they have started ends, too:
    some processes give themselves another name.
    """
    found = _with(texts)
    asked = [process for process in found if _signalled(process.terminate)]
    psutil.wait_procs(asked, _PATIENCE_S)
    left = [process for process in found | _with(texts) if _signalled(process.kill)]
    psutil.wait_procs(left, _PATIENCE_S)


def _with(texts: Sequence[str]) -> set[psutil.Process]:
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if process.pid != os.getpid() and any(text in part for part in line for text in texts):
                found |= {process, *process.children(recursive=True)}
    return found - {psutil.Process()}


def _signalled(send: Callable[[], None]) -> bool:
    """Whether there was still a process to send the signal to."""
    try:
        send()
    except psutil.Error:
        return False
    return True
