"""The analysis of a run: one value, computed once, from which every report is made.

The report, the console, the plots and ``diff`` take an ``Analysis`` and no records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compare.analysis.cautions import Caution, Evidence, find_cautions
from compare.analysis.cluster import ClusterFacts, cluster_facts
from compare.analysis.comparisons import (
    Comparisons,
    Control,
    all_comparisons,
    controls,
    ratios,
    values_of,
    versus,
)
from compare.analysis.curves import (
    EfficiencyCurve,
    NoOpBatch,
    efficiency_curves,
    no_op_batches,
)
from compare.analysis.done_first import done_first_rows
from compare.analysis.forms import form_rows
from compare.analysis.intervals import Estimate
from compare.analysis.job_costs import JobCosts, job_costs
from compare.analysis.relative import calibrated
from compare.analysis.rows import estimable, rows_of
from compare.analysis.settings import SettingLine, settings_of
from compare.experiments import throughput
from compare.experiments.experiment import Facts
from compare.experiments.registry import load_experiment
from compare.experiments.shared_metrics import THROUGHPUT
from compare.observations.absence import Why
from compare.observations.compound import Trial
from compare.observations.disturbance import settled
from compare.observations.elasticity import first_watches
from compare.observations.lanes import Group, groups
from compare.observations.reader import Observations, engines
from compare.observations.recovery import first_trials
from compare.observations.series import Row, Series
from compare.records.measurements import ElasticityRun, Failure, Run, TaskRun
from compare.records.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """All results of a run."""

    plan: Plan
    environment: Mapping[str, object]
    engines: tuple[str, ...]
    """Engines that have rows; the ceiling first."""
    sessions_done: int
    rows: tuple[Row, ...]
    """The rows of ``summary.json``."""
    series: tuple[Series, ...]
    """The values per block from which the numeric rows are computed, in the same order."""
    calibrated: Mapping[int, float]
    """Iterations of the spin kernel per second in each block: the speed of the machine."""
    headline: tuple[str, ...]
    """The answers of the experiments, one sentence each."""
    fastest: str | None
    """The engine with the highest throughput."""
    ratios: Mapping[tuple[str, str], Estimate]
    """Ratio of the throughputs of two engines, paired within blocks."""
    comparisons: Mapping[tuple[str, str], Comparisons]
    """By experiment and metric: engines with at least two common blocks, compared in pairs."""
    controls: tuple[Control, ...]
    efficiency: Mapping[str, EfficiencyCurve]
    no_ops: Mapping[str, tuple[NoOpBatch, ...]]
    job_costs: Mapping[str, JobCosts]
    """By engine: what a job of the reader's own would cost."""
    timelines: Mapping[str, tuple[Group, ...]]
    """For each experiment: which worker ran which task when."""
    elastic: Mapping[str, Mapping[str, ElasticityRun]]
    """By experiment and engine: the first watch of workers that came and went."""
    trials: Mapping[str, Mapping[tuple[str, str], Trial]]
    """By experiment, engine and fault: the first batch with a fault, and its twin."""
    cluster: ClusterFacts | None
    """``None`` without a cluster."""
    settings: tuple[SettingLine, ...]
    cautions: tuple[Caution, ...]
    watched: bool
    """At least one batch of tasks was recorded, so there is a trace."""
    failed: bool
    """A session or a case failed, or a batch did not pass a validity gate."""

    def versus(self, engine: str, other: str) -> Estimate | None:
        """Ratio of the throughputs, ``engine`` over ``other``; ``None`` if it is unknown."""
        return self.ratios.get((engine, other))


def analyse(run: Run) -> Analysis:
    """Compute the analysis of a run from its records."""
    run, repeated = settled(run)
    observations = Observations(run)
    plan = run.plan
    items = estimable(observations)
    rows = rows_of(items, plan.forms)
    series = tuple(item for item in items if isinstance(item, Series))
    sections = [
        (name, section) for name in plan.experiments for section in load_experiment(name).sections
    ]
    comparisons = all_comparisons(sections, series, plan.forms)
    speed = (throughput.NAME, THROUGHPUT.quantity.name)
    speeds = ratios(values_of(series, *speed))
    rows += tuple(form_rows(plan.forms, rows, series, speeds))
    costs = job_costs(observations)
    rows += tuple(done_first_rows(costs, series, plan))
    cores = run.environment.get("cores")
    facts = Facts(
        observations=observations,
        rows=rows,
        versus={
            experiment: versus(compared, ratios(values_of(series, experiment, metric)))
            for (experiment, metric), compared in comparisons.items()
            if metric == THROUGHPUT.quantity.name
        },
        within={key: one.within for key, one in comparisons.items() if one.within is not None},
        cores=cores if isinstance(cores, int) else None,
    )
    timelines = {name: groups(observations, name) for name in plan.experiments}
    return Analysis(
        plan=plan,
        environment=run.environment,
        engines=engines(plan),
        sessions_done=len(plan.sessions) - len(observations.unfinished()),
        rows=rows,
        series=series,
        calibrated=calibrated(run),
        headline=_headline(facts),
        fastest=throughput.fastest(rows, plan.forms),
        ratios=speeds,
        comparisons=comparisons,
        controls=controls(plan.engines, series),
        efficiency=efficiency_curves(observations),
        no_ops=no_op_batches(observations),
        job_costs=costs,
        timelines=timelines,
        elastic={name: first_watches(observations, name) for name in plan.experiments},
        trials={name: first_trials(observations, name) for name in plan.experiments},
        cluster=cluster_facts(run),
        settings=settings_of(run),
        cautions=find_cautions(
            Evidence(run=run, observations=observations, rows=rows, repeated=repeated)
        ),
        watched=any(isinstance(record, TaskRun) for record in run.records),
        failed=_failed(run, rows),
    )


def _headline(facts: Facts) -> tuple[str, ...]:
    experiments = map(load_experiment, facts.observations.plan.experiments)
    answers = (experiment.answer(facts) for experiment in experiments)
    return tuple(answer for answer in answers if answer is not None)


def _failed(run: Run, rows: Sequence[Row]) -> bool:
    return any(isinstance(record, Failure) for record in run.records) or any(
        row.verdict is not None and row.verdict.startswith(Why.INVALID) for row in rows
    )
