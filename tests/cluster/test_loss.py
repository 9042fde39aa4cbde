"""A node of a cluster is killed in the middle of a run."""

import json
import subprocess
import threading
import time
from typing import Any

import pytest

from tests.cluster.test_containers import PROJECT, REPOSITORY, Kept, containers, docker, up
from tests.engines.placement import CONTAINERS

__all__ = ["up"]  # a fixture

pytestmark = [pytest.mark.placed(CONTAINERS), pytest.mark.timeout(400)]

TASKS = 24
_KILL_AFTER_S = 2.0


def kill_a_worker(engine: str, running: threading.Event) -> None:
    """When the batch has begun, which the log of the run tells."""
    running.wait(200)
    time.sleep(_KILL_AFTER_S)
    worker = next(
        one["Id"]
        for one in containers()
        if one["Config"]["Labels"]["com.docker.compose.service"] == f"{engine}-worker"
    )
    docker("kill", worker)


def test_every_task_is_done_once_in_the_results_and_the_report_tells_of_the_loss(
    engine_name: str, up: Kept
) -> None:
    engine = engine_name.partition(" ")[0]
    tests = f"{REPOSITORY}/tests:/opt/contract/tests:ro"
    asked = [
        *("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "python"),
        *("--volume", tests, "--env=PYTHONPATH=/opt/contract"),
        *("compare", "-m", "tests.cluster.long_batch", engine, str(TASKS)),
    ]
    running = threading.Event()
    killer = threading.Thread(target=kill_a_worker, args=(engine, running))
    killer.start()
    with subprocess.Popen(
        [
            "docker",
            "compose",
            "--project-name",
            PROJECT,
            "--profile",
            "tools",
            *asked,
        ],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            if line.startswith("begun"):
                running.set()
            lines.append(line)
        running.set()
        killer.join()
        assert process.stderr is not None
        assert process.wait() == 0, process.stderr.read()
    up.take_down()  # it is one node short
    told: dict[str, Any] = json.loads(lines[-1])
    assert told["received"] == [1] * TASKS
    assert told["lost"] == 1
    assert TASKS < told["kernel_calls"] <= TASKS + 4
    assert "lost the host" in told["caution"]
    assert f"of {TASKS} tasks, {told['kernel_calls'] - TASKS} ran twice" in told["caution"]
