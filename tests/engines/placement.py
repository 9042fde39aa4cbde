"""Where a contract test runs an engine: in its own process, on daemons of this host, on containers.

The name of the engine states the place: "ray", "ray on daemons", "ray on containers".
"""

from typing import NamedTuple

HERE, DAEMONS, CONTAINERS = "here", "daemons", "containers"


class Placed(NamedTuple):
    """An engine and the place where it runs."""

    engine: str
    where: str


def placed(name: str) -> Placed:
    engine, _, where = name.partition(" on ")
    return Placed(engine, where or HERE)
