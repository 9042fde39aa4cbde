"""Opens a Dask client, on a private cluster or on a running one, for all adapters of Dask."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines._dask.cluster import refuse_other_packages
from engines._dask.settings import FOLDER_OF_ITS_OWN, adaptive, cluster_arguments, variables
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

_START_TIMEOUT_S = 60
_JOIN_TIMEOUT_S = 20
_STOP_TIMEOUT_S = 20
"""A nanny gives its worker 4 seconds, kills it, and waits up to 5 seconds more; all of that takes
longer on a busy host."""


@contextmanager
def opened(resources: Resources) -> Iterator[tuple[Framework, tuple[Setting, ...]]]:
    """A client of a private cluster or of a running one, and all settings made for it.

    Raises:
        EngineStartError: Dask did not start, or cannot join the cluster.
    """
    with private_folder() as folder:
        environment = (*budget(resources), FOLDER_OF_ITS_OWN, *variables(resources))
        if resources.cluster is None:
            forget("DASK_")
        export(environment, folder)
        share_import_path()
        import dask.config

        # Reload without the files that the host or its user may have for other clusters.
        dask.config.refresh(paths=[])
        with _client(resources, folder) as (client, settings):
            yield client, environment + settings


@contextmanager
def _client(resources: Resources, folder: Path) -> Iterator[tuple[Framework, tuple[Setting, ...]]]:
    """A client of the requested cluster, and the settings made for that cluster."""
    from distributed import Client

    if resources.cluster is None:
        with _private_cluster(resources, folder) as (cluster, settings):
            client = Client(cluster)
            try:
                if cluster.workers:
                    client.wait_for_workers(len(cluster.workers), timeout=_START_TIMEOUT_S)
                yield client, settings
            finally:
                client.close(timeout=_STOP_TIMEOUT_S)
        return
    try:
        client = Client(resources.cluster, timeout=_JOIN_TIMEOUT_S)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        # TypeError: the address begins with tls://, but there is no client certificate.
        raise EngineStartError(f"dask: cannot join {resources.cluster}: {error}") from error
    try:
        refuse_other_packages(client.get_versions(), resources.cluster)
        yield client, ()
    finally:
        client.close(timeout=_STOP_TIMEOUT_S)


@contextmanager
def _private_cluster(
    resources: Resources, folder: Path
) -> Iterator[tuple[Framework, tuple[Setting, ...]]]:
    from distributed import LocalCluster

    settings = cluster_arguments(resources)
    try:
        cluster = LocalCluster(**arguments(settings, folder))
    except (RuntimeError, OSError, TimeoutError) as error:
        raise EngineStartError(f"dask did not start: {error}") from error
    try:
        if resources.idle_s is not None:
            adapting = adaptive(resources, resources.idle_s)
            cluster.adapt(**arguments(adapting, folder))
            settings += adapting
        yield cluster, settings
    finally:
        # A nanny that is about to start a process in the place of one that died cannot join it
        # (distributed/process.py); that process ends with this one, as all of them do.
        with contextlib.suppress(AssertionError):
            cluster.close(timeout=_STOP_TIMEOUT_S)
