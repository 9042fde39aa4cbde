"""What engines whose workers come and go are told, in both configurations."""

import pytest

from engines._dask.settings import adaptive, cluster_arguments
from engines._ray.settings import autoscaler
from engines._spark.settings import properties
from engines.daemons import free_ports
from engines.interface import Config, Resources, Setting

IDLE_S = 6.0


def values(settings: tuple[Setting, ...]) -> dict[str, str]:
    return {setting.name: setting.value for setting in settings}


@pytest.mark.parametrize("config", Config)
def test_a_worker_is_idle_for_the_same_time_before_it_ends_on_every_engine(config: Config) -> None:
    resources = Resources(workers=4, threads_per_worker=1, config=config, idle_s=IDLE_S)
    dask = values(adaptive(resources, IDLE_S))
    interval_s = float(dask.get("interval", "'1s'").strip("'s"))
    assert int(dask["wait_count"]) * interval_s == IDLE_S
    assert float(values(autoscaler(resources, IDLE_S))["idle_timeout_minutes"]) * 60 == IDLE_S
    spark = values(properties(resources))
    assert spark["spark.dynamicAllocation.executorIdleTimeout"] == f"{IDLE_S:g}s"


@pytest.mark.parametrize("config", Config)
def test_dask_keeps_its_limit_of_memory_without_which_no_idle_worker_ends(config: Config) -> None:
    resources = Resources(workers=4, threads_per_worker=1, config=config, idle_s=IDLE_S)
    told = values(cluster_arguments(resources))
    assert told["n_workers"] == "0"
    assert "memory_limit" not in told


def test_ports_are_different() -> None:
    assert len(set(free_ports(20))) == 20
