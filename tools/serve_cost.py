# ruff: noqa: T201 - it prints its findings
"""What the served page costs a measurement that runs beside it.

    python -m tools.serve_cost --pairs 20
    python -m tools.serve_cost --pairs 100 --seconds 1 --load "hey -n 2000 -c 20"

Serves a run that is not finished, as a browser would follow it, and lets plain processes compute on
all cores.  In each pair the server goes on in one batch and is stopped (SIGSTOP) in the other, in
random order.  Prints the time with the server over the time without, with a 95% interval, and the
share of the cores that the server, and the command, used meanwhile, which noise hardly touches.
With ``--load`` a command asks the server for pages during the batches with the server, and is
stopped with it; it uses the cores, too, and nothing tells its cost from that of the server.  When
it has ended, it starts again.  Short batches are for a machine whose speed changes within seconds.
"""

import argparse
import gzip
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import psutil

from compare.analysis.intervals import geometric_mean
from compare.measure import clock
from compare.measure.adapters import adapter_of
from compare.records.plan import CEILING
from engines.interface import Resources
from workload.kernels import spin
from workload.task import run_packed

_RUN = Path(__file__).parents[1] / "docs/example"
_TASKS_PER_WORKER = 10
_DONE = 0.5
"""The share of the records that the served run has."""


@contextmanager
def served() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve a copy of the published run that was left in its middle: the server, its address."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("plan.json", "environment.json"):
            (Path(folder) / name).write_text((_RUN / name).read_text())
        records = gzip.decompress((_RUN / "measurements.jsonl.gz").read_bytes())
        lines = records.splitlines(keepends=True)
        kept = lines[: round(_DONE * len(lines))]
        (Path(folder) / "measurements.jsonl").write_bytes(b"".join(kept))
        command = [sys.executable, "-m", "compare", "serve", folder, "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None  # noqa: S101 - it was asked for
                address = server.stdout.readline().split("served at ")[1].split(";")[0]
                yield server, address
            finally:
                server.send_signal(signal.SIGCONT)
                server.terminate()


def follow(address: str) -> None:
    """Read the events of the page, as a browser does."""
    with urllib.request.urlopen(f"{address}/events") as events:  # noqa: S310 - of this program
        for _ in events:
            pass


def _cpu_s(process: subprocess.Popen[Any]) -> float:
    """CPU seconds of a process that was not awaited; one that ended has used what it used."""
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


class _Load:
    """A command that runs again when it has ended, except while it is stopped."""

    def __init__(self, command: Sequence[str] | None) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self.ended = 0

    def go_on(self) -> None:
        """Continue the command, or start it."""
        if self._command is None:
            return
        if self._process is not None and (code := self._process.poll()) is not None:
            if code != 0:
                sys.exit(f"{shlex.join(self._command)} failed")
            self.ended += 1
            self._process = None
        if self._process is None:
            self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop the command until it shall go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def cpu_s(self) -> float:
        """CPU seconds of the command, as long as it is not awaited."""
        return 0.0 if self._process is None else _cpu_s(self._process)

    def end(self) -> None:
        """End the command, wherever it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def main() -> None:
    """Parse the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--load", help="a command; the address of the page is added")
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="length of a batch  [default: 5]"
    )
    arguments = parser.parse_args()
    workers = len(os.sched_getaffinity(0))
    iterations = round(arguments.seconds / _TASKS_PER_WORKER / spin.iteration_s())
    rng = random.Random(1)  # noqa: S311 - no secret
    ratios, used_s, wall_s = [], 0.0, 0.0
    with ExitStack() as stack:
        server, address = stack.enter_context(served())
        Thread(target=follow, args=(address,), daemon=True).start()
        resources = Resources(workers=workers, threads_per_worker=1)
        engine = stack.enter_context(adapter_of(CEILING).open(resources))

        def batch_s() -> float:
            tasks = [tuple(spin.task("serve", iterations))] * (_TASKS_PER_WORKER * workers)
            _, took_s = clock.timed(lambda: list(engine.run(run_packed, tasks)))
            return took_s

        load = _Load([*shlex.split(arguments.load), address] if arguments.load else None)
        stack.callback(load.end)
        batch_s()
        for _ in range(arguments.pairs):
            took_s = {}
            for goes_on in rng.sample((True, False), 2):
                server.send_signal(signal.SIGCONT if goes_on else signal.SIGSTOP)
                load.go_on() if goes_on else load.stop()
                before_s = _cpu_s(server) + load.cpu_s() if goes_on else 0.0
                took_s[goes_on] = batch_s()
                if goes_on:
                    used_s += _cpu_s(server) + load.cpu_s() - before_s
            wall_s += took_s[True]
            ratios.append(took_s[True] / took_s[False])
        server.send_signal(signal.SIGCONT)
    found = geometric_mean(ratios)
    print(
        f"time with the server over time without it, {found.n} pairs of {arguments.seconds:g} s: "
        f"{found.value:.4f} ({found.low or 0:.4f} to {found.high or 0:.4f})"
    )
    print(f"share of the cores that they used: {used_s / (wall_s * workers):.2%}")
    if arguments.load:
        print(f"{shlex.split(arguments.load)[0]} ran to its end {load.ended} times")


if __name__ == "__main__":
    main()
