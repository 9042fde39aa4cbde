"""What is said of a run, straight from its records; and every experiment by its name."""

from pathlib import Path

from rich.table import Table

from compare import console
from compare.analysis import comparisons, diff
from compare.analysis.analysis import analyse
from compare.analysis.blocks import Values
from compare.analysis.cautions import Caution
from compare.analysis.comparisons import Control, Pair
from compare.analysis.curves import EfficiencyCurve
from compare.analysis.intervals import Estimate
from compare.experiments.experiment import Experiment, Scope
from compare.experiments.registry import experiment_names, load_experiment
from compare.experiments.throughput import NAME, speed
from compare.observations.lanes import Group
from compare.observations.reader import Observations, engines
from compare.observations.series import Row, Series
from compare.records.measurements import Run
from compare.records.plan import Plan
from compare.report import cluster, plots, summary_json
from compare.report import markdown as pages
from compare.report.headline import headline

EXPERIMENTS: dict[str, Experiment] = {name: load_experiment(name) for name in experiment_names()}


def scope(of: Plan) -> Scope:
    return Scope(preset=of.options.preset, workload=of.workload, workers=of.workers, job=of.job)


def rows(run: Run) -> tuple[Row, ...]:
    return analyse(run).rows


def series(run: Run) -> tuple[Series, ...]:
    return analyse(run).series


def cautions(run: Run) -> tuple[Caution, ...]:
    return analyse(run).cautions


def controls(run: Run) -> tuple[Control, ...]:
    return analyse(run).controls


def all_pairs(run: Run) -> tuple[Pair, ...]:
    return comparisons.compare_engines(_speeds(run)).pairs


def throughput_ratio(run: Run, engine: str, other: str) -> Estimate | None:
    return comparisons.ratios(_speeds(run)).get((engine, other))


def _speeds(run: Run) -> Values:
    observations = Observations(run)
    series = [speed(observations, engine) for engine in engines(run.plan)]
    return comparisons.values_of(series, NAME, "throughput")


def efficiency_curve(run: Run, engine: str) -> EfficiencyCurve | None:
    return analyse(run).efficiency.get(engine)


def groups(run: Run, experiment: str) -> tuple[Group, ...]:
    return analyse(run).timelines.get(experiment, ())


def headlines(run: Run) -> tuple[str, ...]:
    return headline(analyse(run))


def markdown(run: Run) -> str:
    """The page with everything."""
    return pages.details_markdown(analyse(run))


def summary(run: Run) -> str:
    """The page that is read first."""
    return pages.summary_markdown(analyse(run))


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
