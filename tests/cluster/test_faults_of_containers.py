"""A node of a real cluster is cut off from its network, and another one killed, during a batch.

python -m pytest tests/cluster --on containers
"""

import subprocess
import sys
from pathlib import Path

import pytest

from compare.records.measurements import FaultRun, Lifecycle
from compare.records.store import RunFolder
from tests.compare.analysed import rows
from tests.compare.command_line import REPOSITORY
from tests.engines.containers import docker
from tests.engines.placement import CONTAINERS, placed

pytestmark = [pytest.mark.placed(CONTAINERS), pytest.mark.plain, pytest.mark.timeout(500)]


def test_a_batch_goes_on_when_its_node_is_cut_off_or_killed_and_nothing_is_left_behind(
    engine_name: str, tmp_path: Path
) -> None:
    engine, folder = placed(engine_name).engine, tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster.faulty_sessions", engine, str(folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=480,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = RunFolder(folder).read()
    label = f"label=com.docker.compose.project=engine-compare-{run.plan.run_id}"
    for kind in (("ps", "--all"), ("network", "ls"), ("volume", "ls")):
        assert docker(*kind, "--quiet", "--filter", label) == ""
    cut, killed = (record for record in run.records if isinstance(record, FaultRun))
    told = {
        (row.case["fault"], row.metric): row.value
        for row in rows(run)
        if row.experiment == "faults" and row.engine == engine
    }
    for faulty in (cut, killed):
        fault = faulty.case.parameters["fault"]
        assert (faulty.verdict, faulty.words) == ("finished", "")
        assert faulty.fault_s is not None
        assert told[fault, "verdict"] == "finished"
        assert told[fault, "correct"] == 1
    # For five seconds, no result comes from the node without a network.
    assert float(told["network-cut", "time_lost"] or 0) > 1
    assert float(told["container-killed", "time_lost"] or 0) > 0
    # No task runs twice if Docker takes its time, and the container dies between two of them.
    assert told["container-killed", "ran_twice"] is not None
    healed, lost = (record for record in run.records if isinstance(record, Lifecycle))
    assert [node.lost for node in healed.nodes].count(True) == 0
    assert [node.lost for node in lost.nodes].count(True) == 1
