# ruff: noqa: T201 - it prints its findings
"""How long Ray's autoscaler takes to ask for a node when the cluster is large.

    python -m tools.autoscaler_beat
    python -m tools.autoscaler_beat --nodes 10,100 --repeats 5 --json beat.json

For each size, a private head starts on loopback with Ray's own autoscaler (v2), and so many nodes
register (``tools.registered_nodes``).  They answer the health checks and say that a task has taken
their only core; no process stands behind one, so a thousand of them fit a small machine.  The
autoscaler's node provider (``tools.registered_provider``) notes when it is asked.

Then tasks of one core are submitted, which no node fits, and the time is taken until the provider
is asked for a node.  First one task, several times, each time at another moment between two updates
of the autoscaler; it is cancelled before the next one.  Then as many tasks as there are nodes.

An *update* is what the autoscaler does between two pauses.  Ray pauses for five seconds
(``--pause``), whatever the update took, so the *beat* is the sum of both.

With ``--real`` the nodes are raylets of this host that have no core, each with its agents.  That
checks, for a few, that registered nodes do not change the numbers.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from compare.measure import clock, machine
from engines.environment import private_folder
from engines.errors import EngineStartError
from tools import beat_notes
from tools.beat_cluster import (
    LOOK_EVERY_S,
    Cluster,
    TooLateError,
    daemon,
    prepare,
    scaling_cluster,
)
from tools.beat_records import Beats, Line, beat_table, write

SIZES = (10, 100, 300, 1000)
_UPDATES = 3
"""That are waited for while as many tasks wait as there are nodes, with the one that asked."""
_FACTS = ("cpu_model", "cores", "python", "commit", "started_at", "load_average")
_DAEMONS = ("autoscaler/v2/monitor.py", "gcs_server")
"""Whose CPU time is given: texts of their command lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says."""

    repeats: int
    """Decisions for one task."""
    pause_s: int
    until_s: float
    """When nothing is waited for any more, on the clock of this process."""
    real: bool
    """Whether a raylet stands behind each node."""


def measure(nodes: int, asked: Asked, folder: Path) -> Iterator[Line]:
    """The lines of one size: one task, and as many tasks as there are nodes."""
    demands = {1: asked.repeats, nodes: 1}
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(
                scaling_cluster(nodes, folder, asked.until_s, real=asked.real)
            )
            cluster.wait_until_known()
        except (TooLateError, EngineStartError) as error:
            for wanted in demands:
                yield Line(nodes=nodes, wanted=wanted, refusal=str(error))
            return
        processes = [daemon(folder, name) for name in _DAEMONS]
        for wanted, repeats in demands.items():
            yield _line(cluster, wanted, repeats, asked.pause_s, processes)


class _Decision(NamedTuple):
    submitted_s: float
    asked_s: float


def _line(
    cluster: Cluster, wanted: int, repeats: int, pause_s: int, processes: list[psutil.Process]
) -> Line:
    decisions: list[_Decision] = []
    refusal = None
    began_s, used_s = clock.now(), list(map(_cpu_s, processes))
    try:
        for number in range(repeats):
            # Spread over the beat: a task that comes just before an update waits for no pause.
            phase = (number + 0.5) / repeats
            decisions.append(_decision(cluster, wanted, phase * pause_s, pause_s))
        cluster.wait_for_update()  # so that the update of the last decision has ended
    except TooLateError as error:
        refusal = str(error)
    lasted_s = clock.now() - began_s
    cores = [(_cpu_s(p) - before) / lasted_s for p, before in zip(processes, used_s, strict=True)]
    if lost := cluster.lost():
        refusal = f"Ray took {lost:,} of the nodes for dead"
    found, count = cluster.notes(), 1 if wanted == 1 else _UPDATES
    return Line(
        nodes=cluster.nodes,
        wanted=wanted,
        decisions_s=tuple(one.asked_s - one.submitted_s for one in decisions),
        updates_s=tuple(
            update_s
            for one in decisions
            for update_s in beat_notes.updates_s(found, one.asked_s, pause_s)[:count]
        ),
        autoscaler_cores=cores[0],
        gcs_cores=cores[1],
        refusal=refusal,
    )


def _decision(cluster: Cluster, wanted: int, after_s: float, pause_s: int) -> _Decision:
    """When a node was asked for, with tasks submitted so long after an update began."""
    import ray

    @ray.remote(num_cpus=1, max_retries=0)  # type: ignore[untyped-decorator]
    def never() -> None:
        """Has no node to run on."""

    cluster.wait_until_calm()
    cluster.wait_for_update()
    time.sleep(after_s)
    submitted_s = clock.now()
    waiting = [never.remote() for _ in range(wanted)]

    def asked() -> list[float]:
        return [
            one.at_s
            for one in cluster.notes()
            if one.what == beat_notes.ASKED and one.at_s >= submitted_s
        ]

    def updated() -> bool:
        done = beat_notes.updates_s(cluster.notes(), min(asked()), pause_s)
        return len(done) >= _UPDATES

    try:
        tasks = "the task" if wanted == 1 else f"the {wanted:,} tasks"
        what = f"the autoscaler did not ask for a node for {tasks}"
        cluster.wait(lambda: bool(asked()), what, LOOK_EVERY_S)
        if wanted > 1:
            # The decision stands; the updates after it show what so many tasks cost.
            with contextlib.suppress(TooLateError):
                cluster.wait(updated, "too few updates", LOOK_EVERY_S)
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)
    return _Decision(submitted_s, min(asked()))


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def run(sizes: Sequence[int], asked: Asked) -> Beats:
    """Measure all sizes, and print a line when one is done."""
    facts = machine.collect(["ray"])
    versions = facts["versions"]
    assert isinstance(versions, dict)  # noqa: S101 - it is written as one
    lines: list[Line] = []
    with private_folder() as folder:
        prepare(folder, asked.pause_s)
        for nodes in sizes:
            own = folder / str(nodes)
            own.mkdir()
            for line in measure(nodes, asked, own):
                lines.append(line)
                said = line.refusal or f"asked after {line.decisions_s[0]:.2f} s at first"
                print(f"{nodes} nodes, {line.wanted} wanted: {said}", file=sys.stderr)
    return Beats(
        pause_s=asked.pause_s,
        facts={**{name: facts.get(name) for name in _FACTS}, "ray": versions["ray"]},
        lines=tuple(lines),
    )


def _count(text: str) -> int:
    """A number on the command line.

    Raises:
        argparse.ArgumentTypeError: it is none, or below 1.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def _sizes(text: str) -> tuple[int, ...]:
    """Numbers of nodes on the command line.

    Raises:
        argparse.ArgumentTypeError: one is no number, or below 2.
    """
    sizes = tuple(map(_count, text.split(",")))
    if min(sizes) == 1:
        raise argparse.ArgumentTypeError("with 1 node, one task is as many as there are nodes")
    return sizes


def main() -> None:
    """Parse the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--nodes", type=_sizes, default=SIZES, help="numbers, with commas")
    parser.add_argument("--repeats", type=_count, default=5, help="decisions for one task")
    parser.add_argument("--pause", type=_count, default=5, help="seconds between two updates")
    parser.add_argument("--minutes", type=float, default=12, help="for all sizes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--real", action="store_true", help="raylets, not only registered nodes")
    arguments = parser.parse_args()
    asked = Asked(
        repeats=arguments.repeats,
        pause_s=arguments.pause,
        until_s=clock.now() + arguments.minutes * 60,
        real=arguments.real,
    )
    beats = run(arguments.nodes, asked)
    if arguments.json is not None:
        write(beats, arguments.json)
    print(beat_table(beats), end="")


if __name__ == "__main__":
    main()
