"""The real command, in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).parents[2]
_LIMIT_S = 400
"""Other tests run at the same time, and some machines are half as fast as others."""
_SMALL = ("--model", "vit-digits", "--preset", "quick", "--blocks", "1", "--n-images", "24")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "compare", *map(str, arguments)]


def compare(
    *arguments: object, environment: dict[str, str] | None = None, limit_s: float = _LIMIT_S
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "200", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def small_run(
    out: Path,
    *arguments: object,
    environment: dict[str, str] | None = None,
    limit_s: float = _LIMIT_S,
) -> subprocess.CompletedProcess[str]:
    """A run of seconds: the small trained model on a few held-out digits."""
    return compare(*_SMALL, "--out", out, *arguments, environment=environment, limit_s=limit_s)


@contextmanager
def running_small_run(out: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """The same, running while the test goes on; it and all below it are gone afterwards."""
    # Whoever started the tests may ignore the signal of a lost terminal, as nohup does.
    sensitive = ("env", "--default-signal=HUP")
    running = subprocess.Popen(
        [*sensitive, *command(*_SMALL, "--out", out, *arguments)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with running:
        try:
            yield running
        finally:
            if running.poll() is None:
                for process in family(running.pid):
                    process.kill()


def run_folder(out: Path) -> Path:
    """The one run below ``out``."""
    (plan,) = out.glob("*/plan.json")
    return plan.parent


def wait_until(holds: Callable[[], bool], limit_s: float, what: str) -> None:
    until_s = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > until_s:
            raise TimeoutError(f"after {limit_s} s still not: {what}")
        time.sleep(0.05)


def family(pid: int) -> list[psutil.Process]:
    """The process and all below it."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if _is_alive(process)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False
