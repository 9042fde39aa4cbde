"""What the kernel tells of limits, and of what it did to a session: throttled, swapped, killed.

Linux, control groups of version 1 and 2.  ``None`` where the kernel does not tell.  The counters
only grow: the difference of two readings is what happened between them.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
"""Below it are the kernel's files; tests put their own in its place."""
_UNLIMITED = 2**60
"""A limit of version 1 that is none is a number near 2**63."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """At one moment."""

    throttled_periods: int | None
    """Periods in which the group had used up its quota of CPU time."""
    throttled_s: float | None
    """How long its processes waited then, on all cores together."""
    swapped_bytes: int | None
    """Written to and read from swap, by the whole host."""


def counters(root: Path = ROOT) -> Counters:
    """Those of this process's control group and of the host, now."""
    stats = [_pairs(path / "cpu.stat") for path in _groups(root, "cpu")]
    periods = [stat["nr_throttled"] for stat in stats if "nr_throttled" in stat]
    # Microseconds in version 2, nanoseconds in version 1.
    seconds = [stat["throttled_usec"] / 1e6 for stat in stats if "throttled_usec" in stat]
    seconds += [stat["throttled_time"] / 1e9 for stat in stats if "throttled_time" in stat]
    memory = _pairs(root / "proc/vmstat")
    pages = [memory[name] for name in ("pswpin", "pswpout") if name in memory]
    return Counters(
        throttled_periods=sum(periods) if periods else None,
        throttled_s=sum(seconds) if seconds else None,
        swapped_bytes=sum(pages) * os.sysconf("SC_PAGE_SIZE") if pages else None,
    )


def oom_kills(root: Path = ROOT) -> int | None:
    """Processes that the kernel killed for want of memory: of the control group where it counts
    them, else of the whole host.
    """
    for name in ("memory.events", "memory.oom_control"):
        for path in _groups(root, "memory"):
            told = _pairs(path / name)
            if "oom_kill" in told:
                return told["oom_kill"]
    return _pairs(root / "proc/vmstat").get("oom_kill")


def memory_room_bytes(used_bytes: int, root: Path = ROOT) -> int | None:
    """How large processes that use ``used_bytes`` may become: with what the host has available,
    and within what is left of each limit.
    """
    kibibytes = _pairs(root / "proc/meminfo").get("MemAvailable:")
    rooms = [] if kibibytes is None else [kibibytes * 1024]
    for path in _groups(root, "memory"):
        # Files that were read fill a group, too, and go when their room is needed.
        cached = _pairs(path / "memory.stat")
        idle = cached.get("total_inactive_file", cached.get("inactive_file", 0))
        for limit_name, usage_name in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit, usage = _number(path / limit_name), _number(path / usage_name)
            if limit is not None and usage is not None and limit < _UNLIMITED:
                rooms.append(limit - usage + idle)
    return max(0, min(rooms)) + used_bytes if rooms else None


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the control groups that this process is in, the innermost first.

    A limit of any of them holds.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, inside = line.split(":", 2)
        if not controllers:  # version 2; below "unified" where version 1 is there, too
            tops = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif controller in controllers.split(","):
            tops = [root / "sys/fs/cgroup" / name for name in (controllers, controller)]
        else:
            continue
        top = next((top for top in tops if top.is_dir()), None)
        if top is None:
            continue
        # In a container the path may be the host's, and only its end is mounted.
        folder = top / inside.strip("/")
        while folder != top:
            if folder.is_dir():
                yield folder
            folder = folder.parent
        yield top


def _pairs(path: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    found = {}
    for line in _text(path).splitlines():
        name, *rest = line.split()
        if rest and rest[0].isdigit():
            found[name] = int(rest[0])
    return found


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
