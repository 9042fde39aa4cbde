"""What the report says of a cluster: which hosts ran tasks, and whose clocks were compared."""

from collections import defaultdict

from compare.observations import timed
from compare.records import Lifecycle, Run, TaskRun
from compare.wording import listed, plural


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


def _task_runs(run: Run) -> list[TaskRun]:
    sessions = {session.id for session in timed(run.plan)}
    return [r for r in run.records if isinstance(r, TaskRun) and r.session in sessions]


def _lives(run: Run) -> list[Lifecycle]:
    return [record for record in run.records if isinstance(record, Lifecycle)]
