"""What the report says of the hosts of a cluster: which ran tasks, what each kind spent."""

import statistics
from collections import defaultdict
from collections.abc import Iterable

from compare.hosts import DRIVER, HEAD, WORKER, sum_or_none
from compare.observations import timed
from compare.records import Lifecycle, Run, TaskRun
from compare.tables import MIB, Table
from compare.wording import listed, number, plural

_KINDS = (HEAD, WORKER, DRIVER)
_KIB = 2.0**-10


def cluster_sentences(run: Run) -> tuple[str, ...]:
    """How many nodes really ran tasks, and whose clocks were compared; empty on one host."""
    if not run.plan.clusters:
        return ()
    seen: dict[str, set[int]] = defaultdict(set)
    for record in _task_runs(run):
        if record.engine in run.plan.clusters:
            seen[record.engine].add(len(record.hosts))
    told = [f"{engine} {' or '.join(map(str, sorted(counts)))}" for engine, counts in seen.items()]
    lives = [life for life in _lives(run) if life.nodes]
    clocks = (
        "All hosts have the same kernel, and so one clock: times seen in a worker and in the "
        "driver are subtracted from each other."
        if all(life.one_clock for life in lives)
        else "The hosts have kernels of their own: no time seen in a worker is subtracted from one "
        "seen in the driver, so where the time went is not told."
    )
    nodes = "containers" if run.plan.composed else "hosts"
    cores = run.environment.get("cores")
    shared = (
        f" All of them share the {plural(cores, 'core')} of one machine."
        if run.plan.composed and isinstance(cores, int)
        else ""
    )
    limit = f" Each may send {run.plan.link_rate} (a token bucket)." if run.plan.link_rate else ""
    return (
        f"Hosts that ran tasks of one batch: {listed(told)}, all of them {nodes}.{shared}{limit}",
        clocks,
    )


def spending_table(run: Run) -> Table | None:
    """Of the batch inference, each number the median over the blocks."""
    found: dict[str, list[TaskRun]] = defaultdict(list)
    for record in _task_runs(run):
        if record.case.experiment == "throughput" and record.nodes:
            found[record.engine].append(record)
    lines = [
        (engine, kind, *_spending(runs, kind))
        for engine, runs in found.items()
        for kind in _KINDS
        if any(node.role == kind for node in runs[0].nodes)
    ]
    if not lines:
        return None
    headings = (
        *("engine", "hosts", "how many", "CPU time (s)", "memory after (MiB)"),
        *("received per image (KiB)", "sent per image (KiB)"),
        *("received per task (KiB)", "sent per task (KiB)"),
    )
    return Table(headings=headings, lines=tuple(lines))


def head_table(run: Run) -> Table | None:
    """CPU seconds of the head for 1,000 no-ops, from the largest batch of each block."""
    largest: dict[tuple[str, int], TaskRun] = {}
    for record in _task_runs(run):
        if record.case.experiment == "overhead" and "budget_s" in record.case.parameters:
            place = (record.engine, record.block)
            if record.nodes and record.tasks > (largest[place].tasks if place in largest else 0):
                largest[place] = record
    found: dict[str, list[float]] = defaultdict(list)
    for (engine, _), record in largest.items():
        cpu_s = [node.cpu_s for node in record.nodes if node.role == HEAD]
        found[engine] += [s / record.tasks * 1000 for s in cpu_s if s is not None]
    lines = [(engine, number(statistics.median(of))) for engine, of in found.items() if of]
    headings = ("engine", "head, CPU s per 1,000 tasks")
    return Table(headings=headings, lines=tuple(lines)) if lines else None


def _spending(runs: Iterable[TaskRun], kind: str) -> tuple[str, ...]:
    of_kind = [(run, [node for node in run.nodes if node.role == kind]) for run in runs]
    received = [(run, sum_or_none(node.received_bytes for node in nodes)) for run, nodes in of_kind]
    sent = [(run, sum_or_none(node.sent_bytes for node in nodes)) for run, nodes in of_kind]
    return (
        str(max(len(nodes) for _, nodes in of_kind)),
        _median(sum_or_none(node.cpu_s for node in nodes) for _, nodes in of_kind),
        _median(_scaled(sum_or_none(n.memory_bytes for n in nodes), MIB) for _, nodes in of_kind),
        _median(_scaled(total, _KIB / run.items) for run, total in received),
        _median(_scaled(total, _KIB / run.items) for run, total in sent),
        _median(_scaled(total, _KIB / run.tasks) for run, total in received),
        _median(_scaled(total, _KIB / run.tasks) for run, total in sent),
    )


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _median(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return number(statistics.median(known)) if known else "not told"


def _task_runs(run: Run) -> list[TaskRun]:
    sessions = {session.id for session in timed(run.plan)}
    return [r for r in run.records if isinstance(r, TaskRun) and r.session in sessions]


def _lives(run: Run) -> list[Lifecycle]:
    return [record for record in run.records if isinstance(record, Lifecycle)]
