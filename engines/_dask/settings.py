"""Dask's configuration: variables and arguments, each with its reason, and resource units."""

import math

from engines.environment import FOLDER
from engines.interface import Config, Resources, Setting

_WHOLE = 1_000_000
"""One core or one slot in the resource units of a tuned session."""

_TUNED_INTERVAL_S = 0.5

RECORD = Setting(
    name="get_task_stream",
    value="called at the start",
    reason="the scheduler records which worker ran which task when, to compare with our record",
)


FOLDER_OF_ITS_OWN = Setting(
    name="DASK_TEMPORARY_DIRECTORY", value=FOLDER, reason="private, and removed on exit"
)


def variables(resources: Resources) -> tuple[Setting, ...]:
    """Dask's configuration as environment variables, so that the workers read it too."""
    if resources.config is Config.SHIPPED:
        return ()
    # The scheduler's queue stays enabled; see docs/decisions/0008-dask-keeps-its-queue.md.
    return (
        Setting(
            name="DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED",
            value="False",
            reason="the profiler samples every worker's stack every 10 ms",
        ),
    )


RETRIES = Setting(
    name="retries",
    value="3",
    reason="by default Dask runs a task again if its worker died, up to three times, and not if it "
    "raised; set only where tasks fail on purpose",
)


def held(resources: Resources) -> int:
    """Number of cores and slots of the one worker process; 0 if all tasks take a whole core.

    If tasks request shares, one process has all cores: a core belongs to the machine, but Dask's
    resources belong to a process.  With two processes of one core each, small tasks take a part of
    both cores, and a task that requests a whole core has to wait.  See
    docs/decisions/0009-one-dask-process-for-shares.md.
    """
    return 0 if resources.smallest_share == 1.0 else resources.workers


def threads(resources: Resources) -> int:
    """Number of tasks that a worker process runs at once."""
    # floor(cores / share) of the decimal numbers as written, without binary rounding errors.
    return math.floor(max(held(resources), 1) / resources.smallest_share + 1e-9)


def counted(amount: float, resources: Resources) -> float:
    """Convert an amount to Dask's units; Dask adds and compares amounts without rounding.

    The shipped configuration uses floats as in Dask's documentation: 2.0 admits nineteen tasks of
    0.1 at once.  The tuned configuration uses whole numbers, which admit twenty.
    """
    return float(amount) if resources.config is Config.SHIPPED else round(amount * _WHOLE)


def _at_the_start(resources: Resources) -> int:
    """Number of worker processes that the cluster starts with."""
    if resources.idle_s is not None:
        return 0
    return 1 if held(resources) else resources.workers


def adaptive(resources: Resources, idle_s: float) -> tuple[Setting, ...]:
    """Arguments of ``LocalCluster.adapt``; each value is a Python literal."""
    interval_s = 1.0 if resources.config is Config.SHIPPED else _TUNED_INTERVAL_S
    settings = [
        Setting(
            name="maximum",
            value=str(resources.workers),
            reason="worker processes at the same time: as many as every engine may have",
        ),
        Setting(
            name="wait_count",
            value=str(round(idle_s / interval_s)),
            reason="looks in a row that find a worker idle before it ends, after the same time on "
            "every engine; the default is 3",
        ),
    ]
    if resources.config is Config.TUNED:
        settings += [
            Setting(
                name="interval",
                value=f"'{_TUNED_INTERVAL_S:g}s'",
                reason="by default Dask looks at the demand every second",
            ),
            Setting(
                name="target_duration",
                value="'1s'",
                reason="Dask starts workers so that what is queued would take this long; by "
                "default 5 s, so that few tasks get few workers",
            ),
        ]
    return tuple(settings)


def cluster_arguments(resources: Resources) -> tuple[Setting, ...]:
    """Arguments of ``LocalCluster``; each value is a Python literal."""
    pooled = held(resources)
    settings = [
        Setting(
            name="n_workers",
            value=str(_at_the_start(resources)),
            reason="a worker starts when there is a task for it"
            if resources.idle_s is not None
            else "one process with all cores, so that tasks of all shares use the same cores"
            if pooled
            else "one process for each core, as in every engine; by default Dask has fewer "
            "processes of several threads on most larger machines, 8 of 4 on 32 cores",
        ),
        Setting(
            name="threads_per_worker",
            value=str(threads(resources)),
            reason="tasks that a worker runs at once: its cores divided by the smallest share",
        ),
        Setting(name="host", value="'127.0.0.1'", reason="all servers listen on loopback only"),
        Setting(
            name="silence_logs", value="40", reason="errors only, no messages about normal closing"
        ),
    ]
    if pooled:
        amount = counted(pooled, resources)
        settings.append(
            Setting(
                name="resources",
                value=f"{{'cpu': {amount}, 'slot': {amount}}}",
                reason="amounts of a worker process, of which tasks request shares"
                + ("" if resources.config is Config.SHIPPED else "; in millionths"),
            )
        )
    if resources.config is Config.TUNED:
        settings += [
            Setting(
                name="dashboard_address",
                value="None",
                reason="an unused dashboard takes CPU time from the scheduler",
            ),
        ]
        # Without a limit, Dask ends no idle worker while any worker holds the result of a task: it
        # keeps those whose memory it thinks it needs.
        if resources.idle_s is None:
            settings.append(
                Setting(
                    name="memory_limit",
                    value="0",
                    reason="no other engine stops a worker because of its memory usage",
                )
            )
    else:
        settings.append(
            Setting(
                name="dashboard_address",
                value="'127.0.0.1:0'",
                reason="any free port, because 8787 may be in use",
            )
        )
    return tuple(settings)
