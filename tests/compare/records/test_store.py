"""What is written comes back equal, and what is damaged is named."""

import json
from pathlib import Path

import pytest

from compare.records.measurements import (
    ElasticityRun,
    EngineSpan,
    Failure,
    FaultRun,
    NodeUse,
    NotApplicable,
    OwnTrace,
    Record,
    RoundTrips,
    Span,
    Submission,
    TaskRun,
    WorkerLife,
)
from compare.records.plan import Case
from compare.records.store import (
    PACKED,
    RunFolder,
    StoreError,
    decode,
    encode,
    finished_sessions,
)
from tests.compare import fakes
from tests.compare.plan.test_schedule import planned

HEAD = {"session": "1-ray", "block": 1, "position": 0, "engine": "ray"}
CASE = Case(experiment="overhead", parameters={"tasks": 2, "phase": "warm", "cpus": 0.1})
RUN = TaskRun(
    **HEAD,  # type: ignore[arg-type]
    case=CASE,
    tasks=2,
    items=2,
    submitted_s=1.5,
    makespan_s=0.1 + 0.2,
    first_result_s=1e-9,
    cpu_s=0.0,
    peak_memory_bytes=None,
    peak_processes=None,
    peak_threads=7,
    memory_room_bytes=None,
    oom_kills=0,
    harness_s=1e-6,
    received=(1, 1),
    kernel_calls=2,
    set_ups=0,
    hosts=("one", "two"),
    nodes=(NodeUse("one", "worker", 1.5, 100, 20, 30),),
    workers_seen=2,
    threads=(1,),
    niceness=(0,),
    errors=("Traceback: ünïcode\n|",),
    outputs=("a", "b"),
    spans=(Span(0, 0, 0.0, 1.0, 1.5),),
)
RECORDS: list[Record] = [
    RUN,
    FaultRun(
        **HEAD,  # type: ignore[arg-type]
        case=CASE,
        tasks=2,
        verdict="hung",
        words="",
        ended_s=5.0,
        deadline_s=5.0,
        fault_s=None,
        received=(1, 0),
        wrong=0,
        starts=(1, 2),
        completed_s=(0.1,),
    ),
    ElasticityRun(
        **HEAD,  # type: ignore[arg-type]
        case=CASE,
        most=2,
        verdict="failed",
        words="it fell\nover",
        ended_s=5.0,
        watched_s=6.0,
        submitted=(Submission(0.0, 2),),
        completed_s=(0.1,),
        starts=(1, 2),
        workers=(WorkerLife(0.5, 1.0, None), WorkerLife(0.5, 1.0, 4.0)),
    ),
    RoundTrips(**HEAD, case=CASE, samples_s=(0.1, 0.2)),  # type: ignore[arg-type]
    NotApplicable(**HEAD, case=CASE, reason="no"),  # type: ignore[arg-type]
    OwnTrace(**HEAD, spans=(EngineSpan("task", "pid 7", 0.1, 0.2),)),  # type: ignore[arg-type]
    Failure(**HEAD, case=None, reason="it fell\nover"),  # type: ignore[arg-type]
]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run")
    made.create(planned(), {"cores": 2})
    return made


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.kind)
def test_a_record_is_one_line_and_comes_back_equal(record: Record) -> None:
    line = encode(record)
    assert line.count(b"\n") == 1
    assert decode(line) == record


def test_a_folder_comes_back_as_it_was_written(folder: RunFolder) -> None:
    for record in RECORDS:
        folder.append(record)
    run = folder.read()
    assert run.plan == planned()
    assert list(run.records) == RECORDS
    assert run.environment == {"cores": 2}


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"makespan_s": "fast"},
        {"kind": "rumour"},
    ],
)
def test_a_line_with_a_foreign_or_wrong_field_is_refused(
    folder: RunFolder, change: dict[str, object]
) -> None:
    folder.append(RECORDS[1])
    damaged = {**json.loads(encode(RUN)), **change}
    with (folder.path / "measurements.jsonl").open("a") as file:
        file.write(json.dumps(damaged) + "\n")
    with pytest.raises(StoreError, match=r"measurements\.jsonl:2: "):
        folder.read()


def test_a_torn_last_line_is_left_out(folder: RunFolder) -> None:
    for record in RECORDS:
        folder.append(record)
    path = folder.path / "measurements.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    assert list(folder.read().records) == RECORDS[:-1]


def test_a_session_has_finished_with_its_lifecycle_or_when_it_failed_as_a_whole() -> None:
    assert finished_sessions(RECORDS[:-1]) == frozenset()
    assert finished_sessions(RECORDS) == {"1-ray"}


def test_an_existing_run_is_never_overwritten(folder: RunFolder) -> None:
    with pytest.raises(StoreError, match="choose another --out"):
        folder.create(planned(), {})


def test_packed_records_are_read_like_others_and_a_damaged_archive_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.create(fakes.plan(), {})
    for record in RECORDS:
        folder.append(record)
    folder.pack()
    assert not (folder.path / "measurements.jsonl").exists()
    assert list(folder.read().records) == RECORDS
    packed = folder.path / PACKED
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(StoreError, match=PACKED):
        folder.read()
