"""What changed between two runs, for the console: the machine, the answer, then the rows."""

from collections.abc import Sequence

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from compare.analysis.diff import Change, Differences, Outcome
from compare.analysis.relative import Kind, Machine
from compare.experiments.registry import identity
from compare.formatting import plural, short
from compare.report.cells import ratio_cell

_COUNTED = (Outcome.NO_DIFFERENCE, Outcome.NO_INTERVAL, Outcome.NO_RATIO, Outcome.NO_NUMBER)
"""Outcomes that are counted instead of listed."""
_ORDER = tuple(outcome for outcome in Outcome if outcome not in _COUNTED)
_WORDS = {Outcome.SLOWER: "worse", Outcome.FASTER: "better"}
"""The outcome of quantities that are neither times nor rates."""


def diff_table(differences: Differences) -> Group:
    """What happened to the machine and to the engines, and a table with a line for each change."""
    changes = differences.changes
    listed = sorted(
        (change for change in changes if change.outcome in _ORDER),
        key=lambda change: _ORDER.index(change.outcome),
    )
    return Group(
        f"A is {differences.run_a}, B is {differences.run_b}.",
        machine_sentence(differences.machine),
        _answer(changes),
        *([_table(listed)] if listed else []),
        _counts(changes),
    )


def machine_sentence(machine: Machine | None) -> str:
    """How the speed of the machine changed, and how it is known."""
    if machine is None:
        return (
            "The speed of the machine is not known in both runs: times and rates are compared as "
            "they were measured."
        )
    ratio, source = machine.ratio, machine.source
    change = f"{abs(1 - ratio.value):.0%} {'slower' if ratio.value < 1 else 'faster'}"
    if ratio.low is None or ratio.high is None:
        return f"The machine of B was {change}, without an interval from one block: {source}."
    if not ratio.difference_shown:
        return (
            "No change of the machine is shown: the speed of B was "
            f"{ratio_cell(ratio)} times that of A by {source}."
        )
    least, most = sorted((abs(1 - ratio.low), abs(1 - ratio.high)))
    return f"The machine of B was {change} ({100 * least:.0f}–{most:.0%}): {source}."


def _answer(changes: Sequence[Change]) -> str:
    """How many rows changed, of how many."""
    tested = (Outcome.SLOWER, Outcome.FASTER, Outcome.NO_DIFFERENCE)
    compared = plural(sum(change.outcome in tested for change in changes), "compared row")
    counts = (
        (Outcome.SLOWER, "worse in B"),
        (Outcome.FASTER, "better"),
        (Outcome.LOST, "without a number now"),
    )
    found = [
        f"{n} {words}"
        for outcome, words in counts
        if (n := sum(change.outcome is outcome for change in changes))
    ]
    relative = "times and rates relative to the machine"
    return f"Of {compared}, {', '.join(found) or 'none is shown to differ'} ({relative})."


def _counts(changes: Sequence[Change]) -> str:
    outcomes = [change.outcome for change in changes]
    counts = [(outcomes.count(outcome), outcome) for outcome in _COUNTED]
    return "Not listed: " + "; ".join(f"{plural(n, 'row')}: {one}" for n, one in counts if n)


def _table(listed: Sequence[Change]) -> Table:
    table = Table()
    for heading in ("engine", "quantity", "B/A (95% interval)", ""):
        table.add_column(heading)
    for alike in _merged(listed):
        change, more = alike[0], len(alike) - 1
        outcome = change.outcome
        word = _WORDS.get(outcome, outcome) if change.kind is Kind.OTHER else outcome
        words = short(": ".join(filter(None, (word, change.detail))))
        quantity = _quantity(change) + (f", and {plural(more, 'more row')}" if more else "")
        table.add_row(change.engine, quantity, ratio_cell(change.ratio), escape(words))
    return table


def _merged(listed: Sequence[Change]) -> list[list[Change]]:
    """The lines of the table: rows without a ratio share one if an engine has them for one reason,
    as all rows of an invalid batch do.
    """
    lines: dict[object, list[Change]] = {}
    for place, change in enumerate(listed):
        reason = (change.engine, change.outcome, change.detail)
        lines.setdefault(reason if change.ratio is None else place, []).append(change)
    return list(lines.values())


def _quantity(change: Change) -> str:
    names = identity(change.experiment, change.case)
    name = " ".join(dict.fromkeys((change.experiment, change.metric)))
    return ", ".join([name, *(f"{one} {change.case[one]}" for one in names)])
