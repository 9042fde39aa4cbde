"""Checks, before anything is measured, what on this host would stop or change a run.

What keeps a single engine from starting is the business of ``engines.registry.require``: the plan
leaves that engine out by name.  This module looks at what all engines need.
"""

import multiprocessing
import os
import resource
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from compare.errors import UsageError
from compare.measure.cgroup import memory_room_bytes, process_room, quota_cores
from compare.measure.machine import cores, usable_cores
from compare.records.plan import Plan, original_of
from engines.environment import temporary_folder
from engines.registry import load_engine
from workload.model_folder import used_files

_MIB = 2**20
_GB = 1e9
# Peaks of runs with two workers and vit-base, rounded up; they decide what is said, not measured.
_BASE_BYTES = 900 * _MIB
"""The largest engine with its daemons, and a driver, without workers."""
_WORKER_BYTES = 120 * _MIB
"""A worker beside the weights of its model."""
_USABLE_SHARE = 0.9
"""A measurement that uses more of the available memory is invalid."""
_LEAST_DISK_BYTES, _GOOD_DISK_BYTES = 20 * _MIB, 200 * _MIB
_LEAST_PROCESSES, _ENGINE_PROCESSES, _WORKER_PROCESSES = 64, 300, 40
"""Processes and threads: of a session without an engine, of an engine, and of each worker."""
_LEAST_FILES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence about this host, with the remedy."""

    sentence: str
    stops: bool = False
    """The run cannot succeed."""

    def __str__(self) -> str:
        return self.sentence


def check_host() -> None:
    """Check what every run needs, before anything is planned.

    Raises:
        UsageError: it is missing; the message has the remedy.
    """
    if temporary_folder() is None:
        raise UsageError("no folder for temporary files is writable: set TMPDIR to one that is")
    try:
        multiprocessing.Lock()
    except OSError as error:
        raise UsageError(
            f"this host gives no semaphores ({error.strerror}), without which multiprocessing "
            "cannot start a process: mount /dev/shm so that you can write there"
        ) from error
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname(), timeout=5),
        ):
            pass
    except OSError as error:
        raise UsageError(
            f"nothing can connect to 127.0.0.1 here ({error.strerror or error}), as the processes "
            "of every engine do: bring the loopback interface up (ip link set lo up)"
        ) from error


def preflight(plan: Plan, out: Path) -> tuple[Finding, ...]:
    """What changes this run on this host without stopping it.

    Raises:
        UsageError: something stops it; the message has the first reason and the remedy.
    """
    found = tuple(_findings(plan, out))
    for finding in found:
        if finding.stops:
            raise UsageError(finding.sentence)
    return found


def _findings(plan: Plan, out: Path) -> Iterator[Finding]:
    yield from _disk(out)
    if plan.clusters and not plan.options.composed:
        return  # the workers are on other hosts
    yield from _cores(plan)
    yield from _memory(plan)
    if plan.options.composed:
        return
    yield from _processes(plan)
    yield from _open_files()
    yield from _niceness(plan)
    for name in plan.engines:
        if original_of(name) == name and name not in plan.missing:
            for sentence in load_engine(name).hindrances():
                yield Finding(sentence=f"{name}: {sentence}")


def _disk(out: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(out).free
    if free < _GOOD_DISK_BYTES:
        yield Finding(
            sentence=f"{out} has {free / _MIB:,.0f} MiB of disk left, and a run writes some tens "
            "of MiB: free some, or choose another --out",
            stops=free < _LEAST_DISK_BYTES,
        )


def _cores(plan: Plan) -> Iterator[Finding]:
    usable, allowed = usable_cores(), quota_cores()
    if plan.workers > usable:
        limit = f"; the CPU quota is {allowed:g}" if usable < cores() and allowed else ""
        yield Finding(
            sentence=f"{plan.workers} workers on {usable} cores: they will compete for the cores"
            f"{limit}"
        )
    elif usable < (os.cpu_count() or usable):
        why = f"its CPU quota is {allowed:g}" if usable < cores() else "it is bound to them"
        yield Finding(
            sentence=f"This process may use {usable} of the {os.cpu_count()} cores ({why}): the "
            "comparison is about these alone"
        )


def _memory(plan: Plan) -> Iterator[Finding]:
    room = memory_room_bytes(psutil.Process().memory_info().rss)
    if room is None:
        return
    weights = 0
    if plan.workload is not None:
        files = used_files(Path(plan.workload.model_folder))
        weights = sum(path.stat().st_size for path in files)
    per_worker = weights + _WORKER_BYTES
    need = _BASE_BYTES + plan.workers * per_worker
    if need <= _USABLE_SHARE * room:
        return
    fitting = int((_USABLE_SHARE * room - _BASE_BYTES) // per_worker)
    remedy = f"use --workers {fitting}, or free some memory" if fitting > 0 else "free some memory"
    yield Finding(
        sentence=f"{plan.workers} workers need about {need / _GB:.1f} GB of memory and "
        f"{room / _GB:.1f} GB are available; an engine that takes more than "
        f"{_USABLE_SHARE:.0%} of them gets no number: {remedy}",
        stops=weights + _WORKER_BYTES > room,
    )


def _processes(plan: Plan) -> Iterator[Finding]:
    rooms = {"the container's limit of processes": process_room(), "ulimit -u": _user_room()}
    want = _ENGINE_PROCESSES + plan.workers * _WORKER_PROCESSES
    for limit, room in rooms.items():
        if room is not None and room < want:
            yield Finding(
                sentence=f"{limit} leaves room for {max(room, 0)} processes and threads, and an "
                f"engine with {plan.workers} workers may need {want}: raise the limit",
                stops=room < _LEAST_PROCESSES,
            )


def _user_room() -> int | None:
    """Processes and threads that this user may still start; ``None`` without a limit."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    # The kernel does not limit root.
    if limit == resource.RLIM_INFINITY or os.geteuid() == 0:
        return None
    running = psutil.process_iter(["uids", "num_threads"])
    mine = [
        one.info for one in running if one.info["uids"] and one.info["uids"].real == os.getuid()
    ]
    return limit - sum(info["num_threads"] or 1 for info in mine)


def _open_files() -> Iterator[Finding]:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < _LEAST_FILES:
        yield Finding(
            sentence=f"this shell allows {limit} open files for each process, and engines open "
            f"more: raise the limit (ulimit -n 1024)"
        )


def _niceness(plan: Plan) -> Iterator[Finding]:
    if plan.niceness:
        yield Finding(
            sentence=f"Started at niceness {plan.niceness}, as every engine will run: other "
            "programs on this machine have priority"
        )
