"""The rows of tasks that ask for a share: how the engine answers, and what was seen."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from compare.experiments.experiment import Estimable
from compare.experiments.section import MIB, PERCENT, Column, Columns
from compare.experiments.shared_metrics import UNREADABLE_HOST
from compare.observations.absence import Why
from compare.observations.metric import Better, Mean, Metric, metric
from compare.observations.reader import Observations, Observed, absent, valid
from compare.observations.series import Answers, Row, Series, budget_case, series_of
from compare.observations.spans import peak_concurrency, ramp_s
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan

CPUS, SLOTS = "cpus", "slots"
"""The shared resource: cores, or the resource ``slot`` of ``Engine.run``."""
COLD, WARM, AFTER = "cold", "warm", "after"
ADMITTED = "admitted"
"""The answer of an engine: ``accepted``, ``rejected`` or ``rounded``."""

TABLE_COLUMNS = (
    Column(metric=ADMITTED, heading="answer", where=("phase", WARM)),
    Column(metric="peak_concurrency", heading="at once, warm", where=("phase", WARM)),
    Column(
        metric="admission_accuracy",
        heading="of what fits (%)",
        scale=PERCENT,
        where=("phase", WARM),
    ),
    Column(metric="peak_concurrency", heading="at once, cold", where=("phase", COLD), details=True),
    Column(metric="makespan", heading="makespan, warm", where=("phase", WARM)),
    Column(metric="makespan", heading="makespan, cold", where=("phase", COLD)),
    Column(metric="ramp", heading="until the peak, warm", where=("phase", WARM), details=True),
    Column(metric="ramp", heading="until the peak, cold", where=("phase", COLD), details=True),
    Column(
        metric="capacity_after",
        heading="cores free after (%)",
        scale=PERCENT,
        where=("phase", AFTER),
        details=True,
    ),
    Column(
        metric="cpu_use",
        heading="CPU use, warm (%)",
        scale=PERCENT,
        where=("phase", WARM),
        details=True,
    ),
    Column(metric="processes", heading="processes", where=("phase", WARM), details=True),
    Column(metric="native_threads", heading="threads", where=("phase", WARM), details=True),
    Column(metric="memory", heading="memory (MiB)", scale=MIB, where=("phase", WARM), details=True),
)
_TABLE = tuple(
    # The answer column already shows the caveats of the numbers.
    replace(column, caveat=column.metric == ADMITTED)
    for column in TABLE_COLUMNS
)


def share_table(resource: str) -> Columns:
    """A table with a line for each engine and share of this resource."""
    return Columns(axes=((resource, f"{resource} asked"),), columns=_TABLE)


def resource_of(case: Case) -> tuple[str, float]:
    """The shared resource, and how much of it a task asks for."""
    resource = SLOTS if SLOTS in case.parameters else CPUS
    return resource, float(case.parameters[resource])


def slots(capacity: int, share: float) -> int:
    """floor(C / f), with f as the exact decimal and not as its binary approximation."""
    return int(Fraction(capacity) / Fraction(str(share)))


def share_rows(observations: Observations, engine: str, planned: Case) -> Iterator[Estimable]:
    """Rows of one share: cold, warm, and after the share was released."""
    plan = observations.plan
    resource, share = resource_of(planned)
    fitting = slots(plan.workers, share)
    warm = observations.batch(engine, planned, phase=WARM)
    for phase in (COLD, WARM):
        observed = observations.batch(engine, planned, phase=phase)
        case = {resource: share, "phase": phase, **budget_case(plan)}
        numbers = [
            series_of(planned.experiment, engine, case, wave_metric, observed)
            for wave_metric in _metrics(plan, share)
        ]
        peaks = numbers[0].values.values()
        wrong = _wrong_admission(peaks, fitting, warm=phase == WARM)
        # The warm wave decides the answer: in a cold wave, processes may still be starting.
        answers = _answers(numbers[0], plan, share, warm)
        yield replace(answers, note=wrong)
        for series in numbers:
            counted = series.quantity.name in ("peak_concurrency", "admission_accuracy")
            yield replace(series, note=wrong or _spread(peaks)) if counted else series
    after = observations.batch(engine, planned, phase=AFTER)
    case = {resource: share, "phase": AFTER, **budget_case(plan)}
    yield series_of(planned.experiment, engine, case, _CAPACITY_AFTER, after)


def _answers(peaks: Series, plan: Plan, share: float, warm: Observed[TaskRun]) -> Answers:
    refusals = {block: a for block, a in absent(warm).items() if a.why is Why.REJECTED}
    return Answers(
        experiment=peaks.experiment,
        engine=peaks.engine,
        name=ADMITTED,
        case=peaks.case,
        words={block: admitted(plan, share, run) for block, run in valid(warm).items()}
        | {block: str(refusal.why) for block, refusal in refusals.items()},
        reasons={block: refusal.reason for block, refusal in refusals.items()},
        absences={block: a for block, a in absent(warm).items() if block not in refusals},
    )


def admitted(plan: Plan, share: float, warm: TaskRun) -> str:
    """How the engine treated the share: ``accepted``, or ``rounded`` up to whole cores.

    Rounded: the warm wave ran exactly as many tasks at once as fit if each takes ceil(f) cores,
    although more would fit.
    """
    whole = slots(plan.workers, math.ceil(share))
    if slots(plan.workers, share) > whole == peak_concurrency(warm):
        return "rounded"
    return "accepted"


def _metrics(plan: Plan, share: float) -> tuple[Metric[TaskRun], ...]:
    """Metrics of one wave of tasks that ask for ``share`` each; C is the plan's workers."""
    fitting = slots(plan.workers, share)
    return (
        metric("peak_concurrency", "tasks", Better.NEITHER, peak_concurrency, mean=Mean.MEDIAN),
        metric(
            "admission_accuracy",
            "share of floor(C/f)",
            Better.NEITHER,
            lambda run: (
                None if (n := peak_concurrency(run)) is None or not fitting else n / fitting
            ),
            mean=Mean.MEDIAN,
        ),
        metric("ramp", "s", Better.LOWER, ramp_s, mean=Mean.GEOMETRIC_IF_POSITIVE),
        metric("makespan", "s", Better.LOWER, lambda run: run.makespan_s),
        metric(
            "cpu_use",
            "share of the cores",
            Better.LOWER,
            lambda run: None if run.cpu_s is None else run.cpu_s / (run.makespan_s * plan.workers),
            mean=Mean.GEOMETRIC_IF_POSITIVE,
            lacking=UNREADABLE_HOST,
        ),
        metric(
            "processes",
            "processes",
            Better.LOWER,
            lambda run: run.peak_processes,
            mean=Mean.MEDIAN,
        ),
        metric(
            "native_threads",
            "threads",
            Better.LOWER,
            lambda run: run.peak_threads,
            mean=Mean.MEDIAN,
        ),
        metric("memory", "bytes", Better.LOWER, lambda run: run.peak_memory_bytes),
    )


_CAPACITY_AFTER: Metric[TaskRun] = metric(
    "capacity_after",
    "share of the cores",
    Better.HIGHER,
    lambda run: (n := peak_concurrency(run)) and n / run.tasks,
    mean=Mean.MEDIAN,
)
"""Cores that are free after the shares were released, from a wave of one task per core."""


def _wrong_admission(peaks: Collection[float], fitting: int, *, warm: bool) -> str | None:
    most = max(peaks, default=fitting)
    if most > fitting:
        return f"over-admission: {most:.0f} tasks ran at once, room is for {fitting}"
    if warm and most < fitting:
        return f"{most:.0f} tasks ran at once, though {fitting} fit"
    return None


def _spread(peaks: Collection[float]) -> str | None:
    if len(set(peaks)) < 2:  # noqa: PLR2004 - one value has no spread
        return None
    return f"{min(peaks):.0f} to {max(peaks):.0f} tasks over the blocks"


def smallest_warm(rows: Sequence[Row]) -> list[Row]:
    """Rows of the warm wave at the smallest share of a core."""
    warm = [row for row in rows if CPUS in row.case and row.case.get("phase") == WARM]
    smallest = min((float(row.case[CPUS]) for row in warm), default=0.0)
    return [row for row in warm if row.case[CPUS] == smallest]
