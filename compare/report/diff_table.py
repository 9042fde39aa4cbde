"""The console table of changes between two runs."""

from rich.table import Table

from compare.analysis.diff import Change, Differences, Outcome
from compare.experiments.registry import identity
from compare.formatting import short
from compare.report.cells import ratio_cell


def diff_table(differences: Differences) -> Table:
    """A table with a line for each change, and a caption that counts the other rows."""
    table = Table(title=f"{differences.run_b} against {differences.run_a}")
    for heading in ("experiment", "engine", "metric", "B/A (95% interval)", ""):
        table.add_column(heading)
    unchanged = (Outcome.NO_DIFFERENCE, Outcome.NO_INTERVAL)
    for change in differences.changes:
        if change.outcome in unchanged:
            continue
        words = short(": ".join(filter(None, (change.outcome, change.detail))))
        ratio = ratio_cell(change.ratio)
        table.add_row(change.experiment, change.engine, _metric(change), ratio, words)
    rest = [change.outcome for change in differences.changes if change.outcome in unchanged]
    counts = [f"{rest.count(outcome)} rows: {outcome}" for outcome in unchanged if outcome in rest]
    table.caption = "; ".join(counts) or None
    return table


def _metric(change: Change) -> str:
    names = identity(change.experiment, change.case)
    return ", ".join([change.metric, *(f"{name} {change.case[name]}" for name in names)])
