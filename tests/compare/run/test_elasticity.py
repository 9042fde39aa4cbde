"""Workers of real engines in a real session: they come and go, or are fixed beside that."""

from pathlib import Path

import pytest

from compare.observations.elasticity import most_workers
from compare.records.measurements import ElasticityRun, Lifecycle
from compare.records.plan import Case, refine
from engines.interface import Capability, Config
from engines.registry import engine_names, load_engine
from tests.compare.run.sessions import ended, session_of

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

CASE = Case(
    experiment="elasticity",
    parameters={"most": 2, "idle_s": 2.0, "many": 6, "seconds": 0.5, "long_s": 1.0},
)
SCALING = [name for name in engine_names() if Capability.SCALES in load_engine(name).capabilities]


@pytest.mark.parametrize("engine", SCALING)
def test_workers_come_with_the_tasks_and_go_when_there_are_none(
    tmp_path: Path, engine: str
) -> None:
    session = session_of(engine, CASE, "elasticity", idle_s=2.0)
    seen = ended(tmp_path, session, Config.TUNED)
    (run,) = (record for record in seen.records if isinstance(record, ElasticityRun))
    assert (run.verdict, run.words) == ("finished", "")
    assert [one.tasks for one in run.submitted] == [7, 6]
    assert run.starts == (1,) * 13
    assert len(run.workers) >= 2
    for life in run.workers:
        assert life.gone_s is not None
        assert 0 <= life.created_s < life.first_task_s < life.gone_s
    # The last to go was idle for the time that it was told, and for two looks at the demand.
    gone_s = max(life.gone_s or 0.0 for life in run.workers) - run.completed_s[-1]
    assert 1.4 < gone_s < 12
    (session_life,) = (record for record in seen.records if isinstance(record, Lifecycle))
    assert session_life.first_result_s is None
    assert seen.alive == []


@pytest.mark.parametrize("engine", ["ray", "spark"])
def test_fixed_workers_get_the_same_demand_and_are_there_before_it(
    tmp_path: Path, engine: str
) -> None:
    case = refine(CASE, idle_s="never", seconds=0.1, long_s=0.2)
    seen = ended(tmp_path, session_of(engine, case, "elasticity-2-fixed"), Config.TUNED)
    (run,) = (record for record in seen.records if isinstance(record, ElasticityRun))
    assert (run.verdict, run.words, run.most) == ("finished", "", 2)
    assert [one.tasks for one in run.submitted] == [7, 6]
    assert run.starts == (1,) * 13
    assert len(run.workers) == 2
    assert {(life.created_s, life.gone_s) for life in run.workers} == {(0.0, None)}
    assert run.watched_s == pytest.approx(run.ended_s, abs=0.5)
    assert seen.alive == []


def test_workers_come_for_many_very_short_tasks_too(tmp_path: Path) -> None:
    parameters = {"most": 2, "idle_s": 2.0, "tasks": 1000, "seconds": 0.001}
    case = Case(experiment="elasticity", parameters=parameters)
    session = session_of("dask", case, "elasticity-short", idle_s=2.0)
    seen = ended(tmp_path, session, Config.TUNED)
    (run,) = (record for record in seen.records if isinstance(record, ElasticityRun))
    assert run.verdict == "finished"
    assert [one.tasks for one in run.submitted] == [1000]
    assert sum(times >= 1 for times in run.starts) == 1000
    assert 1 <= most_workers(run) <= 2
    assert seen.alive == []
