"""Runs a scenario in a separate process and checks which processes and files it leaves."""

import ctypes
import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from compare.measure.local_nodes import local_nodes
from engines.environment import thread_environment
from engines.interface import Config, Resources
from tests.engines.containers import containers
from tests.engines.placement import CONTAINERS, DAEMONS, placed

REPOSITORY = Path(__file__).parents[2]
WORKERS = 2
THREADS = 1

START_LIMIT_S = 240
GONE_LIMIT_S = 15
"""Time limit for all processes to end after their session was killed.

The daemons notice only after a while that their parent has died.
"""

_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a test sees of a session from the outside."""

    code: int
    said: tuple[Any, ...]
    """The values that the scenario printed as JSON, decoded."""
    printed: tuple[str, ...]
    """All other lines on standard output; the engine printed them."""
    errors: str
    ended_in_s: float
    """Time from the end of the scenario, or from the signal, to the end of the process."""
    alive: tuple[str, ...]
    """Processes that were still alive after the process of the session had ended."""
    files: tuple[str, ...]
    """Names of the files left in the folder for temporary files."""

    @property
    def seen(self) -> dict[str, Any]:
        assert self.code == 0, self.errors
        (seen,) = self.said
        assert isinstance(seen, dict)
        return seen


@functools.cache
def outcome(  # noqa: PLR0913 - some test varies each of these parameters
    scenario: str,
    engine: str,
    *,
    config: Config = Config.TUNED,
    smallest_share: float = 1.0,
    traced: bool = False,
    end_with: signal.Signals | None = None,
    grace_s: float = 2.0,
    environment: tuple[tuple[str, str], ...] = (),
) -> Outcome:
    """Run a scenario once; all tests with the same arguments share the outcome.

    With ``end_with``, send this signal after the scenario has reported that it is running.
    """
    resources = Resources(
        workers=WORKERS,
        threads_per_worker=THREADS,
        smallest_share=smallest_share,
        config=config,
        traced=traced,
    )
    place = placed(engine)
    if place.where == DAEMONS:
        with local_nodes(place.engine, resources) as cluster:
            joined = replace(resources, cluster=cluster.address)
            return _on_cluster(command_of(scenario, place.engine, joined), cluster.environment)
    if place.where == CONTAINERS:
        cluster_of_containers = containers(place.engine, resources)
        joined = replace(resources, cluster=cluster_of_containers.address)
        command = cluster_of_containers.inside(command_of(scenario, place.engine, joined))
        return _on_cluster(command, cluster_of_containers.environment)
    # The process of the tests may have helpers, such as multiprocessing's resource tracker.
    others = frozenset(psutil.Process().children(recursive=True))
    with _started(scenario, engine, resources, dict(environment), others) as (session, temporary):
        assert session.stdout is not None
        # The scenario prints one line, when it is running or done; then the process ends.
        first = _line_of(session.stdout.fileno())
        end_requested_s = time.monotonic()
        if end_with is not None and first:
            time.sleep(1)  # until workers have started the long tasks
            end_requested_s = time.monotonic()
            session.send_signal(end_with)
        out, errors = session.communicate(timeout=START_LIMIT_S)
        ended_s = time.monotonic()
        alive = _alive_after(grace_s, others)
        lines = tuple(_lines(first + out))
        return Outcome(
            code=session.returncode,
            said=_said(lines),
            printed=_printed(lines),
            errors=errors,
            ended_in_s=ended_s - end_requested_s,
            alive=alive,
            files=tuple(sorted(path.name for path in temporary.iterdir())),
        )


def _on_cluster(command: Sequence[str], environment: Mapping[str, str]) -> Outcome:
    """Run a scenario on a cluster, without a check for leftovers: the cluster owns them."""
    completed = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=2 * START_LIMIT_S,
        check=False,
    )
    lines = tuple(_lines(completed.stdout))
    return Outcome(
        code=completed.returncode,
        said=_said(lines),
        printed=_printed(lines),
        errors=completed.stderr,
        ended_in_s=0.0,
        alive=(),
        files=(),
    )


def _lines(printed: str) -> Iterator[str]:
    """Yield the lines.

    An engine may print a message without a newline at its end: the JSON of the scenario then
    follows on the same line.
    """
    for line in printed.splitlines():
        start = line.find('{"') if line.endswith("}") else 0
        if start > 0:
            yield line[:start]
        yield line[max(start, 0) :]


def _said(lines: Sequence[str]) -> tuple[Any, ...]:
    return tuple(json.loads(line) for line in lines if line.startswith(('{"', '"')))


def _printed(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for line in lines if not line.startswith(('{"', '"')))


def command_of(scenario: str, engine: str, resources: Resources) -> list[str]:
    """The command line of a process that opens the engine and runs the scenario."""
    fields = dataclasses.asdict(resources) | {"config": resources.config.value}
    return [sys.executable, "-m", "tests.engines.scenarios", scenario, engine, json.dumps(fields)]


@contextmanager
def _started(
    scenario: str,
    engine: str,
    resources: Resources,
    environment: Mapping[str, str],
    others: frozenset[psutil.Process],
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    _adopt_orphans()
    # A short path, because Unix sockets below it have a limited path length.
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        session = subprocess.Popen(
            command_of(scenario, engine, resources),
            cwd=REPOSITORY,
            env={**os.environ, "TMPDIR": folder, **environment, **thread_environment(resources)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with session:
            try:
                yield session, Path(folder)
            finally:
                for process in _descendants(others):
                    with suppress(psutil.NoSuchProcess):
                        process.kill()


def _line_of(descriptor: int) -> str:
    """The next line, and not a byte more: ``communicate`` does not see what a buffer holds."""
    read = bytearray()
    while not read.endswith(b"\n") and (byte := os.read(descriptor, 1)):
        read += byte
    return read.decode()


def _adopt_orphans() -> None:
    """Make orphaned grandchildren children of this process, so that it can find and end them."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _alive_after(grace_s: float, others: frozenset[psutil.Process]) -> tuple[str, ...]:
    """Wait until a session has no process left, at most ``grace_s``; return those still alive."""
    limit_s = time.monotonic() + grace_s
    while (alive := _descendants(others)) and time.monotonic() < limit_s:
        time.sleep(0.1)
    return tuple(_named(process) for process in alive)


def _descendants(others: frozenset[psutil.Process]) -> list[psutil.Process]:
    living = []
    for process in set(psutil.Process().children(recursive=True)) - others:
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                living.append(process)
            elif process.ppid() == os.getpid():
                os.waitpid(process.pid, os.WNOHANG)
        except (psutil.NoSuchProcess, ChildProcessError):
            continue
    return living


def _named(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:120]
    except psutil.NoSuchProcess:
        return "a process that has just ended"
