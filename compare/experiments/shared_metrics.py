"""Metrics that several experiments use."""

from collections.abc import Callable, Iterator

from compare.formatting import seconds
from compare.measure.hosts import ROLES, sum_or_none
from compare.observations.absence import Absence, Beyond, Why
from compare.observations.metg import THRESHOLDS, Limit, Swept, metg
from compare.observations.metric import Better, Mean, Metric, metric
from compare.observations.reader import Observations, Observed, Runs, cases_of
from compare.observations.series import Series, planned_case, series_of
from compare.records.measurements import NodeUse, TaskRun
from compare.records.plan import Scalar


def images_per_s(run: TaskRun) -> float:
    """Offline throughput: samples / makespan (MLPerf Inference, https://arxiv.org/abs/1911.02549)."""
    return run.items / run.makespan_s


def _peak_memory_bytes(run: TaskRun) -> int | None:
    return run.peak_memory_bytes


THROUGHPUT = metric("throughput", "images/s", Better.HIGHER, images_per_s)
PEAK_MEMORY = metric(
    "peak_memory", "bytes", Better.LOWER, _peak_memory_bytes, lacking="memory was not sampled"
)
PAIRS_EXPLAINED = """Every engine against every other, and each against the serial engine: the
ratio, paired within blocks, with its 95% interval.  *Shown*: the difference is shown by a moderated
t test on logarithms (the variance of the pair, shrunk towards the residual of all engines of the
run), adjusted for the number of pairs (Holm 1979): among equal engines some difference is shown in
at most 5% of the runs.  The last line says within how much any two of the engines lie, with 95%
confidence for all pairs together; a smaller difference could not have been shown."""
UNREADABLE_HOST = "a host of the cluster does not tell"
NO_SUCH_HOST = "the cluster has no such host, or one that does not tell"


def of_part(of_run: Metric[TaskRun], part: str = "") -> Metric[Runs]:
    """The metric, applied to one of the batches of a case."""
    return Metric(
        quantity=of_run.quantity,
        value=lambda runs: of_run.value(runs[part]),
        lacking=of_run.lacking,
    )


def beyond(limit: Limit, text: Callable[[float], str]) -> Beyond:
    """The limit as the reason why a block has no number; ``text`` writes its value."""
    words = "more than" if limit.more else "less than"
    return Beyond(
        why=Why.BEYOND,
        reason=f"{words} {text(limit.value)}",
        limit=limit.value,
        more=limit.more,
    )


def _metg_metric(threshold: float, *, idle: bool = False) -> Metric[Swept]:
    def value(swept: Swept) -> float | Absence | None:
        found = metg(swept.idle if idle else swept.busy, threshold)
        return beyond(found, seconds) if isinstance(found, Limit) else found

    name = f"metg{threshold * 100:.0f}"
    if idle:
        # The same measurement with another unit of work: no comparison of its own.
        return metric(f"{name}_idle", "s", Better.NEITHER, value)
    # Around 90% the curve is so flat that engines differ in their noise by a factor of ten.
    mean = Mean.GEOMETRIC_ALIKE if threshold == min(THRESHOLDS) else Mean.GEOMETRIC
    return metric(name, "s", Better.LOWER, value, mean=mean)


METG: tuple[Metric[Swept], ...] = tuple(map(_metg_metric, THRESHOLDS))
METG_IDLE: Metric[Swept] = _metg_metric(THRESHOLDS[0], idle=True)
"""METG(50%) with one idle core as the measure of what a core can do."""


def metg_rows(observations: Observations, engine: str, experiment: str) -> Iterator[Series]:
    """METG of each sweep of an experiment."""
    plan = observations.plan
    for planned in cases_of(plan, engine, experiment):
        swept = observations.sweep(engine, planned)
        for size in METG:
            yield series_of(experiment, engine, planned_case(plan, planned), size, swept)


HOSTS = "hosts"
"""The ``experiment`` of rows about the hosts of a cluster."""


def host_rows(
    engine: str, case: dict[str, Scalar], observed: Observed[TaskRun]
) -> Iterator[Series]:
    """Usage of the hosts of each role in a batch, from their control groups and network counters.

    Memory is the usage at the end of the batch.
    """
    for role in ROLES:
        for usage in _host_metrics(role):
            yield series_of(HOSTS, engine, {**case, "role": role}, usage, observed)


def _host_metrics(role: str) -> tuple[Metric[TaskRun], ...]:
    def of(
        name: str,
        unit: str,
        usage: Callable[[NodeUse], float | None],
        per: Callable[[TaskRun], int] = lambda _: 1,
    ) -> Metric[TaskRun]:
        def value(run: TaskRun) -> float | None:
            total = host_total(run, role, usage)
            return None if total is None else total / per(run)

        return metric(
            name,
            unit,
            Better.LOWER,
            value,
            mean=Mean.GEOMETRIC_IF_POSITIVE,
            lacking=NO_SUCH_HOST,
        )

    def count(run: TaskRun) -> float | None:
        return sum(node.role == role for node in run.nodes) or None

    return (
        metric(HOSTS, "hosts", Better.NEITHER, count, mean=Mean.MEDIAN, lacking=NO_SUCH_HOST),
        of("cpu_time", "s", lambda node: node.cpu_s),
        of("memory", "bytes", lambda node: node.memory_bytes),
        of("received_per_image", "bytes", lambda node: node.received_bytes, lambda run: run.items),
        of("sent_per_image", "bytes", lambda node: node.sent_bytes, lambda run: run.items),
        of("received_per_task", "bytes", lambda node: node.received_bytes, lambda run: run.tasks),
        of("sent_per_task", "bytes", lambda node: node.sent_bytes, lambda run: run.tasks),
    )


def host_total(run: TaskRun, role: str, usage: Callable[[NodeUse], float | None]) -> float | None:
    """Usage of all hosts of a role; ``None`` without such a host, or if one is unreadable."""
    nodes = [node for node in run.nodes if node.role == role]
    return sum_or_none(map(usage, nodes)) if nodes else None
