"""Clusters on machines that are reached over ssh: containers without privileges that run a server.

The commands are those of docs/clusters.md.  They run on a fourth machine.
"""

import json
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import pytest

from compare.records.measurements import NodeUse
from deploy import keys
from tests.engines.containers import REPOSITORY, docker, release_containers
from tests.engines.placement import CONTAINERS, placed

pytestmark = [pytest.mark.placed(CONTAINERS), pytest.mark.timeout(800)]

MACHINES = ("n0", "n1", "n2")
PROJECT = "engine-compare-ssh"
FILE = REPOSITORY / "tests/cluster/ssh/compose.yml"
_START_LIMIT_S, _COMMANDS_LIMIT_S = 400, 500
# With a number of blocks, no session is measured again because other programs ran.
QUICK = "--preset quick --blocks 1 --out /tmp/results"
THROUGHPUT = f"{QUICK} --experiments throughput --n-images 360 --chunk 5"
NAPS = f"{QUICK} --experiments timeline"


@dataclass(frozen=True)
class Machines:
    """Three running machines, and a fourth on which commands are typed."""

    before: frozenset[str]
    """What runs on the three when no cluster does."""

    def type(self, commands: str, limit_s: float = _COMMANDS_LIMIT_S) -> str:
        """Run lines of a shell on the fourth machine, and return what they print."""
        return compose("exec", "--no-TTY", "launcher", "bash", "-ec", commands, limit_s=limit_s)

    def programs(self) -> frozenset[str]:
        """The command lines of all processes on the three machines."""
        listed = [
            compose("exec", "--no-TTY", machine, "ps", "-eo", "args=").splitlines()
            for machine in MACHINES
        ]
        # The server has a process for each connection, for some time after it was closed.
        return frozenset(line for lines in listed for line in lines if "sshd:" not in line)

    def variables(self, machine: str) -> AbstractSet[tuple[str, str]]:
        """The environment variables of the node's daemon."""
        show = "tr '\\0' '\\n' </proc/$(pgrep --oldest --full deploy.node)/environ"
        lines = compose("exec", "--no-TTY", machine, "bash", "-ec", show).splitlines()
        return {(name, value) for name, _, value in (line.partition("=") for line in lines)}

    def records(self, engine: str) -> list[dict[str, Any]]:
        """What the comparison has recorded of the engine's batches of tasks; it is removed."""
        lines = self.type("cat /tmp/results/*/measurements.jsonl; rm -r /tmp/results").splitlines()
        return [
            record
            for record in map(json.loads, lines)
            if (record["engine"], record["kind"]) == (engine, "tasks")
        ]


def compose(*arguments: str, limit_s: float = _START_LIMIT_S) -> str:
    return docker(
        *("compose", "--project-name", PROJECT, "--file", str(FILE), *arguments), limit_s=limit_s
    )


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    release_containers()
    try:
        compose("build", "--quiet")
        compose("up", "--detach", "--wait", *MACHINES, "launcher")
        started = Machines(frozenset())
        yield Machines(started.programs())
    finally:
        compose("down", "--volumes", "--timeout", "1")


def documented(heading: str) -> str:
    """The commands that docs/clusters.md has directly below this heading."""
    _, _, section = (REPOSITORY / "docs/clusters.md").read_text().partition(f"# {heading}\n\n")
    match = re.match(r"(?: {4}.*\n)+", section)
    assert match
    return re.sub(r"^ {4}", "", match[0], flags=re.MULTILINE)


def split_at_compare(commands: str, flags: str) -> tuple[str, str]:
    """The lines up to the comparison, which gets the flags, and those that stop the cluster."""
    before, compare, after = re.split(r"^(python -m compare .*)\n", commands, flags=re.MULTILINE)
    return f"{before}{compare} {flags}", after


def check_both_workers_ran_tasks(records: list[dict[str, Any]], tasks: int) -> None:
    assert records
    for record in records:
        assert record["hosts"] == ["n1", "n2"]
        assert record["received"] == [1] * tasks
        nodes = [NodeUse(*node) for node in record["nodes"]]
        assert [node.role for node in nodes] == ["head", "worker", "worker", "driver"]
        assert all(node.cpu_s and node.received_bytes and node.sent_bytes for node in nodes)


def test_both_workers_of_a_cluster_over_ssh_run_tasks_and_none_is_left(
    engine_name: str, machines: Machines
) -> None:
    engine = placed(engine_name).engine
    commands = documented("On machines that you reach over ssh")
    up, down = split_at_compare(commands.replace("ENGINE=dask", f"ENGINE={engine}"), NAPS)
    credentials = keys.environment("/home/compare/.engine-compare/keys").items()
    assert f"{engine}: all 2 nodes have joined the head n0" in machines.type(up)
    assert machines.programs() > machines.before
    # What they do is tested with docker-compose.yml, whose nodes are started by the same command.
    for machine in MACHINES:
        assert machines.variables(machine) >= credentials
    check_both_workers_ran_tasks(machines.records(engine), 8)
    machines.type(f"ENGINE={engine}\n{down}")
    assert machines.programs() == machines.before


def test_a_cluster_over_ssh_started_by_ray_up_runs_tasks_on_both_workers_and_none_is_left(
    engine_name: str, machines: Machines
) -> None:
    if placed(engine_name).engine != "ray":
        pytest.skip("`ray up` starts Ray only")
    up, down = split_at_compare(documented("With `ray up`"), THROUGHPUT)
    machines.type(up)
    check_both_workers_ran_tasks(machines.records("ray"), 72)
    # Ray says that no nodes remain, and the processes of the workers run on.
    ended = machines.type("ray down -y deploy/ssh/ray.yaml 2>&1")
    assert "No nodes remaining" in ended
    assert any("ray-worker" in program for program in machines.programs())
    machines.type(down)
    assert machines.programs() == machines.before


@pytest.mark.usefixtures("engine_name")
def test_the_machines_admit_their_user_with_the_key_alone(machines: Machines) -> None:
    assert machines.type("ssh n1 id -u") == "10001\n"
    tries = ("root@n1", "-o IdentitiesOnly=yes -i /dev/null n1", "-o PubkeyAuthentication=no n1")
    for how in tries:
        said = machines.type(f"ssh -o BatchMode=yes {how} true 2>&1 || true")
        assert "Permission denied (publickey)" in said
    listed = docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}")
    for container in json.loads(docker("inspect", *listed.split())):
        host = container["HostConfig"]
        assert container["Config"]["User"] == "10001:10001"
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert not host["PortBindings"]
