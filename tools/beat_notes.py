"""What the node provider notes in a file while Ray's autoscaler works, and how it is read."""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

LOOKED = "looked"
"""The autoscaler asked which nodes there are, as it does once an update."""
ASKED = "asked"
"""The autoscaler asked for new nodes."""

REGISTERED = "registered"
"""The first word that ``tools.registered_nodes`` prints, when all nodes are."""


class Note(NamedTuple):
    """What happened in the autoscaler's process, and when."""

    at_s: float
    """On the clock that all processes of a host share."""
    what: str
    nodes: int
    """Nodes that were asked for."""


def note(file: Path, what: str, nodes: int, at_s: float) -> None:
    """Append a note.  Several threads may do so: a short write at the end of a file is one step."""
    with file.open("a") as notes:
        notes.write(f"{at_s!r} {what} {nodes}\n")


def notes(file: Path) -> list[Note]:
    """All notes that are complete, in the order of their writing."""
    lines = file.read_text().rpartition("\n")[0].splitlines()
    fields = [line.split() for line in lines]
    return [Note(float(at_s), what, int(nodes)) for at_s, what, nodes in fields]


def updates_s(found: list[Note], asked_s: float, pause_s: float) -> list[float]:
    """Seconds of the update in which nodes were asked for, and of those after it.

    An update lasts from one look at the nodes to the next, less the pause, which is a sleep.  One
    after which there is no look yet does not count.
    """
    looks = [one.at_s for one in found if one.what == LOOKED]
    since = [at_s for at_s in looks if at_s <= asked_s][-1:]
    since += [at_s for at_s in looks if at_s > asked_s]
    return [after - before - pause_s for before, after in pairwise(since)]


def instance_name(number: int) -> str:
    """What the provider calls a node, and what the node says that it is called."""
    return f"registered-{number}"
