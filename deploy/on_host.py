"""Starts a node of a cluster in the background of this host, and stops it.

    python -m deploy.on_host up ROLE [--head ADDRESS] [-- OPTION...]
    python -m deploy.on_host down ENGINE

``deploy.node`` says what a role, the options and the environment variables are.  The credentials
are those that ``deploy.over_ssh`` or ``ray up`` has brought to this host.  A file next to them has
what the node prints.
"""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Annotated

import psutil
import typer

from deploy import host_usage, keys
from engines.cluster import LOOPBACK
from engines.daemons import last_words
from engines.environment import import_path
from engines.registry import clusters

FOLDER = Path("~/.engine-compare")
KEYS = FOLDER / "keys"
_MARK = "ENGINE_COMPARE_NODE"
"""Environment variable that all processes of a node inherit.  Its value is the engine's name."""
_KEEP_THE_MARK = {"SPT_NOENV": "1"}
"""Otherwise setproctitle, which Ray uses, writes the title of a process over its environment."""
_UP_LIMIT_S = 60
_DOWN_LIMIT_S, _KILLED_LIMIT_S = 5, 5
"""Without a head, a worker of Ray would take 30 s to end, and has nothing to lose."""

app = typer.Typer(add_completion=False, help="Start and stop a node of a cluster on this host.")


class HostError(Exception):
    """A node could not be started or stopped; the message says why and what to do."""


@app.command()
def up(
    role: str,
    options: Annotated[list[str] | None, typer.Argument()] = None,
    head: Annotated[str | None, typer.Option(help="Address of the head, for a worker.")] = None,
) -> None:
    """Start the node, in place of one of the same engine, and return when it is alive."""
    engine = _engine_of(role)
    for other in clusters():
        if other != engine and _processes(other):
            raise HostError(
                f"this host is a node of a {other} cluster, and two clusters would disturb each "
                f"other: stop that one first with python -m deploy.over_ssh down {other} --hosts …"
            )
    stop(engine)
    log = (FOLDER / f"{role}.log").expanduser()
    log.parent.mkdir(mode=0o700, exist_ok=True)
    credentials = keys.environment(str(KEYS.expanduser()))
    with log.open("wb") as written:
        node = subprocess.Popen(
            [
                *(sys.executable, "-m", "deploy.node", role),
                *(["--head", head] if head else []),
                *(["--", *options] if options else []),
            ],
            env={**os.environ, **import_path(), **credentials, _MARK: engine, **_KEEP_THE_MARK},
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            # The end of the connection that started it must not end it.
            start_new_session=True,
        )
    until_s = time.monotonic() + _UP_LIMIT_S
    while node.poll() is None and time.monotonic() < until_s:
        if _alive():
            return
        time.sleep(0.2)
    stop(engine)
    raise HostError(f"{role} did not start: {last_words(log)}; all its output is in {log}")


@app.command()
def down(engine: str) -> None:
    """Stop the node of that engine on this host; do nothing if there is none."""
    if engine not in clusters():
        raise HostError(f"no engine called {engine!r} spans hosts; known: {', '.join(clusters())}")
    stop(engine)


def stop(engine: str) -> None:
    """End all processes of the engine's node on this host, and return when they are gone.

    Raises:
        HostError: some are still there.
    """
    found = _processes(engine)
    # Asked to end, a node's first process ends the others, in the order that the framework needs.
    for process in found:
        with contextlib.suppress(psutil.Error):
            if process.parent() not in found:
                process.terminate()
    psutil.wait_procs(found, _DOWN_LIMIT_S)
    # Some were started meanwhile; of others, what told whose they are has ended.
    left = {process for process in found | _processes(engine) if process.is_running()}
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _, alive = psutil.wait_procs(left, _KILLED_LIMIT_S)
    if alive:
        pids = ", ".join(str(process.pid) for process in alive)
        raise HostError(f"processes of the {engine} node do not end when killed: {pids}")


def _processes(engine: str) -> set[psutil.Process]:
    """This user's processes of the engine's node: those with the mark, and what these started."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            # Root could read the mark of others', also that of processes in containers.
            own = process.uids().real == os.getuid()
            if own and process.environ().get(_MARK) == engine:
                found |= {process, *process.children(recursive=True)}
    return found - {psutil.Process()}


def _alive() -> bool:
    try:
        urllib.request.urlopen(f"http://{LOOPBACK}:{host_usage.PORT}/alive", timeout=5).close()
    except OSError:
        return False
    return True


def _engine_of(role: str) -> str:
    roles = {
        name: engine
        for engine, cluster in clusters().items()
        for name in (cluster.head_role, cluster.worker_role)
    }
    if role not in roles:
        raise HostError(f"no role called {role!r}; known: {', '.join(roles)}")
    return roles[role]


def run(commands: typer.Typer) -> None:
    """Run the command; an error is one sentence, and exit code 2."""
    try:
        commands()
    except HostError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    run(app)
