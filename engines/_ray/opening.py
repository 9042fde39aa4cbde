"""Starts Ray, or joins a running cluster: what all adapters of Ray have in common."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from engines._ray.cluster import driver_node
from engines._ray.elastic import elastic_cluster
from engines._ray.settings import (
    PATH,
    autoscaler,
    init_arguments,
    join_arguments,
    private,
    scaling_node,
    tuned_node,
    tuned_view,
)
from engines.environment import (
    Framework,
    arguments,
    budget,
    export,
    forget,
    private_folder,
    share_import_path,
)
from engines.errors import EngineStartError
from engines.interface import Resources, Setting


@contextmanager
def opened(resources: Resources) -> Iterator[tuple[Framework, tuple[Setting, ...]]]:
    """The module of Ray, connected to a private node or to a cluster, and the settings made.

    Raises:
        EngineStartError: Ray did not start, or cannot join the cluster.
    """
    with private_folder() as folder:
        told: tuple[Setting, ...] = ()
        if resources.cluster is None:
            variables = budget(resources) + private() + tuned_node(resources)
            variables += scaling_node(resources)
            init = init_arguments(resources)
            forget("RAY_")
            (folder / "token").write_text(secrets.token_hex(32))
            _find_own_programs_first()
            told = (PATH,)
            node: AbstractContextManager[str] = nullcontext("local")
            if resources.idle_s is not None:
                node = elastic_cluster(resources, resources.idle_s, folder)
                told += autoscaler(resources, resources.idle_s)
        else:
            # The driver starts a node on this host, and that node decides where tasks run.
            variables = budget(resources) + tuned_view(resources)
            init = join_arguments(resources)
            forget("RAY_ADDRESS", "RAY_NAMESPACE")
            node = driver_node(resources.cluster, folder)
        export(variables, folder)
        share_import_path()
        import ray

        with node as address:
            try:
                ray.init(address, **arguments(init, folder))
            except (RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
                ray.shutdown()
                raise EngineStartError(f"ray did not start: {error}") from error
            try:
                yield ray, variables + init + told
            finally:
                ray.shutdown()


def _find_own_programs_first() -> None:
    """Change ``PATH`` as the activation of this program's environment would; see ``PATH``."""
    others = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{others}"


def living_nodes(ray: Framework) -> list[dict[str, Any]]:
    """The nodes that are alive, as Ray describes them."""
    return [node for node in ray.nodes() if node["Alive"]]


def cores(ray: Framework) -> int:
    """The number of cores of all nodes."""
    return int(sum(node["Resources"].get("CPU", 0) for node in living_nodes(ray)))
