"""Facts about the cluster of a run: how many hosts ran tasks, and whether they share a clock."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from compare.observations.reader import timed
from compare.records.measurements import Lifecycle, Run, TaskRun


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """Facts about the hosts of the cluster."""

    hosts: Mapping[str, tuple[int, ...]]
    """Numbers of hosts that ran the tasks of a batch in timed sessions, by engine."""
    one_clock: bool
    """All hosts run the same kernel and therefore have the same clock."""
    cores: int | None
    """Cores of the machine that all containers share; ``None`` without containers."""


def cluster_facts(run: Run) -> ClusterFacts | None:
    """The facts about the cluster; ``None`` if every engine ran on this host."""
    if not run.plan.clusters:
        return None
    sessions = {session.id for session in timed(run.plan)}
    counts: dict[str, set[int]] = defaultdict(set)
    for record in run.records:
        if (
            isinstance(record, TaskRun)
            and record.session in sessions
            and record.engine in run.plan.clusters
        ):
            counts[record.engine].add(len(record.hosts))
    lives = [record for record in run.records if isinstance(record, Lifecycle) and record.nodes]
    cores = run.environment.get("cores")
    return ClusterFacts(
        hosts={name: tuple(sorted(counts[name])) for name in run.plan.clusters if name in counts},
        one_clock=all(life.one_clock for life in lives),
        cores=cores if run.plan.options.composed and isinstance(cores, int) else None,
    )
