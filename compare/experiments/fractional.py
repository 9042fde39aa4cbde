"""What a share means: sleeping tasks that each ask for a part of a core.

As many tasks as fit are submitted, floor(C/f), and a quarter more that sleep only briefly: an
engine that admits too many runs them at once, an engine that keeps the limit is not slowed down.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import ClassVar, TypedDict

from typing_extensions import override

from compare.experiments.experiment import (
    Estimable,
    Experiment,
    Facts,
    Opening,
    Pace,
    Scope,
)
from compare.experiments.section import MIB, PERCENT, Column, Columns, Section, Shares
from compare.experiments.shared_metrics import UNREADABLE_HOST
from compare.formatting import enumeration, short
from compare.measure.bench import Bench
from compare.observations.metric import Better, Mean, Metric, metric
from compare.observations.reader import Observations, Observed, Why, absent, cases_of, valid
from compare.observations.series import Answers, Row, Series, budget_case, series_of
from compare.observations.spans import peak_concurrency, ramp_s
from compare.options import PresetName
from compare.presets import BLOCKS, Sizes
from compare.records.measurements import Record, Rejected, TaskRun
from compare.records.plan import Case, Plan, is_contender, refine
from engines.errors import CpusRejectedError
from engines.interface import Capability
from workload.kernels import sleep

SHARES = (1.0, 0.5, 0.25, 0.1)
"""Largest first: each needs at least the processes of the one before."""
CPUS, SLOTS = "cpus", "slots"
"""The resource that is shared: cores, or the resource ``slot`` of ``Engine.run``."""
COLD, WARM, AFTER = "cold", "warm", "after"
ADMITTED = "admitted"
"""The answer of an engine: ``accepted``, ``rejected`` or ``rounded``."""
NAP_S = Sizes(quick=0.6, standard=2.0, full=2.0)
"""Seconds that a task sleeps."""
_BLOCKS = Sizes(quick=1, standard=1, full=5)
"""Fewer than of other experiments: a wave is seconds of sleep, whatever it shows."""
_PROBE_SECONDS = 0.2
_FILL_SECONDS = 0.5
_FILL_WAVES = 10

TABLE_COLUMNS = (
    Column(metric=ADMITTED, heading="answer", where=("phase", WARM)),
    Column(metric="peak_concurrency", heading="at once, warm", where=("phase", WARM)),
    Column(
        metric="admission_accuracy",
        heading="of what fits (%)",
        scale=PERCENT,
        where=("phase", WARM),
    ),
    Column(metric="peak_concurrency", heading="at once, cold", where=("phase", COLD)),
    Column(metric="makespan", heading="makespan, warm (s)", where=("phase", WARM)),
    Column(metric="makespan", heading="makespan, cold (s)", where=("phase", COLD)),
    Column(metric="ramp", heading="until the peak, warm (s)", where=("phase", WARM)),
    Column(metric="ramp", heading="until the peak, cold (s)", where=("phase", COLD)),
    Column(
        metric="capacity_after",
        heading="cores free after (%)",
        scale=PERCENT,
        where=("phase", AFTER),
    ),
    Column(metric="cpu_use", heading="CPU use, warm (%)", scale=PERCENT, where=("phase", WARM)),
    Column(metric="processes", heading="processes", where=("phase", WARM)),
    Column(metric="native_threads", heading="threads", where=("phase", WARM)),
    Column(metric="memory", heading="memory (MiB)", scale=MIB, where=("phase", WARM)),
)
_TABLE = tuple(
    # The answer already shows what holds against the numbers.
    replace(column, caveat=column.metric == ADMITTED)
    for column in TABLE_COLUMNS
)


def share_table(resource: str) -> Columns:
    """A line for each engine and share of this resource."""
    return Columns(axes=((resource, f"{resource} asked"),), columns=_TABLE)


_SECTION = Section(
    title="Shares of a core",
    explanation="""Sleeping tasks that each ask for f cores on C workers: floor(C/f) fit at once,
and a quarter more are submitted to see whether they are held back.  *Accepted*: the engine uses the
share in planning; *rounded*: exactly as many ran at once as if each took whole cores; *rejected*:
the engine refuses, in its own words.  *At once* is the largest number of tasks that ran together
(median over blocks); above 100% of what fits is over-admission.  *Cold* is the first wave at a
share, *warm* the next one.

Afterwards one task a core must find all cores free.  *Until the peak* is from submission until the
largest number of tasks runs; processes, threads and memory are those of the driver and of all that
the engine started.""",
    table=share_table(CPUS),
    pictures=(
        Shares(
            name="fractional",
            description="Tasks at once against the share asked for, and what fits",
        ),
    ),
)


class Fractional(Experiment):
    """A case for each share of a core that most readers ask for."""

    name = "fractional"
    with_ceiling = False
    sections: ClassVar[tuple[Section, ...]] = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        nap_s = NAP_S.of(scope.preset)
        # Long only where so many tasks start that it takes a while until all of them run.
        smallest = min(SHARES)
        return tuple(
            self.case(CPUS, share, nap_s if share == smallest else nap_s / 2) for share in SHARES
        )

    def case(self, resource: str, share: float, nap_s: float) -> Case:
        """Tasks that ask for ``share`` and sleep."""
        parameters = {resource: share, "seconds": nap_s, "probe_seconds": _PROBE_SECONDS}
        return Case(experiment=self.name, parameters=parameters)

    @override
    def blocks(self, preset: PresetName) -> int:
        return min(_BLOCKS.of(preset), BLOCKS.of(preset))

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset(
            {Capability.SLOTS if SLOTS in case.parameters else Capability.FRACTIONAL_CPUS}
        )

    @override
    def opening(self, case: Case, workers: int) -> Opening:
        # A session of its own: threads or processes that an engine reserves for small shares would
        # disturb everything else.
        return Opening(workers=workers, smallest_share=min(SHARES), label="fractional")

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        """A cold wave, which starts processes, at least one that starts the rest, a warm one."""
        return 2 * (float(case.parameters["seconds"]) + _PROBE_SECONDS) + _FILL_SECONDS

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[Record]:
        """The first wave at this share, one when the engine has started all that it starts, and
        whole cores again; or the engine's words of refusal.
        """
        _, share = resource_of(case)
        fitting = slots(bench.plan.workers, share)
        cold, warm, after = (refine(case, phase=phase) for phase in (COLD, WARM, AFTER))
        try:
            yield _wave(bench, cold, fitting)
        except CpusRejectedError as refusal:
            for phase in (cold, warm, after):
                yield Rejected(**bench.head(), case=phase, words=str(refusal))
            return
        _fill(bench, case, fitting)
        yield _wave(bench, warm, fitting)
        # As many whole cores as there are must be free again.
        nap = sleep.task(bench.label(), _PROBE_SECONDS)
        yield bench.run(after, [nap] * bench.plan.workers)

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        for planned in cases_of(observations.plan, engine, self.name):
            yield from _share_rows(observations, engine, planned)

    @override
    def answer(self, facts: Facts) -> str | None:
        return _answer([row for row in facts.rows if row.experiment == self.name])

    @override
    def progress(self, records: Sequence[Record]) -> str | None:
        shares = {
            resource_of(record.case) for record in records if isinstance(record, TaskRun | Rejected)
        }
        return f"{len(shares)} shares" if shares else None


def resource_of(case: Case) -> tuple[str, float]:
    """The resource that is shared, and how much of it a task asks for."""
    resource = SLOTS if SLOTS in case.parameters else CPUS
    return resource, float(case.parameters[resource])


def slots(capacity: int, share: float) -> int:
    """floor(C / f) of the decimal as written, not of its binary neighbour."""
    return int(Fraction(capacity) / Fraction(str(share)))


def _wave(bench: Bench, case: Case, fitting: int) -> TaskRun:
    label = bench.label()
    tasks = [sleep.task(label, float(case.parameters["seconds"]))] * fitting
    tasks += [sleep.task(label, _PROBE_SECONDS)] * max(1, fitting // 4)
    return bench.run(case, tasks, memory=True, **_demand(case))


def _fill(bench: Bench, case: Case, fitting: int) -> None:
    """Unmeasured waves until as many tasks as fit have run in workers of their own.

    Ray and Spark run a task in a process, which they start when there is demand and no idle one:
    the cold wave ends before all have been started.
    """
    for _ in range(_FILL_WAVES):
        tasks = [sleep.task(bench.label(), _FILL_SECONDS)] * fitting
        if bench.run(case, tasks, **_demand(case)).workers_seen >= fitting:
            return


class _Demand(TypedDict, total=False):
    cpus: float
    slots: float


def _demand(case: Case) -> _Demand:
    resource, share = resource_of(case)
    return {"cpus": share} if resource == CPUS else {"slots": share}


def _share_rows(observations: Observations, engine: str, planned: Case) -> Iterator[Estimable]:
    """Rows of one share: cold, warm, and after it is given back."""
    plan = observations.plan
    resource, share = resource_of(planned)
    fitting = slots(plan.workers, share)
    warm = observations.batch(engine, planned, phase=WARM)
    for phase in (COLD, WARM):
        observed = observations.batch(engine, planned, phase=phase)
        case = {resource: share, "phase": phase, **budget_case(plan)}
        numbers = [
            series_of(planned.experiment, engine, case, one, observed)
            for one in _metrics(plan, share)
        ]
        peaks = numbers[0].values.values()
        wrong = _wrong_admission(peaks, fitting, warm=phase == WARM)
        # The warm wave decides: in a cold one processes may still be starting.
        answers = _answers(numbers[0], plan, share, warm)
        yield replace(answers, note=wrong)
        for one in numbers:
            counted = one.quantity.name in ("peak_concurrency", "admission_accuracy")
            yield replace(one, note=wrong or _spread(peaks)) if counted else one
    after = observations.batch(engine, planned, phase=AFTER)
    case = {resource: share, "phase": AFTER, **budget_case(plan)}
    yield series_of(planned.experiment, engine, case, _CAPACITY_AFTER, after)


def _answers(of: Series, plan: Plan, share: float, warm: Observed[TaskRun]) -> Answers:
    refusals = {block: one for block, one in absent(warm).items() if one.why is Why.REJECTED}
    return Answers(
        experiment=of.experiment,
        engine=of.engine,
        name=ADMITTED,
        case=of.case,
        words={block: admitted(plan, share, run) for block, run in valid(warm).items()}
        | {block: str(one.why) for block, one in refusals.items()},
        reasons={block: one.reason for block, one in refusals.items()},
        absences={block: one for block, one in absent(warm).items() if block not in refusals},
    )


def admitted(plan: Plan, share: float, warm: TaskRun) -> str:
    """How the engine treated the share: ``accepted``, or ``rounded`` up to whole cores.

    Rounded: the warm wave ran exactly as many tasks at once as fit when each takes ceil(f) cores,
    though more would fit.
    """
    whole = slots(plan.workers, math.ceil(share))
    if slots(plan.workers, share) > whole == peak_concurrency(warm):
        return "rounded"
    return "accepted"


def _metrics(plan: Plan, share: float) -> tuple[Metric[TaskRun], ...]:
    """Metrics of one wave of tasks that ask for ``share`` each; C is the workers of the plan."""
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
"""Of a wave of one task a core, after the shares were given back."""


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


def _answer(rows: Sequence[Row]) -> str:
    here = smallest_warm([row for row in rows if is_contender(row.engine)])
    if not here:
        return "No engine was asked for a share of a core."
    peaks = {row.engine: row for row in here if row.metric == "peak_concurrency"}
    accuracy = {row.engine: row for row in here if row.metric == "admission_accuracy"}
    clauses = []
    without = []
    for row in here:
        if row.metric != ADMITTED:
            continue
        if row.value is None and (row.verdict or "").startswith(Why.NOT_APPLICABLE):
            without.append(f"`{row.engine}`")
        else:
            clauses.append(_clause(row, peaks[row.engine], accuracy[row.engine]))
    if without:
        clauses.append(f"{enumeration(without)} cannot express it")
    share = float(here[0].case[CPUS])
    return f"Of tasks that ask for {share:g} CPU, " + "; ".join(clauses) + "."


def _clause(answer: Row, peak: Row, accuracy: Row) -> str:
    engine = f"`{answer.engine}`"
    if answer.value == "rejected":
        return f"{engine} rejects them"
    if not isinstance(peak.value, float) or not isinstance(accuracy.value, float):
        return f"{engine} gave no number ({short(answer.verdict or 'not measured')})"
    fitting = round(peak.value / accuracy.value) if accuracy.value else 0
    clause = f"runs {peak.value:.0f} at once where {fitting} fit"
    if answer.value == "rounded":
        return f"{engine} rounds the share up to whole cores and {clause}"
    over = ", too many" if accuracy.value > 1 else ""
    return f"{engine} {clause}{over}"
