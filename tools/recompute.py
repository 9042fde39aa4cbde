# ruff: noqa: T201 - it prints its findings
"""Recomputes ``summary.json`` of runs from their records, and compares it number for number.

    python -m tools.recompute docs/example results/RUN

Exit code 1 when a number, a word or a row differs from the stored ``summary.json``.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from compare.analysis.analysis import analyse
from compare.records.store import RunFolder
from compare.report.summary_json import summary_json
from tools.arguments import folders_of_runs

_NUMBERS = ("value", "low", "high")
_TOLERANCE = 1e-12
"""Relative; sums may be added in another order."""


def differences(stored: Mapping[str, Any], recomputed: Mapping[str, Any]) -> Iterator[str]:
    """Sentences about rows that differ."""
    before, after = (_by_key(content) for content in (stored, recomputed))
    for key in before.keys() - after.keys():
        yield f"row is missing: {key}"
    for key in after.keys() - before.keys():
        yield f"row is new: {key}"
    for key in before.keys() & after.keys():
        for field in (*_NUMBERS, "n", "unit"):
            if not _equal(before[key][field], after[key][field]):
                yield f"{key}: {field} was {before[key][field]}, is {after[key][field]}"


def _by_key(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for row in content["rows"]:
        case = json.dumps(row["case"], sort_keys=True)
        rows[f"{row['experiment']} {row['engine']} {row['metric']} {case}"] = row
    return rows


def _equal(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=1e-15)
    return one == other


def main() -> int:
    """Compare every run named on the command line."""
    code = 0
    for run in folders_of_runs(__doc__, at_least_one=True):
        stored = json.loads((run / "summary.json").read_text())
        recomputed = json.loads(summary_json(analyse(RunFolder(run).read())))
        wrong = sorted(differences(stored, recomputed))
        rows = stored["rows"]
        count = sum(row[field] is not None for row in rows for field in _NUMBERS)
        verdict = f"{len(wrong)} differ" if wrong else "all equal"
        print(f"{run.name}: {len(rows)} rows, {count} numbers: {verdict}")
        for sentence in wrong[:20]:
            print(f"  {sentence}")
        code = max(code, bool(wrong))
    return code


if __name__ == "__main__":
    sys.exit(main())
