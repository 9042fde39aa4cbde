"""A cluster that grows while a program joins it, and one of another size than planned."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import psutil
import pytest

from compare.measure.local_nodes import local_nodes
from engines import cluster
from engines.errors import EngineStartError
from engines.interface import Engine, Resources
from tests.engines.outcomes import GONE_LIMIT_S, REPOSITORY, command_of

_PLANNED = Resources(workers=2, threads_per_worker=1, cluster="spark://head:7077")


class _Joining:
    """Only what the wait asks an engine: how many of its workers have joined so far."""

    name = "spark"

    def __init__(self, *joined: int) -> None:
        self._joined: Iterator[int] = iter(joined)
        self._last = 0

    def workers(self) -> int:
        self._last = next(self._joined, self._last)
        return self._last


def _wait(*joined: int) -> None:
    cluster.wait_for_workers(cast(Engine, _Joining(*joined)), _PLANNED)


@pytest.mark.timeout(60)
def test_a_program_waits_for_workers_that_join_one_after_the_other() -> None:
    _wait(0, 0, 1, 1, 2)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("joined", "sentence"),
    [
        (0, "has no workers for this program: start some, or check whether other programs use"),
        (1, "has 1 worker, but the comparison is planned for 2: use --workers 1"),
        (3, "has 3 workers, but the comparison is planned for 2: use --workers 3"),
    ],
)
def test_a_cluster_of_another_size_is_named_with_the_way_out(
    joined: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_JOIN_TIMEOUT_S", 0.3)
    with pytest.raises(
        EngineStartError, match=f"^spark: the cluster at spark://head:7077 {sentence}"
    ):
        _wait(joined)


@pytest.mark.timeout(300)
def test_a_driver_of_ray_that_is_killed_takes_its_own_node_along(tmp_path: Path) -> None:
    """A driver makes its host a node of the cluster, with daemons that nobody else would end."""
    alone = Resources(workers=1, threads_per_worker=1)
    with local_nodes("ray", alone) as nodes:
        with subprocess.Popen(
            command_of("waits", "ray", replace(alone, cluster=nodes.address)),
            cwd=REPOSITORY,
            env={**os.environ, **nodes.environment, "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as driver:
            assert driver.stdout is not None
            while '"running"' not in driver.stdout.readline():
                assert driver.poll() is None
            daemons = psutil.Process(driver.pid).children(recursive=True)
            assert any("raylet" in " ".join(one.cmdline()) for one in daemons)
            driver.kill()
        _, alive = psutil.wait_procs(daemons, GONE_LIMIT_S)
        assert [one.cmdline() for one in alive] == []
