"""What a share of a core means: sleeping tasks that each ask for a part of a core.

Each wave has as many tasks as fit, floor(C/f), and a quarter more that sleep only briefly.  An
engine that admits too many runs all of them at once; an engine that keeps the limit is not slowed
down.
"""

from collections.abc import Iterator, Sequence
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
from compare.experiments.section import Section, Shares
from compare.experiments.share_rows import (
    ADMITTED,
    AFTER,
    COLD,
    CPUS,
    SLOTS,
    WARM,
    resource_of,
    share_rows,
    share_table,
    slots,
    smallest_warm,
)
from compare.formatting import enumeration, short
from compare.measure.bench import Bench
from compare.observations.absence import Why
from compare.observations.reader import Observations, cases_of
from compare.observations.series import Row
from compare.options import PresetName
from compare.presets import BLOCKS, Sizes
from compare.records.measurements import Record, Rejected, TaskRun
from compare.records.plan import Case, Plan, is_contender, refine
from engines.errors import CpusRejectedError
from engines.interface import Capability
from workload.kernels import sleep

SHARES = (1.0, 0.5, 0.25, 0.1)
"""Largest first: each share needs at least as many processes as the one before."""
NAP_S = Sizes(quick=0.6, standard=1.5, full=2.0)
"""Seconds that a task sleeps at the smallest share; its many tasks need a while until all run."""
_SHORT_NAP_S = Sizes(quick=0.3, standard=0.4, full=1.0)
"""At the larger shares."""
_BLOCKS = Sizes(quick=1, standard=1, full=5)
"""Fewer blocks than for other experiments, because every wave takes seconds of sleep."""
_PROBE_SECONDS = 0.2
FILL_SECONDS = 0.5
_FILL_WAVES = 10

_SECTION = Section(
    title="Shares of a core",
    explanation="""Sleeping tasks that each ask for f cores on C workers: floor(C/f) fit at once,
and a quarter more are submitted to see whether the engine holds them back.  *Accepted*: the engine
uses the share for scheduling.  *Rounded*: exactly as many tasks ran at once as if each took whole
cores.  *Rejected*: the engine refuses the share; the report shows its message.  *At once* is the
largest number of tasks that ran at the same time (median over blocks); more than 100% of what fits
is over-admission.  *Cold* is the first wave at a share, *warm* is a later one.

Afterwards, one task per core checks that all cores are free again.  *Until the peak* is the time
from submission until the largest number of tasks runs.  Processes, threads and memory include the
driver and everything that the engine started.""",
    table=share_table(CPUS),
    pictures=(
        Shares(
            name="fractional",
            description="Tasks at once against the share asked for, and what fits",
        ),
    ),
)


class Fractional(Experiment):
    """One case for each of the most common shares of a core."""

    name = "fractional"
    with_ceiling = False
    sections: ClassVar[tuple[Section, ...]] = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        naps_s = dict.fromkeys(SHARES, _SHORT_NAP_S) | {min(SHARES): NAP_S}
        return tuple(self.case(CPUS, share, naps_s[share].of(scope.preset)) for share in SHARES)

    def case(self, resource: str, share: float, nap_s: float) -> Case:
        """A case whose tasks ask for ``share`` and sleep."""
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
        # A separate session, because threads or processes that an engine reserves for small shares
        # would disturb all other cases.
        return Opening(workers=workers, smallest_share=min(SHARES), label="fractional")

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        """Seconds for the cold wave, at least one wave that starts more processes, a warm wave."""
        return 2 * (float(case.parameters["seconds"]) + _PROBE_SECONDS) + FILL_SECONDS

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[Record]:
        """Measure the first wave at this share, a wave after the engine has started all processes,
        and a wave of whole cores; if the engine refuses the share, record its message.
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
        fill(bench, case, fitting)
        yield _wave(bench, warm, fitting)
        # All cores must be free again.
        nap = sleep.task(bench.label(), _PROBE_SECONDS)
        yield bench.run(after, [nap] * bench.plan.workers)

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        for planned in cases_of(observations.plan, engine, self.name):
            yield from share_rows(observations, engine, planned)

    @override
    def answer(self, facts: Facts) -> str | None:
        return _answer([row for row in facts.rows if row.experiment == self.name])

    @override
    def progress(self, records: Sequence[Record]) -> str | None:
        shares = {
            resource_of(record.case) for record in records if isinstance(record, TaskRun | Rejected)
        }
        return f"{len(shares)} shares" if shares else None


def _wave(bench: Bench, case: Case, fitting: int) -> TaskRun:
    label = bench.label()
    tasks = [sleep.task(label, float(case.parameters["seconds"]))] * fitting
    tasks += [sleep.task(label, _PROBE_SECONDS)] * max(1, fitting // 4)
    return bench.run(case, tasks, memory=True, **_demand(case))


def fill(bench: Bench, case: Case, fitting: int) -> None:
    """Run unmeasured waves until so many tasks of the case have each run in a worker of their own.

    Ray and Spark run a task in a process, which they start if there is demand and no idle process.
    A single wave may end before all processes have been started.
    """
    for _ in range(_FILL_WAVES):
        tasks = [sleep.task(bench.label(), FILL_SECONDS)] * fitting
        if bench.run(case, tasks, **_demand(case)).workers_seen >= fitting:
            return


class _Demand(TypedDict, total=False):
    cpus: float
    slots: float


def _demand(case: Case) -> _Demand:
    resource, share = resource_of(case)
    return {"cpus": share} if resource == CPUS else {"slots": share}


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
        clauses.append(f"{enumeration(without)} cannot express such a share")
    share = float(here[0].case[CPUS])
    return f"With tasks that ask for {share:g} CPU each, " + "; ".join(clauses) + "."


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
