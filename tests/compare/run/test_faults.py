"""A worker of every real engine is killed in a real session: what the engine makes of it."""

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from compare.observations.series import Row
from compare.records.measurements import FaultRun, Lifecycle, Record, Run
from compare.records.plan import Case, Session
from compare.records.store import RunFolder, decode
from compare.run.leftovers import adopt_orphans, descendants
from compare.run.runner import environment
from engines.interface import Config
from tests.compare import fakes
from tests.compare.analysed import rows
from tests.compare.command_line import REPOSITORY

pytestmark = [pytest.mark.alone, pytest.mark.timeout(60)]

CASE = Case(
    experiment="faults",
    parameters={"fault": "worker-killed", "tasks": 24, "seconds": 0.1},
)
_GONE_S = 5.0


class Seen(NamedTuple):
    """What a session left."""

    run: FaultRun
    rows: dict[str, Row]
    alive: list[psutil.Process]


def session_with_a_fault(folder: Path, engine: str, config: Config) -> Seen:
    session = Session(
        id=f"1-{engine}-worker-killed",
        block=1,
        position=0,
        engine=engine,
        label="worker-killed",
        workers=2,
        smallest_share=1.0,
        traced=False,
        cases=(CASE,),
        faults=True,
    )
    plan = fakes.plan(
        engines=(engine,), experiments=("faults",), blocks=1, config=config, sessions=(session,)
    )
    RunFolder(folder / "run").create(plan, fakes.environment())
    adopt_orphans()
    before = set(descendants())
    written = folder / "records"
    with written.open("wb") as file:
        arguments = [str(folder / "run"), session.id, str(file.fileno())]
        with subprocess.Popen(
            [sys.executable, "-m", "compare.run.session", *arguments],
            stdin=subprocess.PIPE,  # it ends when this does
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=REPOSITORY,
            env=environment(plan, session),
            pass_fds=(file.fileno(),),
        ) as process:
            assert process.stdout is not None
            said = process.stdout.read()
            assert process.wait() == 0, said
    records: tuple[Record, ...] = tuple(map(decode, written.read_bytes().splitlines(keepends=True)))
    assert isinstance(records[-1], Lifecycle)
    (run,) = (record for record in records if isinstance(record, FaultRun))
    told = rows(Run(plan=plan, environment=fakes.environment(), records=records))
    return Seen(
        run=run,
        rows={row.metric: row for row in told if row.experiment == "faults"},
        alive=_alive_after(before),
    )


def _alive_after(before: set[psutil.Process]) -> list[psutil.Process]:
    """Processes of the session that are alive some seconds after its end."""
    until_s = time.monotonic() + _GONE_S
    while alive := [process for process in descendants() if process not in before]:
        if time.monotonic() > until_s:
            break
        time.sleep(0.1)
    return alive


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
