# ruff: noqa: T201 - it prints its findings
"""What the served page costs a measurement that runs beside it.

    python -m tools.serve_cost --pairs 20
    python -m tools.serve_cost --pairs 8 --load "hey -n 2000 -c 20"

Serves a run that is not finished, as a browser would follow it, and lets plain processes compute on
all cores.  In each pair the server goes on in one batch and is stopped (SIGSTOP) in the other, in
random order.  Prints the time with the server over the time without, with a 95% interval.  With
``--load`` a command asks the server for pages during the batch with the server; it uses the cores,
too, and nothing tells its cost from that of the server.
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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

from compare.analysis.intervals import geometric_mean
from compare.measure import clock
from compare.measure.adapters import adapter_of
from compare.records.plan import CEILING
from engines.interface import Resources
from workload.kernels import spin
from workload.task import run_packed

_RUN = Path(__file__).parents[1] / "docs/example"
_BATCH_S, _TASKS_PER_WORKER = 5.0, 10
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


def main() -> None:
    """Parse the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--load", help="a command; the address of the page is added")
    arguments = parser.parse_args()
    workers = len(os.sched_getaffinity(0))
    iterations = round(_BATCH_S / _TASKS_PER_WORKER / spin.iteration_s())
    rng = random.Random(1)  # noqa: S311 - no secret
    ratios = []
    with ExitStack() as stack:
        server, address = stack.enter_context(served())
        Thread(target=follow, args=(address,), daemon=True).start()
        resources = Resources(workers=workers, threads_per_worker=1)
        engine = stack.enter_context(adapter_of(CEILING).open(resources))

        def batch_s() -> float:
            tasks = [tuple(spin.task("serve", iterations))] * (_TASKS_PER_WORKER * workers)
            _, took_s = clock.timed(lambda: list(engine.run(run_packed, tasks)))
            return took_s

        batch_s()
        for _ in range(arguments.pairs):
            took_s = {}
            for goes_on in rng.sample((True, False), 2):
                server.send_signal(signal.SIGCONT if goes_on else signal.SIGSTOP)
                asking = None
                if goes_on and arguments.load:
                    command = [*shlex.split(arguments.load), address]
                    asking = subprocess.Popen(command, stdout=subprocess.DEVNULL)
                took_s[goes_on] = batch_s()
                if asking is not None and asking.wait() != 0:
                    sys.exit(f"{arguments.load} failed")
            ratios.append(took_s[True] / took_s[False])
        server.send_signal(signal.SIGCONT)
    found = geometric_mean(ratios)
    print(
        f"time with the server over time without it, {found.n} pairs of {_BATCH_S:g} s: "
        f"{found.value:.4f} ({found.low or 0:.4f} to {found.high or 0:.4f})"
    )


if __name__ == "__main__":
    main()
