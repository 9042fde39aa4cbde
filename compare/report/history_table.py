"""A metric over several runs, as a table for the console."""

from collections.abc import Iterator, Mapping

from rich.box import SIMPLE
from rich.table import Table

from compare.analysis.diff import Change, Outcome
from compare.analysis.history import Entry, History
from compare.formatting import number
from compare.report.cells import NOTHING, brief

SHOWN = (Outcome.SLOWER, Outcome.FASTER)
"""Outcomes that are marked."""


def history_table(history: History) -> Table:
    """A line for each run: date, versions, and for each engine its value and what changed."""
    table = Table(box=SIMPLE)
    for heading in ("run, start (UTC)", "new versions", *history.engines):
        table.add_column(heading, no_wrap=True)
    usual_n = max(row.n for entry in history.entries for row in entry.rows.values())
    for entry, versions in zip(history.entries, new_versions(history), strict=True):
        cells = [_cell(entry, engine, usual_n) for engine in history.engines]
        told = "\n".join(f"{name} {version}" for name, version in versions.items())
        table.add_row(f"{entry.run_id}\n{entry.date}", told or NOTHING, *cells)
    return table


def title(history: History) -> str:
    """The metric with its unit and case."""
    case = ", ".join(f"{name} {value}" for name, value in history.case.items())
    name = " ".join(dict.fromkeys((history.experiment, history.metric)))
    return f"{name} ({history.unit}){f', {case}' if case else ''}"


def history_sentences(history: History) -> Iterator[str]:
    """What the marks mean, and which runs are left out."""
    marked = sum(
        change.outcome in SHOWN for entry in history.entries for change in entry.changes.values()
    )
    yield (
        f"{marked or 'No'} change{'' if marked == 1 else 's'} from one run to the next "
        f"{'is' if marked == 1 else 'are'} shown, by the statistics of `diff`: a ratio is relative "
        "to the speed of the machine in its run."
    )
    for run_id, reason in history.left_out.items():
        yield f"{run_id} is left out: {reason}."


def mark(change: Change | None) -> str:
    """The word and the ratio of a change that is shown; otherwise nothing."""
    if change is None or change.outcome not in SHOWN or change.ratio is None:
        return ""
    return f"{change.outcome}: {number(change.ratio.value, digits=2)} ×"


def new_versions(history: History) -> list[Mapping[str, str]]:
    """For each run the versions that its predecessor did not have; all of them for the first."""
    known: Mapping[str, str] = {}
    found: list[Mapping[str, str]] = []
    for entry in history.entries:
        found.append({n: v for n, v in entry.versions.items() if known.get(n) != v})
        known = entry.versions
    return found


def _cell(entry: Entry, engine: str, usual_n: int) -> str:
    # The interval has a line of its own: six engines fit side by side.
    value = brief(entry.rows.get(engine), 1.0, usual_n=usual_n).replace(" (", "\n(")
    return "\n".join(filter(None, (value, mark(entry.changes.get(engine)))))
