"""Ray's configuration: variables and arguments, each setting with its reason."""

import math

from engines.environment import FOLDER, PYTHON
from engines.interface import Config, Resources, Setting

STORE_BYTES = 512 * 2**20
NODE_STORE_BYTES = 80 * 2**20
"""Of each node that the autoscaler starts: several share the memory of this host."""
_STORE = Setting(
    name="object_store_memory",
    value=str(STORE_BYTES),
    reason="room for eight of the largest arguments; the default reserves 30% of the memory",
)
USAGE = Setting(
    name="RAY_USAGE_STATS_ENABLED",
    value="0",
    reason="a measurement sends no usage statistics to a server",
)


def private() -> tuple[Setting, ...]:
    """Variables that isolate a cluster on this host."""
    return (
        Setting(
            name="RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER",
            value="0",
            reason="all servers listen on loopback, as on platforms where Ray does not span hosts",
        ),
        Setting(
            name="RAY_AUTH_MODE",
            value="token",
            reason="the default for a new cluster, set explicitly to avoid a notice by Ray",
        ),
        Setting(
            name="RAY_AUTH_TOKEN_PATH",
            value=f"{FOLDER}/token",
            reason="the default is a file in the home folder, shared by all clusters",
        ),
        USAGE,
        Setting(
            name="PIP_DISABLE_PIP_VERSION_CHECK",
            value="1",
            reason="pip, which Ray runs for environments of tasks, asks no server for a newer one",
        ),
    )


PATH = Setting(
    name="PATH",
    value=f"begins with the folder of {PYTHON}",
    reason="as in an activated environment: to unpack a wheel, Ray runs the pip that it finds",
)


def tuned_node(resources: Resources) -> tuple[Setting, ...]:
    """Variables that the daemons of a node read when they start."""
    if resources.config is Config.SHIPPED:
        return ()
    niceness = Setting(
        name="RAY_worker_niceness",
        value="0",
        reason="the default of 15 gives all other processes on the host a higher priority",
    )
    if resources.smallest_share == 1:
        return (niceness,)
    slots = str(math.floor(resources.workers / resources.smallest_share + 1e-9))
    return (
        niceness,
        Setting(
            name="RAY_num_workers_soft_limit",
            value=slots,
            reason="by default Ray stops workers beyond one per core after one idle second "
            "and starts them again for the next small tasks",
        ),
        Setting(
            name="RAY_max_pending_lease_requests_per_scheduling_category",
            value=slots,
            reason="by default Ray requests 10 workers at a time, however small the tasks are",
        ),
    )


def tuned_view(resources: Resources) -> tuple[Setting, ...]:
    """Variables for a node's view of the other nodes' resources."""
    if resources.config is Config.SHIPPED:
        return ()
    return (
        Setting(
            name="RAY_ray_syncer_message_refresh_interval_ms",
            value="100",
            reason="by default a node that was offered a task when no task was left may count as "
            "busy for about three seconds; nodes report their free resources every 100 ms",
        ),
    )


def scaling_node(resources: Resources) -> tuple[Setting, ...]:
    """Variables that the autoscaler reads; none if the workers do not change."""
    if resources.idle_s is None:
        return ()
    version = Setting(
        name="RAY_enable_autoscaler_v2",
        value="1",
        reason="the autoscaler of Ray's clusters on Kubernetes; the other is older",
    )
    if resources.config is Config.SHIPPED:
        return (version,)
    return (
        version,
        Setting(
            name="AUTOSCALER_UPDATE_INTERVAL_S",
            value="1",
            reason="by default the autoscaler looks at the demand every 5 s",
        ),
    )


def autoscaler(resources: Resources, idle_s: float) -> tuple[Setting, ...]:
    """What the autoscaler's file has that is not a default."""
    return (
        Setting(
            name="provider",
            value="engines._ray.provider.LocalNodes",
            reason="a new node is a raylet with one core, on this host",
        ),
        Setting(
            name="max_workers",
            value=str(resources.workers),
            reason="nodes at the same time: as many workers as every engine may have",
        ),
        Setting(
            name="idle_timeout_minutes",
            value=f"{idle_s / 60:g}",
            reason="an idle worker ends after the same time on every engine; the default is 5",
        ),
    )


def task_options(resources: Resources) -> tuple[Setting, ...]:
    """Options of every remote function; each value is a Python literal."""
    if not resources.faults or resources.config is Config.SHIPPED:
        return ()
    return (
        Setting(
            name="retry_exceptions",
            value="True",
            reason="by default Ray runs a task again if its worker died, and not if it raised; set "
            "only where tasks fail on purpose",
        ),
    )


def actor_options(resources: Resources) -> tuple[Setting, ...]:
    """Options of the actors; each value is a Python literal."""
    settings = (
        Setting(
            name="num_cpus",
            value="1",
            reason="a core for each actor; by default an actor that runs requests none",
        ),
    )
    if not resources.faults or resources.config is Config.SHIPPED:
        return settings
    reason = "as often as a task; by default neither an actor nor its tasks come back; set only "
    return (
        *settings,
        *(
            Setting(name=name, value="3", reason=reason + "where workers are lost on purpose")
            for name in ("max_restarts", "max_task_retries")
        ),
    )


def init_arguments(resources: Resources) -> tuple[Setting, ...]:
    """Arguments of ``ray.init`` for a private cluster; each value is a Python literal."""
    if resources.idle_s is not None:
        return join_arguments(resources)
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
                reason="one slot per worker, for tasks that request a share of a slot",
            )
        )
    if resources.config is Config.TUNED:
        settings += [
            Setting(
                name="include_dashboard",
                value="False",
                reason="its processes take CPU time from the workers",
            ),
            _LOG_TO_DRIVER,
            _STORE,
        ]
    return tuple(settings)


def join_arguments(resources: Resources) -> tuple[Setting, ...]:
    """Arguments of ``ray.init`` for a running cluster; each value is a Python literal."""
    return (_LOGGING, _LOG_TO_DRIVER) if resources.config is Config.TUNED else (_LOGGING,)


_LOGGING = Setting(
    name="logging_level", value="'ERROR'", reason="keeps the log of Ray out of standard output"
)
_LOG_TO_DRIVER = Setting(
    name="log_to_driver", value="False", reason="the driver does not need the workers' output"
)
