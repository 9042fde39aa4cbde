"""Reads Spark's own record of its tasks."""

import json
from pathlib import Path

from engines.interface import OwnSpan


def task_spans(log: Path) -> tuple[OwnSpan, ...]:
    """The tasks in an event log."""
    with log.open() as lines:
        events = [json.loads(line) for line in lines if '"SparkListenerTaskEnd"' in line]
    return tuple(
        OwnSpan(
            name=f"task {event['Task Info']['Index']} in stage {event['Stage ID']}",
            worker=f"executor {event['Task Info']['Executor ID']}",
            start_s=event["Task Info"]["Launch Time"] / 1e3,
            end_s=event["Task Info"]["Finish Time"] / 1e3,
        )
        for event in events
    )
