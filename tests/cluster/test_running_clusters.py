"""The comparison on a cluster that is already running: here, daemons on this host."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from compare.formatting import enumeration
from compare.measure.local_nodes import local_nodes
from engines.interface import Resources
from engines.registry import clusters
from tests.compare.command_line import REPOSITORY, run_folder, small_run
from tests.engines.placement import DAEMONS, placed

_LIMIT_S = 800
"""Three clusters run at once, beside other tests."""
pytestmark = [pytest.mark.compares, pytest.mark.timeout(_LIMIT_S)]


def test_running_clusters_classify_every_image_once_and_as_serial_does(tmp_path: Path) -> None:
    with ExitStack() as opened:
        resources = Resources(workers=2, threads_per_worker=1)
        up = {name: opened.enter_context(local_nodes(name, resources)) for name in clusters()}
        where = ",".join(f"{engine}={cluster.address}" for engine, cluster in up.items())
        # All other tests ship paths, which is the default.
        asked = ("--engines", ",".join(up), "--experiments", "throughput", "--ship", "bytes")
        # Long enough that no node finishes before the other has started.
        sizes = ("--n-images", "360", "--chunk", "15")
        credentials = {
            name: value
            for engine, cluster in up.items()
            for name, value in cluster.environment.items()
            if name.startswith(f"{engine.upper()}_")
        }
        completed = small_run(
            tmp_path,
            *(*asked, *sizes, "--on", where, "--workers", "2"),
            environment=credentials,
            limit_s=_LIMIT_S - 100,
        )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    runs = {
        record["engine"]: record
        for record in records(tmp_path)
        if record["kind"] == "tasks" and record["case"]["experiment"] == "throughput"
    }
    for engine in up:
        assert runs[engine]["outputs"] == runs["serial"]["outputs"]
        assert runs[engine]["received"] == [1] * runs[engine]["tasks"]
    told = f"Hosts that ran tasks of one batch: {enumeration([f'{name} 1' for name in up])}"
    assert told in (tmp_path / "summary.md").read_text()


def test_the_error_for_a_wrong_number_of_workers_says_how_many_there_are(tmp_path: Path) -> None:
    engine = "dask"  # the fastest to start; all engines wait in the same way
    patient = "from engines import cluster; cluster._JOIN_TIMEOUT_S = 5"
    (tmp_path / "sitecustomize.py").write_text(patient)
    with local_nodes(engine, Resources(workers=1, threads_per_worker=1)) as cluster:
        asked = ("--engines", engine, "--experiments", "timeline", "--workers", "2")
        where = ("--on", f"{engine}={cluster.address}")
        path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
        environment = {**cluster.environment, "PYTHONPATH": path}
        completed = small_run(tmp_path / "out", *asked, *where, environment=environment)
    assert completed.returncode == 1
    assert (
        f"FAILED: {engine}: the cluster at {cluster.address} has 1 worker, but" in completed.stdout
    )


OTHER = {"ray": "2.1.0", "dask": "2024.1.0", "spark": "3.1.0"}
"""Versions that the driver pretends to have."""
PRETEND = {
    "ray": "import ray; ray.__version__ = {version!r}",
    "dask": "from distributed import versions as its; real = its.version; "
    "its.version = lambda name: {version!r} if name == 'distributed' else real(name)",
    # The master reports its version only on its page, which here has a non-default port.
    "spark": "import pyspark; pyspark.__version__ = {version!r}; "
    "from dataclasses import replace; from engines._spark import context as its; "
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
def test_a_cluster_of_another_version_is_rejected_with_both_versions(
    engine_name: str, tmp_path: Path
) -> None:
    engine = placed(engine_name).engine
    with local_nodes(engine, Resources(workers=2, threads_per_worker=1)) as cluster:
        # Python runs this file first in the driver and its children, but not in the daemons.
        pretend = PRETEND[engine].format(version=OTHER[engine], page=cluster.page)
        (tmp_path / "sitecustomize.py").write_text(pretend)
        path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
        completed = subprocess.run(
            [sys.executable, "-c", JOIN.format(engine=engine, address=cluster.address)],
            env={**os.environ, **cluster.environment, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    error = completed.stderr.splitlines()[-1]
    assert "EngineStartError" in error
    package = {"dask": "distributed", "spark": "pyspark"}.get(engine, engine)
    assert version(package) in error
    assert OTHER[engine] in error


def records(out: Path) -> list[dict[str, Any]]:
    lines = (run_folder(out) / "measurements.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
