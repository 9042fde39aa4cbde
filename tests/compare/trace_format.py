"""The part of the Trace Event Format that ``trace.json`` uses, written down strictly.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from collections import defaultdict
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[int, Field(ge=1)]
Microseconds = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Name(_Strict):
    name: Text


class SortIndex(_Strict):
    sort_index: Annotated[int, Field(ge=0)]


class AboutProcess(_Strict):
    ph: Literal["M"]
    name: Literal["process_name", "process_sort_index"]
    pid: Number
    tid: Literal[0]
    args: Name | SortIndex


class AboutThread(_Strict):
    ph: Literal["M"]
    name: Literal["thread_name", "thread_sort_index"]
    pid: Number
    tid: Number
    args: Name | SortIndex


class Complete(_Strict):
    ph: Literal["X"]
    name: Text
    cat: Text
    ts: Microseconds
    dur: Microseconds
    pid: Number
    tid: Number
    args: dict[str, str | int | float]

    @property
    def end(self) -> int:
        return self.ts + self.dur


class Trace(_Strict):
    displayTimeUnit: Literal["ms"]  # noqa: N815 - as the format calls it
    traceEvents: tuple[AboutProcess | AboutThread | Complete, ...]  # noqa: N815

    def complete(self) -> list[Complete]:
        return [event for event in self.traceEvents if isinstance(event, Complete)]

    def processes(self) -> dict[int, str]:
        """Names by number; fails where one is told twice."""
        told = [e for e in self.traceEvents if e.ph == "M" and e.name == "process_name"]
        assert len({event.pid for event in told}) == len(told)
        return {event.pid: event.args.name for event in told if isinstance(event.args, Name)}

    def threads(self) -> dict[tuple[int, int], str]:
        told = [e for e in self.traceEvents if e.ph == "M" and e.name == "thread_name"]
        assert len({(event.pid, event.tid) for event in told}) == len(told)
        return {
            (event.pid, event.tid): event.args.name
            for event in told
            if isinstance(event.args, Name)
        }


def checked(text: str) -> Trace:
    """The trace, once it holds all that viewers rely on."""
    trace = Trace.model_validate_json(text)
    processes, threads = trace.processes(), trace.threads()
    assert len(set(processes.values())) == len(processes)
    assert len({(pid, name) for (pid, _), name in threads.items()}) == len(threads)
    # Perfetto does not expect a number twice, be it in two processes.
    tids = [tid for _, tid in threads]
    assert len(set(tids)) == len(tids)
    assert not set(tids) & set(processes)
    by_thread: dict[tuple[int, int], list[Complete]] = defaultdict(list)
    for event in trace.complete():
        assert event.pid in processes
        by_thread[event.pid, event.tid].append(event)
    assert by_thread.keys() == threads.keys()
    assert {pid for pid, _ in by_thread} == processes.keys()
    for events in by_thread.values():
        for before, after in pairwise(sorted(events, key=lambda event: (event.ts, event.end))):
            assert before.end <= after.ts, (before, after)
    return trace
