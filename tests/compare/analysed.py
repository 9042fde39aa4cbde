"""What is said of a run, straight from its records; and every experiment by its name."""

from pathlib import Path

from rich.table import Table

from compare import console
from compare.analysis import comparisons, diff
from compare.analysis.analysis import analyse
from compare.analysis.cautions import Caution
from compare.analysis.comparisons import Control, Pair, throughput_ratios
from compare.analysis.curves import EfficiencyCurve
from compare.analysis.intervals import Estimate, geometric_mean
from compare.experiments.experiment import Experiment, Scope
from compare.experiments.registry import experiment_names, load_experiment
from compare.observations.lanes import Group
from compare.observations.reader import Observations, engines
from compare.observations.series import Row, Series
from compare.records.measurements import Run
from compare.records.plan import Plan
from compare.report import cluster, plots, summary_json, summary_markdown
from compare.report.headline import headline

EXPERIMENTS: dict[str, Experiment] = {name: load_experiment(name) for name in experiment_names()}


def scope(of: Plan) -> Scope:
    return Scope(preset=of.options.preset, workload=of.workload, workers=of.workers)


def rows(run: Run) -> tuple[Row, ...]:
    return analyse(run).rows


def series(run: Run) -> tuple[Series, ...]:
    return analyse(run).series


def cautions(run: Run) -> tuple[Caution, ...]:
    return analyse(run).cautions


def controls(run: Run) -> tuple[Control, ...]:
    return analyse(run).controls


def all_pairs(run: Run) -> tuple[Pair, ...]:
    return comparisons.all_pairs(engines(run.plan), throughput_ratios(Observations(run)))


def throughput_ratio(run: Run, engine: str, other: str) -> Estimate | None:
    ratios = throughput_ratios(Observations(run)).get((engine, other))
    return None if ratios is None else geometric_mean(ratios)


def efficiency_curve(run: Run, engine: str) -> EfficiencyCurve | None:
    return analyse(run).efficiency.get(engine)


def groups(run: Run, experiment: str) -> tuple[Group, ...]:
    return analyse(run).timelines.get(experiment, ())


def headlines(run: Run) -> tuple[str, ...]:
    return headline(analyse(run))


def markdown(run: Run) -> str:
    return summary_markdown.summary_markdown(analyse(run))


def json_text(run: Run) -> str:
    return summary_json.summary_json(analyse(run))


def cluster_sentences(run: Run) -> tuple[str, ...]:
    return cluster.cluster_sentences(analyse(run))


def console_tables(run: Run) -> tuple[Table, ...]:
    return console.console_tables(analyse(run))


def write_plots(run: Run, folder: Path) -> tuple[Path, ...]:
    return plots.write_plots(analyse(run), folder)


def compare_runs(a: Run, b: Run, *, anyway: bool = False) -> diff.Differences:
    return diff.compare_runs(analyse(a), analyse(b), anyway=anyway)
