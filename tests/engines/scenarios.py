"""Scenarios for one engine, each in a process of its own since one process opens one engine once.

    python -m tests.engines.scenarios SCENARIO ENGINE RESOURCES_JSON

Prints one line of JSON: what was seen.  Judges nothing; the tests do.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import psutil

from compare.processes import stop_on_signals
from engines.errors import CpusRejectedError, WorkerLostError
from engines.interface import Config, Engine, Resources
from engines.registry import load_engine
from tests.engines import tasks
from workload.interface import Task
from workload.task import run_task

LONG_S = 120


def promises(engine: Engine) -> dict[str, object]:
    """What can be seen in one opened engine, without harm to it."""
    doubled = list(engine.run(tasks.double, range(100)))
    identities = [identity for _, identity in engine.run(tasks.who, [0] * 30)]
    places = [place._asdict() for _, place in engine.run(tasks.look_around, range(6))]
    started_s = time.monotonic()
    naps, arrivals_s = [], []
    for _, nap in engine.run(tasks.nap, [0.05, 1.5, 1.5]):
        naps.append(nap)
        arrivals_s.append(time.monotonic() - started_s)
    return {
        "doubled": doubled,
        "identities": identities,
        "places": places,
        "naps": naps,
        "arrivals_s": arrivals_s,
        "reports": _reports(engine),
        "built_in": list(engine.run(abs, [-1, 2])),
        "nothing": list(engine.run(tasks.double, [])),
        "after_giving_up": _after_giving_up(engine),
        "half_a_core": _rejection(lambda: list(engine.run(tasks.double, [1], cpus=0.5))),
        **about(engine),
    }


def private(engine: Engine) -> dict[str, object]:
    """What can be seen of an engine that was opened in an environment that means it ill."""
    doubled = list(engine.run(tasks.double, range(20)))
    places = [place._asdict() for _, place in engine.run(tasks.look_around, range(6))]
    return {"doubled": doubled, "places": places, **about(engine)}


def shares(engine: Engine) -> dict[str, object]:
    """How many tasks run at once for shares of a core, and which shares are refused."""
    # A wave starts the processes that the engine needs for so many tasks, and may need a second.
    waves = [_wave(engine, [2.0] * 20, 0.1) for _ in range(4)]
    peaks = {cpus: _wave(engine, [0.5] * 12, cpus)["peak"] for cpus in (1.0, 0.5, 0.25, 0.3)}
    return {
        "waves": waves,
        "peaks": list(peaks.items()),
        "refused": _rejection(lambda: list(engine.run(tasks.double, [1], cpus=1e-10))),
    }


def fails(engine: Engine) -> dict[str, object]:
    """The program raises while the engine is open."""
    list(engine.run(tasks.double, range(4)))
    raise ZeroDivisionError


def waits(engine: Engine) -> dict[str, object]:
    """Long tasks; the test ends the process."""
    list(engine.run(tasks.double, range(4)))
    say("running")
    return {"naps": list(engine.run(tasks.nap, [LONG_S] * 6))}


def loses(engine: Engine) -> dict[str, object]:
    """A task that kills whatever worker takes it, beside one that goes on for long."""
    list(engine.run(tasks.double, range(4)))
    started_s = time.monotonic()
    try:
        list(engine.run(tasks.kill_worker, [0]))
    except WorkerLostError as error:
        return {"error": str(error), "after_s": time.monotonic() - started_s}
    return {"error": None}


def about(engine: Engine) -> dict[str, object]:
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return {
        "workers": engine.workers(),
        "settings": [(s.name, s.value, s.reason) for s in engine.settings()],
        "listens_on": sorted({address for process in family for address in _listens_on(process)}),
    }


def _reports(engine: Engine) -> list[dict[str, object]]:
    payloads: list[object] = [0.05] * 12
    payloads[5] = "not a number"
    inputs = [Task("sleep", (), "contract", payload) for payload in payloads]
    return [{"index": i, **report._asdict()} for i, report in engine.run(run_task, inputs)]


def _after_giving_up(engine: Engine) -> list[tuple[int, int]]:
    results = engine.run(tasks.nap, [0.05] * 8)
    next(results)
    del results
    return list(engine.run(tasks.double, range(3)))


def _wave(engine: Engine, naps_s: list[float], cpus: float) -> dict[str, float]:
    started_s = time.monotonic()
    naps = [nap for _, nap in engine.run(tasks.nap, naps_s, cpus=cpus)]
    return {"peak": peak(naps), "makespan_s": time.monotonic() - started_s}


def peak(naps: Iterable[tuple[float, float, int]]) -> int:
    """How many naps went on at the same moment."""
    spans = [(started_s, ended_s) for started_s, ended_s, _ in naps]
    return max(sum(a <= moment < b for a, b in spans) for moment, _ in spans)


def _rejection(run: Callable[[], object]) -> str | None:
    try:
        run()
    except CpusRejectedError as error:
        return str(error)
    return None


def _listens_on(process: psutil.Process) -> list[str]:
    try:
        connections = process.net_connections("inet")
    except psutil.NoSuchProcess:
        return []
    return [c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN]


def say(seen: object) -> None:
    sys.stdout.write(json.dumps(seen) + "\n")
    sys.stdout.flush()


SCENARIOS: dict[str, Callable[[Engine], dict[str, object]]] = {
    scenario.__name__: scenario for scenario in (promises, private, shares, fails, waits, loses)
}


def main() -> None:
    scenario, engine_name, resources_json = sys.argv[1:]
    stop_on_signals()
    asked: dict[str, Any] = json.loads(resources_json)
    resources = Resources(**{**asked, "config": Config(asked["config"])})
    with load_engine(engine_name).open(resources) as engine:
        say(SCENARIOS[scenario](engine))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
