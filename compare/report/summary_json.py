"""Writes ``summary.json``, the interface for other programs."""

import dataclasses
import json

from compare.analysis.analysis import Analysis

SCHEMA = 2


def summary_json(analysis: Analysis) -> str:
    """All rows as JSON.  The same records give the same bytes."""
    content = {
        "schema": SCHEMA,
        "run_id": analysis.plan.run_id,
        "rows": [dataclasses.asdict(row) for row in analysis.rows],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
