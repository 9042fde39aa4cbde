"""What is estimated: name, unit, direction, and the number that one block gives.

Names and units are read by other programs from ``summary.json``; they do not change.
"""

import enum
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from compare.experiments.fractional import slots
from compare.gates import fullest_s, most_at_once
from compare.granularity import THRESHOLDS, Point, metg
from compare.hosts import HEAD, sum_or_none
from compare.intervals import (
    Estimate,
    Line,
    center,
    fit_line,
    geometric_mean,
    mean,
    median,
    percentile,
    samples_needed,
)
from compare.losses import Parts, parts
from compare.observations import Overhead, Runs
from compare.records import Lifecycle, NodeUse, Plan, Span, TaskRun

_T = TypeVar("_T")
_Estimator: TypeAlias = Callable[[Sequence[float]], Estimate]


class Better(enum.Enum):
    """Which direction a reader wants."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """What a number means, without where it comes from."""

    name: str
    unit: str
    better: Better
    estimate: _Estimator = geometric_mean
    """From one number a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(Generic[_T]):
    """A quantity and how it is computed from what one block measured."""

    quantity: Quantity
    value: Callable[[_T], float | None]
    lacking: str = "not measured"
    """Why ``value`` can be ``None``."""


def metric(  # noqa: PLR0913 - one parameter a field
    name: str,
    unit: str,
    better: Better,
    value: Callable[[_T], float | None],
    *,
    estimate: _Estimator = geometric_mean,
    lacking: str = "not measured",
) -> Metric[_T]:
    """A metric with its quantity."""
    quantity = Quantity(name=name, unit=unit, better=better, estimate=estimate)
    return Metric(quantity=quantity, value=value, lacking=lacking)


def images_per_s(run: TaskRun) -> float:
    """Offline throughput: samples / makespan (MLPerf Inference, https://arxiv.org/abs/1911.02549)."""
    return run.items / run.makespan_s


def _cpu_s(run: TaskRun) -> float | None:
    return run.cpu_s


def _peak_memory_bytes(run: TaskRun) -> int | None:
    return run.peak_memory_bytes


THROUGHPUT = metric("throughput", "images/s", Better.HIGHER, images_per_s)
SPEEDUP = Quantity(name="speedup", unit="× serial", better=Better.HIGHER)
"""Throughput over that of the serial engine in the same block."""
ENGINE_EFFICIENCY = Quantity(
    name="engine_efficiency", unit="share of the ceiling", better=Better.HIGHER
)
"""Throughput over that of the engine-free ceiling in the same block."""
SCALING_EFFICIENCY = Quantity(
    name="scaling_efficiency", unit="share of p × one worker", better=Better.HIGHER
)
"""Throughput with p workers over p times that with one in the same block: T1/(p·Tp) for the same
work (strong), T1/Tp for as much work a worker (weak)."""
CPU_TIME = metric(
    "cpu_time",
    "s",
    Better.LOWER,
    _cpu_s,
    estimate=center,
    lacking="a host of the cluster does not tell",
)
PEAK_MEMORY = metric(
    "peak_memory", "bytes", Better.LOWER, _peak_memory_bytes, lacking="memory was not sampled"
)
_UNTOLD = "the cluster has no such host, or one that does not tell"
PERCENTILES = (0.50, 0.95, 0.99)
"""Of the round trips."""
BY_DEFINITION = "by definition"
"""The verdict of a ratio of an engine with itself."""
ADMITTED = "admitted"
"""Not a number: ``accepted``, ``rejected`` or ``rounded``."""


def accuracy_of(labels: Sequence[str]) -> Metric[TaskRun]:
    """Share of the images that get their true label.

    No interval: valid outputs are equal in every block, so the blocks tell nothing of its error.
    """

    def share_right(run: TaskRun) -> float | None:
        if run.outputs is None:
            return None
        return sum(map(str.__eq__, run.outputs, labels)) / len(labels)

    return metric("accuracy", "share", Better.NEITHER, share_right, estimate=median)


def line(block: Overhead) -> Line | None:
    """makespan(N) = a + b·N over the no-ops of one block."""
    return fit_line([run.tasks for run in block.no_ops], [run.makespan_s for run in block.no_ops])


def _most_no_ops_per_s(block: Overhead) -> float | None:
    """Of the largest batch: in the small ones the fixed cost shows."""
    if not block.no_ops:
        return None
    largest = max(block.no_ops, key=lambda run: run.tasks)
    return largest.tasks / largest.makespan_s


def _of_line(part: Callable[[Line], float]) -> Callable[[Overhead], float | None]:
    def value(block: Overhead) -> float | None:
        fitted = line(block)
        return None if fitted is None else part(fitted)

    return value


def _round_trip_metric(share: float) -> Metric[Overhead]:
    name = f"round_trip_p{share * 100:.0f}"
    return metric(
        name,
        "s",
        Better.LOWER,
        partial(_round_trip, share=share),
        lacking=f"needs {samples_needed(share)} samples a block",
    )


def _round_trip(block: Overhead, share: float) -> float | None:
    return percentile(block.round_trips_s, share)


_FEW_SIZES = "a line and its residual need three sizes of N"

OVERHEAD: tuple[Metric[Overhead], ...] = (
    metric("noop_throughput", "tasks/s", Better.HIGHER, _most_no_ops_per_s),
    metric(
        "per_task_cost",
        "s",
        Better.LOWER,
        _of_line(lambda fitted: fitted.per_task_s),
        estimate=center,
        lacking=_FEW_SIZES,
    ),
    metric(
        "fixed_cost",
        "s",
        Better.NEITHER,
        _of_line(lambda fitted: fitted.fixed_s),
        estimate=mean,
        lacking=_FEW_SIZES,
    ),
    metric(
        "fit_residual",
        "s",
        Better.NEITHER,
        _of_line(lambda fitted: fitted.residual_s),
        estimate=median,
        lacking=_FEW_SIZES,
    ),
    *map(_round_trip_metric, PERCENTILES),
)


def _metg_metric(threshold: float) -> Metric[Sequence[Point]]:
    return metric(
        f"metg{threshold * 100:.0f}",
        "s",
        Better.LOWER,
        lambda points: metg(points, threshold),
        lacking=f"no task size of the sweep lies on the other side of {threshold:.0%} efficiency",
    )


METG: tuple[Metric[Sequence[Point]], ...] = tuple(map(_metg_metric, THRESHOLDS))


def part_metrics(workers: int) -> tuple[Metric[TaskRun], ...]:
    """Where the time of a run went: seconds a worker, which add up to the makespan (hence their
    arithmetic means; some are next to nothing in one block and not in another); and what the median
    task waited before it ran, and its result after.
    """

    def of(part: Callable[[Parts], float]) -> Callable[[TaskRun], float | None]:
        return lambda run: None if (found := parts(run, workers)) is None else part(found)

    return (
        metric("submit", "s", Better.LOWER, of(lambda p: p.submit_s), estimate=mean),
        metric("run", "s", Better.LOWER, of(lambda p: p.kernel_s), estimate=mean),
        metric("between", "s", Better.LOWER, of(lambda p: p.gaps_s), estimate=mean),
        metric("tail", "s", Better.LOWER, of(lambda p: p.tail_s), estimate=mean),
        metric("return", "s", Better.LOWER, of(lambda p: p.return_s), estimate=mean),
        metric(
            "task_wait_p50",
            "s",
            Better.NEITHER,
            lambda run: _median_s(run, lambda span: span.start_s),
            estimate=center,
        ),
        metric(
            "task_return_p50",
            "s",
            Better.LOWER,
            lambda run: _median_s(run, lambda span: span.received_s - span.end_s),
            estimate=center,
        ),
    )


def _median_s(run: TaskRun, seconds: Callable[[Span], float]) -> float | None:
    return statistics.median(map(seconds, run.spans)) if run.spans else None


def node_metrics(role: str) -> tuple[Metric[TaskRun], ...]:
    """What all hosts of a kind together spent on a batch, by their own control groups and network
    counters; memory is what they had at its end.
    """

    def of(
        name: str,
        unit: str,
        spent: Callable[[NodeUse], float | None],
        per: Callable[[TaskRun], int] = lambda _: 1,
    ) -> Metric[TaskRun]:
        def value(run: TaskRun) -> float | None:
            total = _total(run, role, spent)
            return None if total is None else total / per(run)

        return metric(name, unit, Better.LOWER, value, estimate=center, lacking=_UNTOLD)

    def count(run: TaskRun) -> float | None:
        return sum(node.role == role for node in run.nodes) or None

    return (
        metric("hosts", "hosts", Better.NEITHER, count, estimate=median, lacking=_UNTOLD),
        of("cpu_time", "s", lambda node: node.cpu_s),
        of("memory", "bytes", lambda node: node.memory_bytes),
        of("received_per_image", "bytes", lambda node: node.received_bytes, lambda run: run.items),
        of("sent_per_image", "bytes", lambda node: node.sent_bytes, lambda run: run.items),
        of("received_per_task", "bytes", lambda node: node.received_bytes, lambda run: run.tasks),
        of("sent_per_task", "bytes", lambda node: node.sent_bytes, lambda run: run.tasks),
    )


def _total(run: TaskRun, role: str, spent: Callable[[NodeUse], float | None]) -> float | None:
    nodes = [node for node in run.nodes if node.role == role]
    return sum_or_none(map(spent, nodes)) if nodes else None


def _head_cpu_per_task_s(block: Overhead) -> float | None:
    if not block.no_ops:
        return None
    largest = max(block.no_ops, key=lambda run: run.tasks)
    spent_s = _total(largest, HEAD, lambda node: node.cpu_s)
    return None if spent_s is None else spent_s / largest.tasks


HEAD_CPU = metric(
    "cpu_per_task", "s", Better.LOWER, _head_cpu_per_task_s, estimate=center, lacking=_UNTOLD
)
"""Of the largest batch of no-ops of a block."""


def startup_metrics(*, warm_up: bool) -> tuple[Metric[Lifecycle], ...]:
    """Of one session; ``warm_up`` where there is a model to load."""
    metrics: tuple[Metric[Lifecycle], ...] = (
        metric("open", "s", Better.LOWER, lambda life: life.open_s),
        metric("first_result", "s", Better.LOWER, lambda life: life.first_result_s),
        metric("warm_up", "s", Better.LOWER, lambda life: life.warm_up_s),
        metric("close", "s", Better.LOWER, lambda life: life.close_s, estimate=center),
    )
    return tuple(m for m in metrics if warm_up or m.quantity.name != "warm_up")


def of_part(of_run: Metric[TaskRun], part: str = "") -> Metric[Runs]:
    """The metric of one of the runs of a case."""
    return Metric(
        quantity=of_run.quantity,
        value=lambda runs: of_run.value(runs[part]),
        lacking=of_run.lacking,
    )


def fractional_metrics(plan: Plan, share: float) -> tuple[Metric[TaskRun], ...]:
    """Of one wave of tasks that ask for ``share`` each; C is the workers of the plan."""
    fitting = slots(plan.workers, share)
    return (
        metric("peak_concurrency", "tasks", Better.NEITHER, peak_concurrency, estimate=median),
        metric(
            "admission_accuracy",
            "share of floor(C/f)",
            Better.NEITHER,
            lambda run: (
                None if (n := peak_concurrency(run)) is None or not fitting else n / fitting
            ),
            estimate=median,
        ),
        metric("ramp", "s", Better.LOWER, ramp_s, estimate=center),
        metric("makespan", "s", Better.LOWER, lambda run: run.makespan_s),
        metric(
            "cpu_use",
            "share of the cores",
            Better.LOWER,
            lambda run: None if run.cpu_s is None else run.cpu_s / (run.makespan_s * plan.workers),
            estimate=center,
            lacking="a host of the cluster does not tell",
        ),
        metric("processes", "processes", Better.LOWER, _processes, estimate=median),
        metric("native_threads", "threads", Better.LOWER, _threads, estimate=median),
        metric("memory", "bytes", Better.LOWER, _peak_memory_bytes),
    )


CAPACITY_AFTER: Metric[TaskRun] = metric(
    "capacity_after",
    "share of the cores",
    Better.HIGHER,
    lambda run: (n := peak_concurrency(run)) and n / run.tasks,
    estimate=median,
)
"""Of a wave of one task a core, once the shares are given back."""


def _processes(run: TaskRun) -> int | None:
    return run.peak_processes


def _threads(run: TaskRun) -> int | None:
    return run.peak_threads


def ramp_s(run: TaskRun) -> float | None:
    """From submission until as many tasks run as will at the fullest moment."""
    return None if not run.spans else fullest_s(run.spans)


def peak_concurrency(run: TaskRun) -> int | None:
    """Tasks that ran at the same time, at the fullest moment; ``None`` without spans."""
    return None if run.spans is None else most_at_once(run.spans)


def admitted(plan: Plan, share: float, warm: TaskRun) -> str:
    """What the engine made of the share: ``accepted``, or ``rounded`` up to whole cores.

    Rounded: the warm wave ran exactly as many tasks at once as fit when each takes ceil(f) cores,
    though more would fit.
    """
    whole = slots(plan.workers, math.ceil(share))
    if slots(plan.workers, share) > whole == peak_concurrency(warm):
        return "rounded"
    return "accepted"
