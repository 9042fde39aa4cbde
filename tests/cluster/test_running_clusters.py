"""The comparison on a cluster that runs already, here of daemons on this host."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from engines.interface import Resources
from tests.compare.command_line import REPOSITORY, run_folder, small_run
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


OTHER = {"ray": "2.1.0", "dask": "2024.1.0", "spark": "3.1.0"}
"""Versions that this program pretends to have."""
PRETEND = {
    "ray": "import ray; ray.__version__ = {version!r}",
    "dask": "from distributed import versions as its; real = its.version; "
    "its.version = lambda name: {version!r} if name == 'distributed' else real(name)",
    # Its master tells its version on its page alone, which here is not where it is by default.
    "spark": "import pyspark; pyspark.__version__ = {version!r}; "
    "from dataclasses import replace; from engines._spark import tasks as its; "
    "its.CLUSTER = replace(its.CLUSTER, page={page})",
}

JOIN = """
from engines.interface import Resources
from engines.registry import load_engine
there = Resources(workers=2, threads_per_worker=1, cluster="{address}")
with load_engine("{engine}").open(there):
    pass
"""


@pytest.mark.placed(DAEMONS)
def test_another_version_is_refused_by_name_and_version(engine_name: str, tmp_path: Path) -> None:
    engine = placed(engine_name).engine
    with daemons(engine, Resources(workers=2, threads_per_worker=1)) as cluster:
        # Python runs it first in each process of this program; the daemons do not have it.
        pretend = PRETEND[engine].format(version=OTHER[engine], page=cluster.page)
        (tmp_path / "sitecustomize.py").write_text(pretend)
        path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
        done = subprocess.run(
            [sys.executable, "-c", JOIN.format(engine=engine, address=cluster.address)],
            env={**os.environ, **cluster.environment, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    told = done.stderr.splitlines()[-1]
    assert "EngineStartError" in told
    package = {"dask": "distributed", "spark": "pyspark"}.get(engine, engine)
    assert version(package) in told
    assert OTHER[engine] in told


def records(out: Path) -> list[dict[str, Any]]:
    lines = (run_folder(out) / "measurements.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
