"""Scenarios for one engine, one process each, because a process can open only one engine once.

    python -m tests.engines.scenarios SCENARIO ENGINE RESOURCES_JSON

Prints its observations as one line of JSON.  It checks nothing; the tests do that.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import psutil

from compare.run.leftovers import stop_on_signals
from engines.errors import CpusRejectedError, WorkerLostError
from engines.interface import Capability, Config, Engine, Node, Resources
from engines.registry import load_engine
from tests.engines import tasks
from tests.engines.shipping import installs, ships
from workload.interface import Task
from workload.task import run_task

LONG_S = 120
LARGE_BYTES = 2_000_000
TOO_MUCH = 64
"""A number of cores or slots that exceeds what any engine has in the tests."""

SUMS = (
    (Node(value=1, needs=()), Node(value=2, needs=()), Node(value=3, needs=())),
    (Node(value=10, needs=(2, 0)), Node(value=20, needs=(1,)), Node(value=30, needs=(0, 1))),
    (Node(value=100, needs=(1, 0)), Node(value=200, needs=(1,))),
    (Node(value=1000, needs=()), Node(value=2000, needs=(0, 1)), Node(value=3000, needs=(1,))),
)
"""A graph for ``tasks.add_up``.

Several tasks need the same output, some outputs are needed by no task, and the last layer contains
a task that needs no other.
"""

_FEWEST_WAVES, _MOST_WAVES = 4, 12


def promises(engine: Engine) -> dict[str, object]:
    """Collect everything that can be observed in one engine without disturbing it."""
    doubled = list(engine.run(tasks.double, range(100)))
    identities = [identity for _, identity in engine.run(tasks.who, [0] * 30)]
    sizes = [LARGE_BYTES, 10, LARGE_BYTES, 3 * LARGE_BYTES]
    large = [bytes([n]) * size for n, size in enumerate(sizes)]
    # Twice, because an adapter may treat large outputs in another way once it has seen some.
    grown = [list(engine.run(tasks.grow, large)) for _ in range(2)]
    places = [place._asdict() for _, place in engine.run(tasks.look_around, range(6))]
    started_s = time.monotonic()
    naps, arrivals_s = [], []
    for _, nap in engine.run(tasks.nap, [0.05, 1.5, 1.5]):
        naps.append(nap)
        arrivals_s.append(time.monotonic() - started_s)
    return {
        "doubled": doubled,
        "identities": identities,
        "grown": [[(i, len(grew), grew[0], grew[-1]) for i, grew in run] for run in grown],
        "wanted": [(n, size + 1, n, tasks.LAST) for n, size in enumerate(sizes)],
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
    """Observe an engine that was opened in a hostile environment."""
    doubled = list(engine.run(tasks.double, range(20)))
    places = [place._asdict() for _, place in engine.run(tasks.look_around, range(6))]
    return {"doubled": doubled, "places": places, **about(engine)}


def shares(engine: Engine) -> dict[str, object]:
    """Count the tasks that run at once for shares of a core; request a share that is too small."""
    # The first waves may reach a lower peak, because the engine still starts processes for them; on
    # a machine that is busy with other tests, that takes many waves.
    waves = [_wave(engine, [2.0] * 20, 0.1)]
    while len(waves) < _FEWEST_WAVES or (len(waves) < _MOST_WAVES and waves[-1]["peak"] < 20):
        waves.append(_wave(engine, [2.0] * 20, 0.1))
    peaks = {cpus: _wave(engine, [0.5] * 12, cpus)["peak"] for cpus in (1.0, 0.5, 0.25, 0.3)}
    return {
        "waves": waves,
        "peaks": list(peaks.items()),
        "refused": _rejection(lambda: list(engine.run(tasks.double, [1], cpus=1e-10))),
    }


def mixes(engine: Engine) -> dict[str, object]:
    """Request unusual shares, and run tasks from two threads at once."""
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
    """Use the optional ways to run tasks, after a run whose trace the engine may have recorded."""
    list(engine.run(tasks.double, range(4)))
    naps = [nap for _, nap in engine.run(tasks.nap, [0.2] * 6)]
    since_s = time.time() - time.monotonic()
    naps_s = [
        (nap.started_s + since_s, nap.ended_s + since_s) for nap in map(tasks.Nap._make, naps)
    ]
    traced = _unless_missing(
        lambda: [(span.name, span.worker, span.start_s, span.end_s) for span in engine.own_trace()]
    )
    return {
        "naps_s": naps_s,
        "own_trace": traced,
        "one_by_one": _unless_missing(lambda: list(engine.run_one_by_one(abs, range(-50, 0)))),
        "naps_one_by_one": _unless_missing(
            lambda: [nap for _, nap in engine.run_one_by_one(tasks.nap, [0.3] * 6)]
        ),
        "awaited": _unless_missing(
            lambda: list(engine.run_async(tasks.meet, [20 // engine.workers()] * 20))
        ),
        "sums": _unless_missing(
            lambda: [(i, output._asdict()) for i, output in _sums(engine)],
        ),
        "after": list(engine.run(tasks.double, range(3))),
        "half_a_slot": None
        if Capability.SLOTS in engine.capabilities
        else _rejection(lambda: list(engine.run(tasks.double, [1], slots=0.5))),
        **about(engine),
    }


def floats(engine: Engine) -> dict[str, object]:
    """Count the tasks that run at once for a tenth of a core, and for more than one core."""
    return {
        "peak": max(_wave(engine, [1.0] * 20, 0.1)["peak"] for _ in range(2)),
        "more_than_a_core": _wave_or_words(engine, cpus=1.5),
        "more_than_all_cores": _wave_or_words(engine, cpus=2.5),
        **about(engine),
    }


def waits_one_by_one(engine: Engine) -> dict[str, object]:
    """Like ``waits``, but with one framework call per task."""
    list(engine.run_one_by_one(tasks.double, range(4)))
    say("running")
    return {"naps": list(engine.run_one_by_one(tasks.nap, [LONG_S] * 12))}


def fails(engine: Engine) -> dict[str, object]:
    """Raise an exception while the engine is open."""
    list(engine.run(tasks.double, range(4)))
    raise ZeroDivisionError


def waits(engine: Engine) -> dict[str, object]:
    """Run long tasks until the test ends the process."""
    list(engine.run(tasks.double, range(4)))
    say("running")
    return {"naps": list(engine.run(tasks.nap, [LONG_S] * 6))}


def loses(engine: Engine) -> dict[str, object]:
    """Run a task that kills every worker that starts it."""
    return _loss(engine, 0)


def loses_with_large_input(engine: Engine) -> dict[str, object]:
    """Like ``loses``, but the task has an input that the engine may keep on a worker."""
    return _loss(engine, bytes(LARGE_BYTES))


def _loss(engine: Engine, value: object) -> dict[str, object]:
    list(engine.run(tasks.double, range(4)))
    started_s = time.monotonic()
    try:
        list(engine.run(tasks.kill_worker, [value]))
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
    return [(index, tasks.Sum(*output)) for index, output in engine.run_graph(tasks.add_up, SUMS)]


def _unless_missing(run: Callable[[], object]) -> object:
    try:
        return run()
    except NotImplementedError:
        return None


def _together(engine: Engine) -> dict[str, list[tasks.Nap]]:
    """Run a task that needs a tenth of a core and, from another thread, tasks that need a core."""
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
    """Count the tasks that run at once for a tenth of a slot.

    The wave is repeated, because the engine may have to start the processes for so many tasks.
    """
    peak = 0.0
    for _ in range(_MOST_WAVES):
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
    """The largest number of naps that overlap."""
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
        # The process has ended or, for a user who is not root, is executing another program.
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
        loses_with_large_input,
        ships,
        installs,
    )
}


def main() -> None:
    scenario, engine_name, resources_json = sys.argv[1:]
    stop_on_signals()
    fields: dict[str, Any] = json.loads(resources_json)
    resources = Resources(**{**fields, "config": Config(fields["config"])})
    with load_engine(engine_name).open(resources) as engine:
        say(SCENARIOS[scenario](engine))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
