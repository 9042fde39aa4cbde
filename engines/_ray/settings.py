"""How Ray is set up: variables and arguments, each setting with its reason."""

import math

from engines.environment import FOLDER
from engines.interface import Config, Resources, Setting

_STORE = Setting(
    name="object_store_memory",
    value=str(512 * 2**20),
    reason="tasks pass no large objects; the default takes 30% of the memory",
)
USAGE = Setting(
    name="RAY_USAGE_STATS_ENABLED", value="0", reason="a measurement does not report to a server"
)


def private() -> tuple[Setting, ...]:
    """Variables that keep a cluster on this host to itself."""
    return (
        Setting(
            name="RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER",
            value="0",
            reason="all servers listen on loopback, as where Ray is not meant to span hosts",
        ),
        Setting(
            name="RAY_AUTH_MODE",
            value="token",
            reason="the default for a new cluster, said so that Ray does not mention it",
        ),
        Setting(
            name="RAY_AUTH_TOKEN_PATH",
            value=f"{FOLDER}/token",
            reason="the default is a file in the home folder, shared by all clusters",
        ),
        USAGE,
    )


def tuned_node(resources: Resources) -> tuple[Setting, ...]:
    """Variables that the daemons of a node read when they start."""
    if resources.config is Config.SHIPPED:
        return ()
    niceness = Setting(
        name="RAY_worker_niceness",
        value="0",
        reason="the default of 15 lets everything else on the host go first",
    )
    if resources.smallest_share == 1:
        return (niceness,)
    slots = str(math.floor(resources.workers / resources.smallest_share + 1e-9))
    return (
        niceness,
        Setting(
            name="RAY_num_workers_soft_limit",
            value=slots,
            reason="by default workers beyond one a core are stopped after an idle second "
            "and started again for the next small tasks",
        ),
        Setting(
            name="RAY_max_pending_lease_requests_per_scheduling_category",
            value=slots,
            reason="by default 10 workers are asked for at a time, however small the tasks",
        ),
    )


def tuned_view(resources: Resources) -> tuple[Setting, ...]:
    """Variables for what a node of a cluster knows of the others."""
    if resources.config is Config.SHIPPED:
        return ()
    return (
        Setting(
            name="RAY_ray_syncer_message_refresh_interval_ms",
            value="100",
            reason="by default a node that was offered a task when none was left may count as busy "
            "for some three seconds; 100 ms is how often nodes tell what they have free",
        ),
    )


def init_arguments(resources: Resources) -> tuple[Setting, ...]:
    """Arguments of ``ray.init`` for a private cluster; each value is a Python literal."""
    settings = [
        Setting(name="num_cpus", value=str(resources.workers), reason="one task for each worker"),
        Setting(name="_temp_dir", value="'{folder}'", reason="private, and removed on exit"),
        _LOGGING,
    ]
    if resources.smallest_share < 1:
        settings.append(
            Setting(
                name="resources",
                value=f"{{'slot': {resources.workers}}}",
                reason="one for each worker, for tasks that ask for a share of it",
            )
        )
    if resources.config is Config.TUNED:
        settings += [
            Setting(
                name="include_dashboard",
                value="False",
                reason="its processes take time from the workers",
            ),
            _UNHEARD,
            _STORE,
        ]
    return tuple(settings)


def join_arguments(resources: Resources) -> tuple[Setting, ...]:
    """Arguments of ``ray.init`` for a cluster that runs; each value is a Python literal."""
    return (_LOGGING, _UNHEARD) if resources.config is Config.TUNED else (_LOGGING,)


_LOGGING = Setting(
    name="logging_level", value="'ERROR'", reason="standard output belongs to the program"
)
_UNHEARD = Setting(
    name="log_to_driver", value="False", reason="workers' output need not be read and sent on"
)
