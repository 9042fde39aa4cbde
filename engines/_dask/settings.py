"""How Dask is set up: variables and arguments, each setting with its reason; and how it counts."""

import math

from engines.environment import FOLDER
from engines.interface import Config, Resources, Setting

_WHOLE = 1_000_000
"""A core, or a slot, in the units of a tuned session."""

RECORD = Setting(
    name="get_task_stream",
    value="called at the start",
    reason="from then on the scheduler keeps who ran what when, to be compared with our record",
)


FOLDER_OF_ITS_OWN = Setting(
    name="DASK_TEMPORARY_DIRECTORY", value=FOLDER, reason="private, and removed on exit"
)


def variables(resources: Resources) -> tuple[Setting, ...]:
    """Dask's configuration, as environment variables so that the workers see it too."""
    if resources.config is Config.SHIPPED:
        return ()
    # The scheduler keeps its queue; see docs/decisions/0008-dask-keeps-its-queue.md.
    return (
        Setting(
            name="DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED",
            value="False",
            reason="the profiler looks at every worker's stack each 10 ms",
        ),
    )


def held(resources: Resources) -> int:
    """How many cores, and slots, the worker process has for tasks that ask for a share; 0 where
    all tasks take a whole core.

    All of them: a core is the machine's, and Dask's resources belong to a process.  Of two
    processes with a core each, small tasks take a part of both, and a task that asks for a whole
    core has to wait.  See docs/decisions/0009-dask-pools-its-cores.md.
    """
    return 0 if resources.smallest_share == 1.0 else resources.workers


def threads(resources: Resources) -> int:
    """Tasks that a worker process runs at once."""
    # floor(cores / share) of the decimals that were written, not of their binary neighbours.
    return math.floor(max(held(resources), 1) / resources.smallest_share + 1e-9)


def counted(amount: float, resources: Resources) -> float:
    """An amount as Dask counts it; it adds and compares without rounding.

    As shipped, floats as in its documentation: of 2.0, nineteen tasks of 0.1 are admitted at once.
    Tuned, whole numbers, and twenty are.
    """
    return float(amount) if resources.config is Config.SHIPPED else round(amount * _WHOLE)


def cluster_arguments(resources: Resources) -> tuple[Setting, ...]:
    """Arguments of ``LocalCluster``; each value is a Python literal."""
    most = held(resources)
    settings = [
        Setting(
            name="n_workers",
            value="1" if most else str(resources.workers),
            reason="one process with all cores, of which tasks of all shares take theirs"
            if most
            else "one process for each core",
        ),
        Setting(
            name="threads_per_worker",
            value=str(threads(resources)),
            reason="tasks that a worker runs at once: its cores in the smallest share asked for",
        ),
        Setting(name="host", value="'127.0.0.1'", reason="nothing listens beyond loopback"),
        Setting(name="silence_logs", value="40", reason="errors only: closing is not news"),
    ]
    if most:
        amount = counted(most, resources)
        settings.append(
            Setting(
                name="resources",
                value=f"{{'cpu': {amount}, 'slot': {amount}}}",
                reason="what a worker process has, for tasks to ask for a share of it"
                + ("" if resources.config is Config.SHIPPED else "; in millionths"),
            )
        )
    if resources.config is Config.TUNED:
        settings += [
            Setting(
                name="dashboard_address",
                value="None",
                reason="a page that nobody looks at takes time from the scheduler",
            ),
            Setting(
                name="memory_limit",
                value="0",
                reason="no other engine stops a worker for what it holds",
            ),
        ]
    else:
        settings.append(
            Setting(
                name="dashboard_address",
                value="'127.0.0.1:0'",
                reason="any free port, since 8787 may be taken",
            )
        )
    return tuple(settings)
