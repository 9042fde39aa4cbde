"""Does to the containers of a cluster what a session asks for."""

import json
import subprocess
from collections.abc import Callable, Sequence
from typing import NamedTuple

from compare.measure import clock
from compare.records.deeds import Answer, Deed

_LIMIT_S = 30


class _Place(NamedTuple):
    """A container's place in a network."""

    network: str
    address: str
    aliases: tuple[str, ...]


class _MovedError(Exception):
    """A container has another address than before."""


class Victims:
    """Containers to which something may be done; everything else is refused."""

    def __init__(self, connected: Callable[[str], None]) -> None:
        """``connected`` is called with each container that is on its networks again."""
        self._connected = connected
        self._places: dict[str, tuple[_Place, ...]] = {}
        """Of the containers that are off their networks."""

    def do(self, deed: Deed, allowed: Sequence[str]) -> Answer:
        """Do it, if its host is the name of an allowed container."""
        if deed.host not in allowed:
            reason = f"{deed.host} is no container of a worker of this session"
            return Answer(done_s=None, reason=reason)
        try:
            self._do(deed)
        except subprocess.TimeoutExpired:
            return Answer(done_s=None, reason=f"docker took more than {_LIMIT_S} s")
        except subprocess.CalledProcessError as error:
            return Answer(done_s=None, reason=error.stderr.strip())
        except _MovedError as error:
            return Answer(done_s=None, reason=str(error))
        return Answer(done_s=clock.now())

    def _do(self, deed: Deed) -> None:
        if deed.what == "kill":
            _docker("kill", deed.host)
        elif deed.what == "cut":
            places = self._places[deed.host] = _places(deed.host)
            for place in places:
                _docker("network", "disconnect", place.network, deed.host)
        else:
            places = self._places.pop(deed.host, ())
            for place in places:
                aliases = (f"--alias={alias}" for alias in place.aliases)
                _docker("network", "connect", *aliases, place.network, deed.host)
            # Docker gives the lowest free address, and takes a wish only for networks whose subnet
            # somebody chose.  With another one, no connection could go on.
            found = {place.address for place in _places(deed.host)}
            if places and found != {place.address for place in places}:
                raise _MovedError(f"it came back with the address {', '.join(sorted(found))}")
            self._connected(deed.host)


def _places(container: str) -> tuple[_Place, ...]:
    listed = _docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", container)
    return tuple(
        _Place(network, found["IPAddress"], tuple(found["Aliases"] or ()))
        for network, found in json.loads(listed).items()
    )


def _docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=_LIMIT_S, check=True
    )
    return done.stdout
