"""The comparison on a cluster that runs already, here of daemons on this host."""

import json
from pathlib import Path
from typing import Any

import pytest

from engines.interface import Resources
from tests.compare.command_line import run_folder, small_run
from tests.engines.placement import DAEMONS, daemons, placed

pytestmark = pytest.mark.timeout(200)


@pytest.mark.placed(DAEMONS)
def test_classifies_every_image_once_as_serial_does(engine_name: str, tmp_path: Path) -> None:
    engine = placed(engine_name).engine
    # How images travel does not depend on the engine: each way is taken by some.
    ship = "paths" if engine == "ray" else "bytes"
    with daemons(engine, Resources(workers=2, threads_per_worker=1)) as cluster:
        asked = ("--engines", engine, "--experiments", "throughput", "--ship", ship)
        where = ("--on", f"{engine}={cluster.address}", "--workers", "2")
        # Long enough that no node is done before the other has begun.
        sizes = ("--n-images", "360", "--chunk", "15")
        done = small_run(tmp_path, *asked, *where, *sizes, environment=cluster.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = {
        record["engine"]: record
        for record in records(tmp_path)
        if record["kind"] == "tasks" and record["case"]["experiment"] == "throughput"
    }
    assert runs[engine]["outputs"] == runs["serial"]["outputs"]
    assert runs[engine]["received"] == [1] * runs[engine]["tasks"]
    summary = (tmp_path / "summary.md").read_text()
    assert f"Hosts that ran tasks of one batch: {engine} 1" in summary


def test_another_number_of_workers_than_there_are_is_named(tmp_path: Path) -> None:
    engine = "dask"  # the quickest to start; all of them wait in the same way
    with daemons(engine, Resources(workers=1, threads_per_worker=1)) as cluster:
        asked = ("--engines", engine, "--experiments", "throughput", "--workers", "2")
        where = ("--on", f"{engine}={cluster.address}")
        done = small_run(tmp_path, *asked, *where, environment=cluster.environment)
    assert done.returncode == 1
    assert f"FAILED: {engine}: the cluster at {cluster.address} has 1 workers" in done.stdout


def records(out: Path) -> list[dict[str, Any]]:
    lines = (run_folder(out) / "measurements.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
