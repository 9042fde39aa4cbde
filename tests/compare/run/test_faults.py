"""A worker of every real engine is killed in a real session: what the engine makes of it."""

import re
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from compare.observations.series import Row
from compare.records.measurements import FaultRun, Run
from compare.records.plan import Case, refine
from engines.interface import Config
from tests.compare import fakes
from tests.compare.analysed import rows
from tests.compare.run.sessions import ended, session_of

pytestmark = [pytest.mark.alone, pytest.mark.timeout(180)]

CASE = Case(
    experiment="faults",
    parameters={"fault": "worker-killed", "tasks": 24, "seconds": 0.1},
)


class Seen(NamedTuple):
    """What a session left."""

    run: FaultRun
    rows: dict[str, Row]
    alive: list[psutil.Process]


def session_with_a_fault(
    folder: Path, engine: str, config: Config, fault: str = "worker-killed"
) -> Seen:
    case = refine(CASE, fault=fault)
    session = session_of(
        engine,
        case,
        fault,
        faults=True,
        nodes=fault in {"node-killed", "driver-killed"},
        own_driver=fault == "driver-killed",
    )
    plan, records, alive = ended(folder, session, config)
    (run,) = (record for record in records if isinstance(record, FaultRun))
    told = rows(Run(plan=plan, environment=fakes.environment(), records=records))
    return Seen(
        run=run,
        rows={row.metric: row for row in told if row.experiment == "faults"},
        alive=alive,
    )


@pytest.mark.parametrize("engine", ["process-executor", "ray", "dask", "spark"])
def test_a_tuned_engine_finishes_with_every_result_right_although_a_worker_was_killed(
    tmp_path: Path, engine: str
) -> None:
    seen = session_with_a_fault(tmp_path, engine, Config.TUNED)
    assert (seen.run.verdict, seen.run.words) == ("finished", "")
    assert seen.run.fault_s is not None
    assert seen.rows["verdict"].verdict == "finished"
    assert seen.rows["correct"].value == 1
    assert float(seen.rows["ran_twice"].value or 0) >= 1
    assert float(seen.rows["time_lost"].value or 0) > 0
    assert seen.alive == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ["ray", "dask", "spark"])
def test_a_tuned_cluster_finishes_with_every_result_right_although_a_node_was_lost(
    tmp_path: Path, engine: str
) -> None:
    seen = session_with_a_fault(tmp_path, engine, Config.TUNED, "node-killed")
    assert (seen.run.verdict, seen.run.words) == ("finished", "")
    assert seen.run.fault_s is not None
    assert seen.rows["correct"].value == 1
    assert float(seen.rows["ran_twice"].value or 0) >= 1
    assert float(seen.rows["time_lost"].value or 0) > 0
    assert seen.alive == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ["multiprocessing", "process-executor", "ray", "dask", "spark"])
def test_the_next_driver_gets_every_result_although_the_one_before_was_killed(
    tmp_path: Path, engine: str
) -> None:
    seen = session_with_a_fault(tmp_path, engine, Config.TUNED, "driver-killed")
    assert seen.run.verdict == "finished"
    assert seen.run.fault_s is not None
    assert seen.rows["correct"].value == 1
    assert float(seen.rows["ran_twice"].value or 0) >= seen.run.tasks // 3
    assert float(seen.rows["time_lost"].value or 0) > seen.run.fault_s / 2
    assert re.fullmatch(r"|\(all processes of the killed driver had ended .+\)", seen.run.words)
    assert seen.alive == []


def test_a_pool_waits_for_the_lost_task_until_the_deadline(tmp_path: Path) -> None:
    seen = session_with_a_fault(tmp_path, "multiprocessing", Config.TUNED)
    assert seen.run.verdict == "hung"
    assert sum(seen.run.received) == seen.run.tasks - 1
    assert seen.run.ended_s == pytest.approx(seen.run.deadline_s, abs=1)
    assert seen.rows["correct"].value == 0
    assert seen.rows["ran_twice"].value == 0
    assert seen.alive == []


def test_shipped_spark_fails_in_local_mode_and_says_why(tmp_path: Path) -> None:
    seen = session_with_a_fault(tmp_path, "spark", Config.SHIPPED)
    assert seen.run.verdict == "failed"
    assert "Job aborted due to stage failure" in seen.run.words
    assert seen.rows["words"].value
    assert seen.rows["time_lost"].value is None
    assert seen.alive == []
