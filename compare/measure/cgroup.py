"""Reads limits from the kernel, and counters of throttling, swapping and killed processes.

Linux, control groups of version 1 and 2.  ``None`` means that the kernel does not report a value.
The counters only grow: the difference of two readings is what happened between them.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
"""The folder above the kernel's files; tests use another one."""
_UNLIMITED = 2**60
"""Version 1 writes a number near 2**63 if there is no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """The counters at one moment."""

    throttled_periods: int | None
    """Periods in which the group had used up its quota of CPU time."""
    throttled_s: float | None
    """Time its processes waited in those periods, summed over all cores."""
    swapped_bytes: int | None
    """Bytes written to and read from swap by the whole host."""


def counters(root: Path = ROOT) -> Counters:
    """The current counters of this process's control group and of the host."""
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


def quota_cores(root: Path = ROOT) -> float | None:
    """Cores that the CPU quota allows, the smallest of all levels; ``None`` without a quota."""
    allowed = []
    for path in _groups(root, "cpu"):
        quota, _, period = _text(path / "cpu.max").strip().partition(" ")
        if not quota:  # version 1
            quota, period = (
                _text(path / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
            )
        if quota.isdigit() and period.isdigit() and int(period):
            allowed.append(int(quota) / int(period))
    return min(allowed, default=None)


def oom_kills(root: Path = ROOT) -> int | None:
    """Number of processes that the kernel killed for lack of memory: in the control group, or on
    the whole host if the group does not count them.
    """
    for name in ("memory.events", "memory.oom_control"):
        for path in _groups(root, "memory"):
            events = _pairs(path / name)
            if "oom_kill" in events:
                return events["oom_kill"]
    return _pairs(root / "proc/vmstat").get("oom_kill")


def memory_room_bytes(used_bytes: int, root: Path = ROOT) -> int | None:
    """How large processes that now use ``used_bytes`` may become, given the memory available on the
    host and the rest of each limit.
    """
    kibibytes = _pairs(root / "proc/meminfo").get("MemAvailable:")
    rooms = [] if kibibytes is None else [kibibytes * 1024]
    for path in _groups(root, "memory"):
        # Cached files count as usage of a group; the kernel drops them when it needs the memory.
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


def process_room(root: Path = ROOT) -> int | None:
    """How many more processes and threads the control groups allow; ``None`` without a limit."""
    rooms = [
        limit - used
        for path in _groups(root, "pids")
        if (limit := _number(path / "pids.max")) is not None
        and (used := _number(path / "pids.current")) is not None
    ]
    return min(rooms, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the control groups that this process is in, the innermost first.

    The limits of all of them apply.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, inside = line.split(":", 2)
        if not controllers:  # version 2; under "unified" if version 1 is mounted, too
            tops = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif controller in controllers.split(","):
            tops = [root / "sys/fs/cgroup" / name for name in (controllers, controller)]
        else:
            continue
        top = next((top for top in tops if top.is_dir()), None)
        if top is None:
            continue
        # In a container the path may be that of the host, of which only the end is mounted.
        folder = top / inside.strip("/")
        while folder != top:
            if folder.is_dir():
                yield folder
            folder = folder.parent
        yield top


def _pairs(path: Path) -> dict[str, int]:
    """The lines of a file that have a name and a number."""
    numbers = {}
    for line in _text(path).splitlines():
        name, *rest = line.split()
        if rest and rest[0].isdigit():
            numbers[name] = int(rest[0])
    return numbers


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
