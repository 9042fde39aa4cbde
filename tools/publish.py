"""Puts a run into docs/example, and its numbers into the tables of README.md.

    python -m tools.publish results/RUN

A run of all experiments goes to docs/example/all, with the table of the other questions.
"""

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from compare.formatting import bare, interval
from compare.observations.series import Row
from compare.records.plan import CEILING, SERIAL, Scalar

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
MAIN = ROOT / "docs" / "example"
ALL = MAIN / "all"
_SUMMARY = "summary.json"
_MS = 1e3


class Asked(NamedTuple):
    """A row of each engine, under a title."""

    title: str
    metric: str
    """``experiment/metric``."""
    scale: float = 1
    case: Mapping[str, Scalar] = MappingProxyType({})


_TENTH = {"cpus": 0.1}
_LARGE = {"bytes": 64_000_000}

_COLUMNS = (
    Asked("images/s", "throughput/throughput"),
    Asked("of the ceiling (%)", "throughput/engine_efficiency", 100),
    Asked("METG(50%) (ms)", "overhead/metg50", _MS),
    Asked("per task (ms)", "overhead/per_task_cost", _MS),
    Asked(
        "0.1 of a core: at once, warm",
        "fractional/peak_concurrency",
        1,
        {**_TENTH, "phase": "warm"},
    ),
    Asked("cold (s)", "fractional/makespan", 1, {**_TENTH, "phase": "cold"}),
    Asked("warm (s)", "fractional/makespan", 1, {**_TENTH, "phase": "warm"}),
)
_QUESTIONS = (
    Asked(
        "a neighbour beside tasks that ask for 0.1 of a core and burn a whole one: slower by (×)",
        "lying/slowdown_lying",
    ),
    Asked("the same neighbour beside tasks that sleep as they should (×)", "lying/slowdown_honest"),
    Asked(
        "images and waiting tasks together, over one after the other: gain (×)",
        "hybrid/hybrid_gain",
    ),
    Asked(
        "the model loaded once a worker, over once an image: gain (×)", "residency/residency_gain"
    ),
    Asked("METG(50%) of independent tasks (ms)", "overhead/metg50", _MS),
    Asked("METG(50%) with a call for each task (ms)", "submission/metg50", _MS),
    Asked("METG(50%) of a tree (ms)", "dependencies/metg50", _MS, {"pattern": "tree"}),
    Asked("METG(50%) of a stencil (ms)", "dependencies/metg50", _MS, {"pattern": "stencil"}),
    Asked("64 MB into a task (MB/s)", "payload/payload_rate", 1, {**_LARGE, "direction": "in"}),
    Asked("64 MB out of a task (MB/s)", "payload/payload_rate", 1, {**_LARGE, "direction": "out"}),
    Asked("lognormal tasks, over the best possible makespan (×)", "imbalance/imbalance"),
    Asked(
        "eight waits of 0.5 s that block no worker, over one wait (×)",
        "timeline/over_one_wait",
        1,
        {"how": "awaited"},
    ),
)


def rows_of(folder: Path) -> list[Row]:
    return [Row(**row) for row in json.loads((folder / _SUMMARY).read_text())["rows"]]


def main_table(rows: Sequence[Row]) -> str:
    """A line for each engine."""
    head = ["engine", *(asked.title for asked in _COLUMNS)]
    lines = [
        [engine, *(_cell(rows, engine, asked) for asked in _COLUMNS)] for engine in _engines(rows)
    ]
    return _table(head, lines)


def other_questions(rows: Sequence[Row]) -> str:
    """A line for each question, a column for each engine that is no baseline."""
    engines = [engine for engine in _engines(rows) if engine not in {CEILING, SERIAL}]
    lines = [
        [asked.title, *(_cell(rows, engine, asked) for engine in engines)] for asked in _QUESTIONS
    ]
    return _table(["", *engines], lines)


def in_readme(text: str, name: str, table: str) -> str:
    """The README with this table between the marks of that name."""
    found = re.compile(f"(?<=<!-- {name}:begin -->\n).*?(?=<!-- {name}:end -->)", re.DOTALL)
    assert len(found.findall(text)) == 1
    return found.sub(lambda _: table, text)


def _engines(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.engine for row in rows))


def _cell(rows: Sequence[Row], engine: str, asked: Asked) -> str:
    found = [
        row
        for row in rows
        if (row.engine, f"{row.experiment}/{row.metric}") == (engine, asked.metric)
        and asked.case.items() <= row.case.items()
    ]
    if not found:
        return "–"  # the ceiling is no engine: not everything is asked of it
    (row,) = found
    if not isinstance(row.value, float):
        return (row.verdict or "").partition(":")[0]
    told = bare(row, asked.scale)
    if row.low is None or row.high is None:
        return told
    return (
        f"{told} ({interval(*(bound * asked.scale for bound in (row.value, row.low, row.high)))})"
    )


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    ruled = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in ruled)


def main() -> None:
    run = Path(sys.argv[1])
    everything = "lying" in json.loads((run / "plan.json").read_text())["experiments"]
    folder = ALL if everything else MAIN
    shutil.rmtree(folder / "plots", ignore_errors=True)
    shutil.copytree(run / "plots", folder / "plots")
    for name in (_SUMMARY, "trace.json"):
        shutil.copy(run / name, folder)
    told = (run / "summary.md").read_text().splitlines(keepends=True)
    kept = [line for line in told if not line.startswith("| hostname |")]
    (folder / "summary.md").write_text("".join(kept))
    rows = rows_of(folder)
    table = other_questions(rows) if everything else main_table(rows)
    README.write_text(in_readme(README.read_text(), "questions" if everything else "run", table))


if __name__ == "__main__":
    main()
