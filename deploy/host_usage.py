"""What a host has spent so far: CPU time, memory, bytes over the network.  From its control group.

Every node serves it to the others of its network, since a program can read only its own.
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
    """Of one host, since it was started."""

    host: str
    boot_id: str
    """Of the kernel: hosts with the same one have the same clock."""
    cpu_s: float | None
    memory_bytes: int | None
    """Now; without what the kernel keeps of files."""
    most_memory_bytes: int | None
    """So far; with what the kernel keeps of files."""
    received_bytes: int
    sent_bytes: int
    versions: dict[str, str]


def own() -> Spending:
    """Of this host."""
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
    """Of another host; ``None`` where it does not tell."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=_TIMEOUT_S) as answer:
            return Spending.model_validate_json(answer.read())
    except (OSError, ValueError):
        return None


@contextmanager
def served(alive: str, port: int = PORT) -> Iterator[None]:
    """Answer every request with ``own``; below /alive with what the daemon's own page says."""

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
            """Nothing: it is asked often."""

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
    """Bytes received and sent, over all that is not loopback."""
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
    """The first of these lines, in version 1 of control groups and in version 2."""
    pairs = _pairs("memory/memory.stat") or _pairs("memory.stat")
    shared = pairs.get("total_shmem", pairs.get("shmem", 0))
    return next((pairs[name] + shared for name in names if name in pairs), None)


_GROUP = Path("/sys/fs/cgroup")
"""In a container, its own."""


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
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    adapters = [load_engine(name) for name in engine_names()]
    needed = [one.distribution for adapter in adapters for one in adapter.requirements]
    for name in (*needed, "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
