"""Writes ``trace.json``: what every worker did, for viewers such as https://ui.perfetto.dev.

A process is a session, because the times of a session start when its engine is ready; a thread is a
lane.  The same records give the same bytes.  The file is in the Trace Event Format:
https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple, TypeAlias

from compare.observations.lanes import Lane, lanes
from compare.records.measurements import OwnTrace, Record, Run, TaskRun
from compare.records.plan import Case, Scalar, Session

_Event: TypeAlias = dict[str, Any]
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class _Slice(NamedTuple):
    """An event before its conversion; seconds since the engine was ready."""

    name: str
    category: str
    worker: int | str
    start_s: float
    end_s: float
    arguments: Mapping[str, Scalar]


def trace_json(run: Run) -> str:
    """The whole file, one event per line."""
    lines = [_COMPACT.encode(event) for event in _events(run)]
    return '{"displayTimeUnit": "ms", "traceEvents": [\n' + ",\n".join(lines) + "\n]}\n"


def _events(run: Run) -> Iterator[_Event]:
    by_session: dict[str, list[Record]] = defaultdict(list)
    for record in run.records:
        by_session[record.session].append(record)
    # Every process and thread has a unique number: viewers treat a thread with the number of its
    # process as the main thread, and may merge threads of two processes with the same number.
    numbers = count(1)
    for session in run.plan.sessions:
        threads = list(_threads(session, by_session[session.id]))
        if not threads:
            continue
        pid = next(numbers)
        name = ", ".join(filter(None, (session.engine, f"block {session.block}", session.label)))
        yield _metadata("process_name", pid, 0, {"name": name})
        yield _metadata("process_sort_index", pid, 0, {"sort_index": session.position})
        for place, (name, slices) in enumerate(threads):
            tid = next(numbers)
            yield _metadata("thread_name", pid, tid, {"name": name})
            yield _metadata("thread_sort_index", pid, tid, {"sort_index": place})
            yield from (_complete(piece, pid, tid) for piece in slices)


def _threads(
    session: Session, records: Sequence[Record]
) -> Iterator[tuple[str, tuple[_Slice, ...]]]:
    """Names of the threads, and what they ran."""
    runs = [record for record in records if isinstance(record, TaskRun)]
    for lane in lanes(map(_batch, runs)):
        yield _name("{}", lane), lane.spans
    for lane in lanes(piece for run in runs for piece in _tasks(run)):
        yield _name("worker {}", lane), lane.spans
    own = [record for record in records if isinstance(record, OwnTrace)]
    for lane in lanes(piece for trace in own for piece in _own(trace)):
        yield _name(f"{session.engine}'s own: {{}}", lane), lane.spans


def _batch(run: TaskRun) -> _Slice:
    """The slice from submission until the last result, with all parameters of the case."""
    ended_s = run.submitted_s + run.makespan_s
    arguments = {**run.case.parameters, "tasks": run.tasks}
    name = _name_of(run.case)
    return _Slice(name, run.case.experiment, "driver", run.submitted_s, ended_s, arguments)


def _tasks(run: TaskRun) -> Iterator[_Slice]:
    name = _name_of(run.case)
    for span in run.spans or ():
        start_s, end_s, received_s = (
            round(run.submitted_s + since_s, 6)
            for since_s in (span.start_s, span.end_s, span.received_s)
        )
        arguments = {"task": span.task, "received_s": received_s}
        yield _Slice(name, run.case.experiment, span.worker, start_s, end_s, arguments)


def _own(trace: OwnTrace) -> Iterator[_Slice]:
    for span in trace.spans:
        yield _Slice(span.name, "own", span.worker, span.start_s, span.end_s, {})


def _name_of(case: Case) -> str:
    """A short name: numeric parameters are arguments of the batch."""
    words = [value for value in case.parameters.values() if isinstance(value, str)]
    return " ".join([case.experiment, *words])


def _name(form: str, lane: Lane[_Slice]) -> str:
    # Viewers drop slices that overlap on one thread: https://github.com/google/perfetto/issues/4280
    name = form.format(lane.worker)
    return f"{name}, lane {lane.place + 1}" if lane.place else name


def _metadata(name: str, pid: int, tid: int, arguments: Mapping[str, Scalar]) -> _Event:
    return {"ph": "M", "name": name, "pid": pid, "tid": tid, "args": dict(arguments)}


def _complete(piece: _Slice, pid: int, tid: int) -> _Event:
    start_us = _microseconds(piece.start_s)
    return {
        "ph": "X",
        "name": piece.name,
        "cat": piece.category,
        "ts": start_us,
        # Not the rounded difference, which could overlap with the next slice.
        "dur": _microseconds(piece.end_s) - start_us,
        "pid": pid,
        "tid": tid,
        "args": dict(piece.arguments),
    }


def _microseconds(seconds: float) -> int:
    # Engines record the time of day, which may seem to be earlier than the engine's start.
    return max(0, round(seconds * 1e6))
