"""Scenarios for one engine, each in a process of its own since one process opens one engine once.

    python -m tests.engines.scenarios SCENARIO ENGINE RESOURCES_JSON

Prints one line of JSON: what was seen.  Judges nothing; the tests do.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import psutil

from compare.processes import stop_on_signals
from engines.errors import CpusRejectedError, WorkerLostError
from engines.interface import Capability, Config, Engine, Node, Resources
from engines.registry import load_engine
from tests.engines import tasks
from workload.interface import Task
from workload.task import run_task

LONG_S = 120
TOO_MUCH = 64
"""Cores, or slots, that no engine is given in the tests."""

SUMS = (
    (Node(value=1, needs=()), Node(value=2, needs=()), Node(value=3, needs=())),
    (Node(value=10, needs=(2, 0)), Node(value=20, needs=(1,)), Node(value=30, needs=(0, 1))),
    (Node(value=100, needs=(1, 0)), Node(value=200, needs=(1,))),
    (Node(value=1000, needs=()), Node(value=2000, needs=(0, 1)), Node(value=3000, needs=(1,))),
)
"""Outputs that several need, that nobody needs, and a task that needs none in the midst."""


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


def mixes(engine: Engine) -> dict[str, object]:
    """What the engine does with unusual shares, and with two runs at once."""
    amounts = (0.3, 0.7, 1.5)
    slots = {amount: _wave_or_words(engine, slots=amount) for amount in amounts}
    cpus = {amount: _wave_or_words(engine, cpus=amount) for amount in amounts}
    return {
        "tenths": _tenths(engine),
        "slots": list(slots.items()),
        "cpus": list(cpus.items()),
        "too_much": [_wave_or_words(engine, cpus=TOO_MUCH), _wave_or_words(engine, slots=TOO_MUCH)],
        "together": _together(engine),
    }


def forms(engine: Engine) -> dict[str, object]:
    """The other ways to run tasks, for those that have them; its own record comes first."""
    list(engine.run(tasks.double, range(4)))
    naps = [nap for _, nap in engine.run(tasks.nap, [0.2] * 6)]
    since_s = time.time() - time.monotonic()
    naps_s = [
        (nap.started_s + since_s, nap.ended_s + since_s) for nap in map(tasks.Nap._make, naps)
    ]
    traced = _unless_missing(
        lambda: [(one.name, one.worker, one.start_s, one.end_s) for one in engine.own_trace()]
    )
    return {
        "naps_s": naps_s,
        "own_trace": traced,
        "one_by_one": _unless_missing(lambda: list(engine.run_one_by_one(abs, range(-50, 0)))),
        "naps_one_by_one": _unless_missing(
            lambda: [nap for _, nap in engine.run_one_by_one(tasks.nap, [0.3] * 6)]
        ),
        "awaited": _unless_missing(
            lambda: list(engine.run_async(tasks.nap_awaited, [0.5 + i / 100 for i in range(20)]))
        ),
        "sums": _unless_missing(
            lambda: [(i, one._asdict()) for i, one in _sums(engine)],
        ),
        "after": list(engine.run(tasks.double, range(3))),
        "half_a_slot": None
        if Capability.SLOTS in engine.capabilities
        else _rejection(lambda: list(engine.run(tasks.double, [1], slots=0.5))),
        **about(engine),
    }


def floats(engine: Engine) -> dict[str, object]:
    """How many tasks run at once for a tenth of a core."""
    return {
        "peak": max(_wave(engine, [1.0] * 20, 0.1)["peak"] for _ in range(2)),
        "more_than_a_core": _wave_or_words(engine, cpus=1.5),
        "more_than_all_cores": _wave_or_words(engine, cpus=2.5),
        **about(engine),
    }


def waits_one_by_one(engine: Engine) -> dict[str, object]:
    """``waits``, with a call for each task."""
    list(engine.run_one_by_one(tasks.double, range(4)))
    say("running")
    return {"naps": list(engine.run_one_by_one(tasks.nap, [LONG_S] * 12))}


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


def _sums(engine: Engine) -> list[tuple[int, tasks.Sum]]:
    return [(index, tasks.Sum(*one)) for index, one in engine.run_graph(tasks.add_up, SUMS)]


def _unless_missing(run: Callable[[], object]) -> object:
    try:
        return run()
    except NotImplementedError:
        return None


def _together(engine: Engine) -> dict[str, list[tasks.Nap]]:
    """A task that needs little, and, from another thread, tasks that need a whole core each."""
    naps: dict[str, list[tasks.Nap]] = {}

    def take(kind: str, naps_s: list[float], cpus: float) -> None:
        naps[kind] = [nap for _, nap in engine.run(tasks.nap, naps_s, cpus=cpus)]

    long = threading.Thread(target=take, args=("long", [2.0], 0.1))
    long.start()
    time.sleep(0.2)
    take("short", [0.2] * 4, 1.0)
    long.join()
    return naps


def _tenths(engine: Engine) -> float:
    """How many tasks run at once for a tenth of a slot, when the processes for them are there."""
    peak = 0.0
    for _ in range(5):
        peak = max(peak, _wave(engine, [2.0] * 20, slots=0.1)["peak"])
        if peak == 20:
            break
    return peak


def _wave_or_words(engine: Engine, **share: float) -> float | str:
    try:
        return _wave(engine, [0.3] * 8, **share)["peak"]
    except CpusRejectedError as error:
        return str(error)


def _wave(
    engine: Engine, naps_s: list[float], cpus: float = 1.0, slots: float | None = None
) -> dict[str, float]:
    started_s = time.monotonic()
    naps = [nap for _, nap in engine.run(tasks.nap, naps_s, cpus=cpus, slots=slots)]
    return {"peak": peak(naps), "makespan_s": time.monotonic() - started_s}


def peak(naps: Iterable[tuple[float, float, object]]) -> int:
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
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        # Ended; or, for a user who is not root, changing into another program right now.
        return []
    return [c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN]


def say(seen: object) -> None:
    sys.stdout.write(json.dumps(seen) + "\n")
    sys.stdout.flush()


SCENARIOS: dict[str, Callable[[Engine], dict[str, object]]] = {
    scenario.__name__: scenario
    for scenario in (
        promises,
        private,
        shares,
        mixes,
        forms,
        floats,
        fails,
        waits,
        waits_one_by_one,
        loses,
    )
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
