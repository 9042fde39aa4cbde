"""One session: opens one engine in this process, measures the cases, and ends.

    python -m compare.run.session RUN_FOLDER SESSION_ID RECORDS_FD

The runner starts it in a process of its own, because a framework can be opened only once per
process.  Records go to the file descriptor, one per line (1 in a container, which has no other).
The runner keeps standard input open, and answers there what the session asks for; when it closes
(the runner died), the session ends as well.
"""

import faulthandler
import functools
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO, TypedDict, TypeVar

from compare.experiments.registry import load_experiment
from compare.measure import clock
from compare.measure.adapters import adapter_of, lacking
from compare.measure.bench import Bench
from compare.measure.cgroup import Counters, counters, memory_room_bytes
from compare.measure.deeds import Ask, Asking, nobody
from compare.measure.driver import own_driver
from compare.measure.faults import Reach
from compare.measure.hosts import DRIVER, refuse_other_versions
from compare.measure.local_nodes import local_nodes
from compare.measure.process_tree import CpuWatch, host_cpu_s, tree_cpu_s, tree_sizes
from compare.observations.speed import change, changed_idle
from compare.records.deeds import Answer, Deed
from compare.records.measurements import (
    Calibration,
    Failure,
    Lifecycle,
    NotApplicable,
    Record,
    head,
)
from compare.records.plan import Case, Plan, Session, original_of
from compare.records.store import RunFolder, decode_answer, encode
from compare.run.leftovers import end_at_once, stop_on_signals
from engines.errors import EngineError
from engines.interface import Capability, Engine, Resources
from workload import calls
from workload.interface import Task
from workload.kernels import noop

_ATTEMPTS = 2
"""Attempts at a calibrated case, if the machine's speed changed in the meantime.  Only the speed
decides, never the engine's results."""

Number = TypeVar("Number", int, float)

START_LIMIT_S = 150.0
"""Seconds until an engine that does not start is given up.  Frameworks have limits of their own, of
at most two minutes, and a reason when they end; where no process can be started they may wait
forever."""
CLOSE_LIMIT_S = 8
"""Seconds that a session may take to close its engine when it has to stop."""


def measure(
    session: Session, plan: Plan, emit: Callable[[Record], None], ask: Ask = nobody
) -> None:
    """Open the engine, measure every case, close it; emit each record when it is complete.

    A case that fails becomes a record, and the next case runs.  Errors of the engine itself are
    raised.
    """
    adapter = adapter_of(session.engine)
    resources = resources_of(plan, session)
    if resources.cluster is not None:
        refuse_other_versions(resources.cluster, [r.distribution for r in adapter.requirements])
    used_bytes, _, _ = tree_sizes()
    room_bytes = memory_room_bytes(used_bytes)
    counted_before = counters()
    own_before_s = tree_cpu_s()
    wall_from_s = clock.now()
    busy_before_s, steal_before_s = host_cpu_s()
    with calls.kept(), CpuWatch(), ExitStack() as opened:
        with _start_limit(session, emit):
            joined, nodes = _on_nodes(opened, session, resources)
            opening = (
                own_driver(session.engine, joined) if session.own_driver else adapter.open(joined)
            )
            engine, open_s = clock.timed(lambda: opened.enter_context(opening))
        bench = Bench(engine, plan, session, memory_room_bytes=room_bytes)
        bench.reach = Reach(nodes, ask)
        first_result_s: float | None = None
        if session.idle_s is None:  # else there is no worker, and this would start one
            first_result_s = bench.round_trip_s(noop.task(bench.label()))
        if resources.cluster is not None:
            bench.find_hosts(resources.cluster, _files(plan))
            # CPU time that the nodes used before they were known must not count as outside load.
            busy_before_s, steal_before_s = host_cpu_s()
            own_before_s = tree_cpu_s()
        usage_before = bench.hosts.usage()
        warm_up_s: float | None = None
        for task in _warm_up_tasks(bench, adapter):
            _, took_s = clock.timed(functools.partial(bench.warm_up, task))
            warm_up_s = took_s + (warm_up_s or 0.0)
        for case in session.cases:
            for record in measured(bench, adapter.capabilities, case):
                emit(record)
        if session.traced:
            emit(bench.own_trace())
        engine_workers = engine.workers()
        settings = engine.settings()
        own_cpu_s = tree_cpu_s() - own_before_s
        busy_after_s, steal_after_s = host_cpu_s()
        counted_after = counters()
        used = bench.hosts.used(usage_before, bench.hosts.usage())
        if bench.hosts.one_clock:  # the nodes run on the cores of this machine
            own_cpu_s += sum(node.cpu_s or 0.0 for node in used if node.role != DRIVER)
        wall_s = clock.now() - wall_from_s

        def lifecycle(close_s: float) -> Lifecycle:
            return Lifecycle(
                **bench.head(),
                open_s=open_s,
                first_result_s=first_result_s,
                warm_up_s=warm_up_s,
                close_s=close_s,
                engine_workers=engine_workers,
                settings=settings,
                leftovers=(),
                host_cpu_s=busy_after_s - busy_before_s,
                own_cpu_s=own_cpu_s,
                steal_s=steal_after_s - steal_before_s,
                wall_s=wall_s,
                nodes=used,
                one_clock=bench.hosts.one_clock,
                **_grown(counted_before, counted_after),
            )

        at_last = functools.partial(emit, lifecycle(CLOSE_LIMIT_S))
        with nullcontext() if session.is_usual else _in_time(at_last):
            _, close_s = clock.timed(opened.close)
    emit(lifecycle(close_s))


def _on_nodes(
    opened: ExitStack, session: Session, resources: Resources
) -> tuple[Resources, tuple[int, ...]]:
    """Start the private cluster that the session asks for; how to join it, and its nodes."""
    spans = Capability.SPANS_HOSTS in adapter_of(session.engine).capabilities
    if not session.nodes or not spans:
        return resources, ()
    cluster = opened.enter_context(local_nodes(original_of(session.engine), resources))
    os.environ.update(cluster.environment)
    return replace(resources, cluster=cluster.address), cluster.nodes


@contextmanager
def _in_time(last: Callable[[], None]) -> Iterator[None]:
    """End this process, after a last action, if closing the engine takes too long.

    What went wrong on purpose, or a worker that starts just then, may keep the engine from closing;
    the runner ends what is left of it.
    """

    def end() -> None:
        last()
        os._exit(0)

    timer = threading.Timer(CLOSE_LIMIT_S, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _start_limit(session: Session, emit: Callable[[Record], None]) -> Iterator[None]:
    """End this process with a failure if the engine takes too long to start."""

    def give_up() -> None:
        emit(
            Failure(
                **head(session),
                case=None,
                reason=f"the engine did not start within {START_LIMIT_S:.0f} s",
            )
        )
        faulthandler.dump_traceback()
        os._exit(1)

    timer = threading.Timer(START_LIMIT_S, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Grown(TypedDict):
    throttled_periods: int | None
    throttled_s: float | None
    swapped_bytes: int | None


def _grown(before: Counters, after: Counters) -> _Grown:
    return {
        "throttled_periods": _difference(before.throttled_periods, after.throttled_periods),
        "throttled_s": _difference(before.throttled_s, after.throttled_s),
        "swapped_bytes": _difference(before.swapped_bytes, after.swapped_bytes),
    }


def _difference(before: Number | None, after: Number | None) -> Number | None:
    return None if before is None or after is None else after - before


def resources_of(plan: Plan, session: Session) -> Resources:
    """The resources of this session's engine: equal for all engines in sessions of this kind."""
    return Resources(
        workers=session.workers,
        threads_per_worker=plan.options.threads_per_worker,
        smallest_share=session.smallest_share,
        config=plan.options.config,
        traced=session.traced,
        faults=session.faults,
        idle_s=session.idle_s,
        cluster=plan.clusters.get(original_of(session.engine)),
    )


def _files(plan: Plan) -> tuple[str, ...]:
    """Files that the workers of every host must be able to read."""
    job = () if plan.job is None else (plan.job.file,)
    if plan.workload is None:
        return job
    model = sorted(map(str, Path(plan.workload.model_folder).iterdir()))
    return (*job, *model, *(() if plan.options.shipped else plan.workload.images))


def _warm_up_tasks(bench: Bench, adapter: type[Engine]) -> list[Task]:
    """What every worker must have loaded, each once."""
    tasks: dict[tuple[object, ...], Task] = {}
    for case in bench.session.cases:
        experiment = load_experiment(case.experiment)
        if experiment.needs(case) <= adapter.capabilities:
            task = experiment.warm_up_task(bench.plan, bench.label())
            if task is not None:
                tasks.setdefault((task.workload, task.settings), task)
    return list(tasks.values())


def measured(bench: Bench, claimed: frozenset[Capability], case: Case) -> Iterator[Record]:
    """The records of one case on an open engine that claims these capabilities."""
    experiment = load_experiment(case.experiment)
    engine = original_of(bench.session.engine)
    reason = lacking(engine, claimed, experiment.needs(case))
    reason = reason or experiment.inapplicable(case, bench.plan.site_of(engine))
    if reason is not None:
        yield NotApplicable(**bench.head(), case=case, reason=reason)
        return
    try:
        if not experiment.calibrated(case):
            yield from experiment.measure(bench, case)
            return
        # A sweep is compared with busy cores, whose speed is measured all the time.
        by_idle = not experiment.sweeps(case)
        for attempt in range(_ATTEMPTS):
            with bench.calibrated(patient=by_idle):
                before_s = bench.calibrated_s()
                if by_idle and attempt and changed_idle(bench.fastest_s, before_s):
                    return  # the machine has not recovered its speed: the case stays disturbed
                yield from experiment.measure(bench, case)
            calibration = Calibration(
                **bench.head(),
                case=case,
                before_s=before_s,
                after_s=bench.calibrate(patient=by_idle),
                busy_s=tuple(bench.busy_s),
                workers_a_core=bench.workers_a_core,
            )
            yield calibration
            if change(calibration) is None:
                return
    except EngineError as error:
        yield Failure(**bench.head(), case=case, reason=str(error))


def _listen_to_the_runner(answered: Callable[[Answer], None]) -> None:
    """Hand on each answer; when standard input ends, close the engine, if necessary by force."""
    rest = b""
    # Not through sys.stdin, whose lock must not be held when the interpreter ends.
    while read := os.read(0, 4096):
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            answered(decode_answer(line))
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(CLOSE_LIMIT_S)
    os._exit(1)


def main() -> None:
    """Run the session; see the module's description."""
    folder, session_id, records_fd = sys.argv[1:]
    stop_on_signals()
    plan = RunFolder(Path(folder)).read_plan()
    session = next(session for session in plan.sessions if session.id == session_id)
    with _record_stream(int(records_fd)) as records:

        def emit(said: Record | Deed) -> None:
            records.write(encode(said))
            records.flush()

        asking = Asking(emit)
        listening = threading.Thread(
            target=_listen_to_the_runner, args=(asking.answered,), daemon=True
        )
        listening.start()
        try:
            measure(session, plan, emit, asking.ask)
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)
        except Exception as error:  # noqa: BLE001 - recorded as a failure of the session
            traceback.print_exc()
            emit(Failure(**head(session), case=None, reason=_reason(error)))
            sys.exit(1)
    end_at_once()


def _record_stream(records_fd: int) -> IO[bytes]:
    """The stream for records only; output of the frameworks goes to the log."""
    if records_fd == sys.stdout.fileno():
        records_fd = os.dup(records_fd)
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(records_fd, "wb")


def _reason(error: Exception) -> str:
    """The message of an engine's error; for other errors, type and message."""
    return str(error) if isinstance(error, EngineError) else f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
