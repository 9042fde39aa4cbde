"""Resource usage of a host so far: CPU time and memory of its control group, network bytes.

Every node serves its usage to the others of its network, because a program can read only that of
its own host.
"""

import functools
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel
from typing_extensions import override

from engines.registry import engine_names, load_engine

PORT = 9108
_TIMEOUT_S = 5.0


class Spending(BaseModel):
    """Usage of one host since it was started."""

    host: str
    boot_id: str
    """Boot ID of the operating-system kernel; hosts with the same ID have the same clock."""
    cpu_s: float | None
    memory_bytes: int | None
    """Current usage, without the kernel's file cache."""
    most_memory_bytes: int | None
    """Peak usage so far, with the kernel's file cache."""
    received_bytes: int
    sent_bytes: int
    versions: dict[str, str]


def own() -> Spending:
    """Usage of this host."""
    received, sent = _network()
    return Spending(
        host=socket.gethostname(),
        boot_id=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        cpu_s=_cpu_s(),
        memory_bytes=_memory("total_rss", "anon"),
        most_memory_bytes=_number("memory.peak", "memory/memory.max_usage_in_bytes"),
        received_bytes=received,
        sent_bytes=sent,
        versions=_versions(),
    )


def of(host: str, port: int = PORT) -> Spending | None:
    """Usage of another host, or ``None`` if it cannot be read."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=_TIMEOUT_S) as answer:
            return Spending.model_validate_json(answer.read())
    except (OSError, ValueError):
        return None


@contextmanager
def served(alive: str, port: int = PORT) -> Iterator[None]:
    """Answer every request with ``own``; answer /alive with the state of the daemon's page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/alive":
                status, body = _asked(alive)
            else:
                status, body = 200, own().model_dump_json().encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Log nothing, because requests are frequent."""

    with ThreadingHTTPServer(("", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def _asked(page: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(page, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return answer.status, b"alive"
    except OSError as error:
        return 503, str(error).encode()


def _network() -> tuple[int, int]:
    """Bytes received and sent over all interfaces except loopback."""
    received = sent = 0
    for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
        name, _, numbers = line.partition(":")
        if name.strip() != "lo":
            fields = numbers.split()
            received, sent = received + int(fields[0]), sent + int(fields[8])
    return received, sent


def _cpu_s() -> float | None:
    nanoseconds = _number("cpuacct/cpuacct.usage")
    if nanoseconds is not None:
        return nanoseconds / 1e9
    microseconds = _pairs("cpu.stat").get("usage_usec")
    return None if microseconds is None else microseconds / 1e6


def _memory(*names: str) -> int | None:
    """The first of these values, for control groups version 1 and 2, plus shared memory."""
    pairs = _pairs("memory/memory.stat") or _pairs("memory.stat")
    shared = pairs.get("total_shmem", pairs.get("shmem", 0))
    return next((pairs[name] + shared for name in names if name in pairs), None)


_GROUP = Path("/sys/fs/cgroup")
"""In a container, this is the control group of the container."""


def _number(*names: str) -> int | None:
    for name in names:
        try:
            return int((_GROUP / name).read_text())
        except (OSError, ValueError):
            continue
    return None


def _pairs(name: str) -> dict[str, int]:
    try:
        lines = (_GROUP / name).read_text().splitlines()
    except OSError:
        return {}
    return {name: int(number) for name, number in (line.split() for line in lines)}


@functools.cache
def _versions() -> dict[str, str]:
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    adapters = [load_engine(name) for name in engine_names()]
    needed = [
        requirement.distribution for adapter in adapters for requirement in adapter.requirements
    ]
    for name in (*needed, "torch"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
