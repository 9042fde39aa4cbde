"""Starts a cluster on machines that are reached over ssh, and stops it.

    python -m deploy.over_ssh up ENGINE --hosts n0,n1,n2
    python -m deploy.over_ssh down ENGINE --hosts n0,n1,n2
    eval "$(python -m deploy.over_ssh variables)"

The first host is the head and runs no tasks.  Every host has this package in the same version, and
its name is the same on all hosts.  ``NODE_CORES``, ``NODE_THREADS``, ``NODE_SMALLEST_SHARE`` and
``NODE_CONFIG`` give the size of the nodes as in ``docker-compose.yml``.
"""

import io
import os
import re
import shlex
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, TypeAlias

import typer

from deploy import keys
from deploy.on_host import FOLDER, KEYS, HostError, run
from deploy.wait_ready import nodes_up
from engines.cluster import Cluster
from engines.environment import import_path
from engines.registry import clusters

_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10")
_NO_CONNECTION = 255
"""Exit code of ssh itself; any other is that of the command on the host."""
_COMMAND_LIMIT_S, _JOIN_LIMIT_S = 120, 60
_SIZES = ("NODE_CORES", "NODE_THREADS", "NODE_SMALLEST_SHARE", "NODE_CONFIG")
_RECEIVE = f"umask 077 && mkdir -p {FOLDER}/keys && tar -x -C {FOLDER}/keys"

app = typer.Typer(
    add_completion=False,
    help="Start and stop a cluster on machines that are reached over ssh: see docs/clusters.md.",
)

Hosts: TypeAlias = Annotated[
    str, typer.Option(help="The machines, separated by commas; the first is the head.")
]
Python: TypeAlias = Annotated[
    str, typer.Option(help="Python with this package on the machines; by default the same path.")
]


@app.command()
def up(engine: str, hosts: Hosts, python: Python = sys.executable) -> None:
    """Bring the credentials to all machines, start the nodes, and wait until they have joined."""
    cluster, machines = _cluster(engine), _machines(hosts)
    keys.make(KEYS.expanduser())
    os.environ.update(keys.environment(str(KEYS.expanduser())))
    head, *workers = machines
    address = cluster.address(_name(head))
    try:
        _everywhere(machines, lambda machine: _ssh(machine, _RECEIVE, _packed_keys()))
        _start(head, [python, cluster.head_role])
        options = ["--head", address]
        _everywhere(workers, lambda each: _start(each, [python, cluster.worker_role, *options]))
        _wait_until_joined(engine, cluster, machines)
    except BaseException:
        typer.echo(f"{engine}: stopping what was started", err=True)
        try:
            _stop(engine, machines, python)
        except HostError as left:
            typer.echo(f"{engine}: not everything could be stopped: {left}", err=True)
        raise
    count = len(workers) * int(os.environ.get("NODE_CORES", "1"))
    typer.echo(
        f"{engine}: all {len(workers)} nodes have joined the head {_name(head)}.\n"
        f'  credentials  eval "$(python -m deploy.over_ssh variables)"\n'
        f"  measure      python -m compare --engines {engine} --on {engine}={address} "
        f"--workers {count}\n"
        f"  stop         python -m deploy.over_ssh down {engine} --hosts {hosts}"
    )


@app.command()
def down(engine: str, hosts: Hosts, python: Python = sys.executable) -> None:
    """Stop the nodes of the engine on all machines, however they were started; return when done."""
    _cluster(engine)
    machines = _machines(hosts)
    _stop(engine, machines, python)
    typer.echo(f"{engine}: nothing is left on {', '.join(machines)}")


@app.command()
def variables() -> None:
    """Print the environment variables of a program that uses a cluster, as a shell reads them."""
    folder = KEYS.expanduser()
    keys.make(folder)
    for name, value in keys.environment(str(folder)).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def _stop(engine: str, machines: Sequence[str], python: str) -> None:
    """Stop the head first: that of Ray would start its workers again."""
    head, *workers = machines
    command = [python, "-m", "deploy.on_host", "down", engine]
    errors = [
        *_errors([head], lambda machine: _python(machine, command)),
        *_errors(workers, lambda machine: _python(machine, command)),
    ]
    if errors:
        raise HostError("; ".join(map(str, errors)))


def _start(machine: str, node: Sequence[str]) -> None:
    python, *options = node
    sizes = [f"{name}={os.environ[name]}" for name in _SIZES if name in os.environ]
    # Spark's nodes listen on the name by which the others know them.
    sizes.append(f"NODE_HOST={_name(machine)}")
    _python(machine, ["env", *sizes, python, "-m", "deploy.on_host", "up", *options])


def _wait_until_joined(engine: str, cluster: Cluster, machines: Sequence[str]) -> None:
    head, *workers = machines
    until_s = time.monotonic() + _JOIN_LIMIT_S
    while (joined := nodes_up(cluster, _name(head))) < len(workers):
        if time.monotonic() > until_s:
            raise HostError(
                f"{engine}: {joined} of {len(workers)} nodes have joined {_name(head)} after "
                f"{_JOIN_LIMIT_S} s: read {FOLDER}/*.log on the machines, and check that port "
                f"{cluster.page} of {_name(head)} can be reached from here and port "
                f"{cluster.port} from the other machines"
            )
        time.sleep(0.2)


def _everywhere(machines: Sequence[str], act: Callable[[str], None]) -> None:
    errors = _errors(machines, act)
    if errors:
        raise HostError("; ".join(map(str, errors)))


def _errors(machines: Sequence[str], act: Callable[[str], None]) -> list[HostError]:
    """Act on all machines at once, also if it fails on some."""

    def tried(machine: str) -> list[HostError]:
        try:
            act(machine)
        except HostError as error:
            return [error]
        return []

    with ThreadPoolExecutor(max(1, len(machines))) as pool:
        return [error for errors in pool.map(tried, machines) for error in errors]


def _python(machine: str, command: Sequence[str]) -> None:
    """Run a command that finds this project as this process does: at the same path."""
    variables = [f"{name}={value}" for name, value in import_path().items() if value]
    _ssh(machine, shlex.join(["env", *variables, *command]))


def _ssh(machine: str, command: str, given: bytes = b"") -> None:
    try:
        done = subprocess.run(
            [*_SSH, machine, command],
            input=given,
            capture_output=True,
            timeout=_COMMAND_LIMIT_S,
            check=False,
        )
    except FileNotFoundError:
        raise HostError("there is no program ssh here: install openssh-client") from None
    except subprocess.TimeoutExpired:
        raise HostError(f"{machine}: no end after {_COMMAND_LIMIT_S} s of: {command}") from None
    if done.returncode == 0:
        return
    lines = done.stderr.decode(errors="replace").split("\n")
    said = " ".join(lines).strip().removeprefix("error: ") or f"exit code {done.returncode}"
    if done.returncode == _NO_CONNECTION:
        said += f" (ssh {machine} true must work without a question)"
    raise HostError(f"{machine}: {said}")


def _packed_keys() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(KEYS.expanduser(), arcname=".")
    return packed.getvalue()


def _cluster(engine: str) -> Cluster:
    known = clusters()
    if engine not in known:
        raise HostError(f"no engine called {engine!r} spans hosts; known: {', '.join(known)}")
    return known[engine]


def _machines(hosts: str) -> list[str]:
    machines = hosts.split(",")
    for machine in machines:
        if not re.fullmatch(r"\w[\w.@:-]*", machine):
            raise HostError(f"--hosts: {machine!r} is no name of a machine")
    if len(machines) < 2 or len(set(machines)) < len(machines):  # noqa: PLR2004
        raise HostError(f"--hosts {hosts}: give a head and at least one other machine, each once")
    return machines


def _name(machine: str) -> str:
    """The name that the other machines use, without the user's."""
    return machine.rpartition("@")[2]


if __name__ == "__main__":
    run(app)
