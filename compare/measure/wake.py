"""Gets every worker of an open engine to work before something is measured."""

from compare.measure.bench import Bench
from compare.records.plan import Case
from workload.kernels import sleep

_MOST_WAVES = 10


def wake(bench: Bench, case: Case, seconds: float) -> None:
    """Run unmeasured tasks until every worker has run one: Ray starts processes on demand."""
    for _ in range(_MOST_WAVES):
        tasks = [sleep.task(bench.label(), seconds)] * (2 * bench.workers)
        if bench.run(case, tasks).workers_seen >= bench.workers:
            return
