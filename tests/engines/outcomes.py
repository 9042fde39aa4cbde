"""Runs a scenario in a process of its own and looks at what it leaves behind."""

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

from engines.environment import thread_environment
from engines.interface import Config, Resources
from tests.engines.containers import containers
from tests.engines.placement import CONTAINERS, DAEMONS, daemons, placed

REPOSITORY = Path(__file__).parents[2]
WORKERS = 2
THREADS = 1

START_LIMIT_S = 90
GONE_LIMIT_S = 15
"""After its end was told, or noticed by daemons that lost their parent."""

_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A session, seen from outside."""

    code: int
    said: tuple[Any, ...]
    """What the scenario said, decoded."""
    printed: tuple[str, ...]
    """Other lines on standard output: the engine's."""
    errors: str
    ended_in_s: float
    """From the end of the scenario, or the signal, to the end of the process."""
    alive: tuple[str, ...]
    """Processes that lived on when the session's process had ended."""
    files: tuple[str, ...]
    """What is left in the folder for temporary files."""

    @property
    def seen(self) -> dict[str, Any]:
        assert self.code == 0, self.errors
        (seen,) = self.said
        assert isinstance(seen, dict)
        return seen


@functools.cache
def outcome(  # noqa: PLR0913 - each is a side of a session that some test varies
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
    """Run a scenario once; tests that look at different sides of it share it.

    With ``end_with``, the signal is sent when the scenario has said that it is running.
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
        with daemons(place.engine, resources) as cluster:
            joined = replace(resources, cluster=cluster.address)
            return _on_cluster(_command(scenario, place.engine, joined), cluster.environment)
    if place.where == CONTAINERS:
        cluster_of_containers = containers(place.engine, resources)
        joined = replace(resources, cluster=cluster_of_containers.address)
        command = cluster_of_containers.inside(_command(scenario, place.engine, joined))
        return _on_cluster(command, cluster_of_containers.environment)
    # The tests' own process may have helpers, such as a resource tracker of multiprocessing.
    others = frozenset(psutil.Process().children(recursive=True))
    with _started(scenario, engine, resources, dict(environment), others) as (session, temporary):
        assert session.stdout is not None
        # One line comes when the scenario is done, or runs; then the process ends.
        first = session.stdout.readline()
        told_s = time.monotonic()
        if end_with is not None and first:
            time.sleep(1)  # for the long tasks to be taken
            told_s = time.monotonic()
            session.send_signal(end_with)
        out, errors = session.communicate(timeout=START_LIMIT_S)
        ended_s = time.monotonic()
        alive = _alive_after(grace_s, others)
        lines = (first + out).splitlines()
        return Outcome(
            code=session.returncode,
            said=_said(lines),
            printed=_printed(lines),
            errors=errors,
            ended_in_s=ended_s - told_s,
            alive=alive,
            files=tuple(sorted(path.name for path in temporary.iterdir())),
        )


def _on_cluster(command: Sequence[str], environment: Mapping[str, str]) -> Outcome:
    """What it leaves behind there is the cluster's; nothing is looked for."""
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=2 * START_LIMIT_S,
        check=False,
    )
    lines = done.stdout.splitlines()
    return Outcome(
        code=done.returncode,
        said=_said(lines),
        printed=_printed(lines),
        errors=done.stderr,
        ended_in_s=0.0,
        alive=(),
        files=(),
    )


def _said(lines: Sequence[str]) -> tuple[Any, ...]:
    return tuple(json.loads(line) for line in lines if line.startswith(('{"', '"')))


def _printed(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for line in lines if not line.startswith(('{"', '"')))


def _command(scenario: str, engine: str, resources: Resources) -> list[str]:
    asked = dataclasses.asdict(resources) | {"config": resources.config.value}
    return [sys.executable, "-m", "tests.engines.scenarios", scenario, engine, json.dumps(asked)]


@contextmanager
def _started(
    scenario: str,
    engine: str,
    resources: Resources,
    environment: Mapping[str, str],
    others: frozenset[psutil.Process],
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    _adopt_orphans()
    # A short path: Unix sockets are made below it.
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        session = subprocess.Popen(
            _command(scenario, engine, resources),
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


def _adopt_orphans() -> None:
    """Make orphaned grandchildren children of this process, where they can be found and ended."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _alive_after(grace_s: float, others: frozenset[psutil.Process]) -> tuple[str, ...]:
    """What of a session still lives after so many seconds; returns as soon as nothing does."""
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
