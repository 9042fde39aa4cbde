"""The Ray engine: tasks on a private one-node cluster or on a running cluster."""

import functools
import itertools
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, ClassVar, Self

from typing_extensions import override

from engines._ray.cluster import CLUSTER
from engines._ray.environment import runtime_env
from engines._ray.host import hindrances
from engines._ray.opening import cores, living_nodes, opened
from engines._ray.settings import task_options
from engines.awaiter import Awaiter
from engines.cluster import Cluster, wait_for_workers
from engines.environment import Framework, folder_obstacle, literals, private_folder
from engines.errors import CpusRejectedError, ShippingError, WorkerLostError
from engines.interface import (
    Capability,
    Engine,
    Graph,
    Input,
    Output,
    OwnSpan,
    Requirement,
    Resources,
    Setting,
)
from engines.parcel import Parcel, Run


class RayEngine(Engine):
    """Runs one Ray task for each input."""

    name: ClassVar[str] = "ray"
    summary: ClassVar[str] = "Ray tasks, one worker process for each core"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.PARALLEL,
            Capability.STREAMS,
            Capability.FRACTIONAL_CPUS,
            Capability.SLOTS,
            Capability.AWAITS,
            Capability.GRAPHS,
            Capability.TRACES,
            Capability.SPANS_HOSTS,
            Capability.SCALES,
            Capability.SHIPS,
            Capability.INSTALLS,
        }
    )
    requirements: ClassVar[tuple[Requirement, ...]] = (
        Requirement(distribution="ray", module="ray"),
    )
    extra: ClassVar[str | None] = "ray"
    cluster: ClassVar[Cluster | None] = CLUSTER

    def __init__(
        self,
        ray: Framework,
        folder: Path,
        resources: Resources,
        settings: tuple[Setting, ...],
    ) -> None:
        self._ray = ray
        self._folder = folder
        self._resources = resources
        self._settings = settings
        self._options = literals(task_options(resources))
        self._awaiters: list[Framework] = []
        self._requests = itertools.count(1)
        # Create a remote function once, as a module with a decorated function does: Ray pickles
        # every new one, stores it in the cluster, and every worker fetches it from there.
        self._remote = functools.cache(self._new_remote)
        self._remote_node = functools.cache(self._new_remote_node)
        # By default an actor requests no core, and so shares one with other tasks.
        # It awaits up to 1000 calls at once.
        self._remote_awaiter = ray.remote(num_cpus=1)(Awaiter)

    @override
    @classmethod
    def obstacles(cls) -> Iterator[str]:
        return folder_obstacle()

    @override
    @classmethod
    def hindrances(cls) -> Iterator[str]:
        return hindrances()

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        with private_folder() as folder, opened(resources) as (ray, settings):
            told = task_options(resources) if resources.idle_s is None else ()
            engine = cls(ray, folder, resources, settings + told)
            if resources.cluster is not None:
                wait_for_workers(engine, resources)
            yield engine

    @override
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
        slots: float | None = None,
    ) -> Iterator[tuple[int, Output]]:
        self._end_awaiters()
        remote = self._remote(function, cpus, slots)
        window = self._window(cpus if slots is None else slots)
        return self._results((remote.remote(value) for value in inputs), window)

    def _new_remote(
        self,
        function: Callable[[Input], Output],
        cpus: float,
        slots: float | None,
        **more: object,
    ) -> Framework:
        """A remote function with these requirements, and perhaps more options.

        Raises:
            CpusRejectedError: Ray rejects them, or no node has that much.
        """

        # Ray rejects built-ins and callable objects, so a plain function wraps them.
        def call(value: Input) -> Output:
            return function(value)

        resource, share = ("CPU", cpus) if slots is None else ("slot", slots)
        if share > max(self._held_by_a_node(resource)):
            raise CpusRejectedError(
                f"ray: infeasible: no node has {share:g} of {resource}, so the tasks would wait "
                "forever"
            )
        try:
            return self._ray.remote(**_demand(cpus, slots), **self._options, **more)(call)
        except ValueError as error:
            raise CpusRejectedError(f"ray: {error}") from error

    @override
    def ship(self, parcel: Parcel) -> Run:
        environment = runtime_env(parcel, self._folder, next(self._requests))
        new_remote = functools.partial(self._new_remote, cpus=1.0, slots=None)
        remotes = functools.cache(functools.partial(new_remote, runtime_env=environment))

        def run(
            function: Callable[[Input], Output], inputs: Sequence[Input]
        ) -> Iterator[tuple[int, Output]]:
            self._end_awaiters()
            remote = remotes(function)
            return self._results((remote.remote(value) for value in inputs), self._window(1.0))

        return run

    @override
    def run_async(
        self, function: Callable[[Input], Awaitable[Output]], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        if not self._awaiters:
            self._awaiters = [self._remote_awaiter.remote() for _ in range(self.workers())]
        calls = (
            actor.call.remote(function, value)
            for actor, value in zip(cycle(self._awaiters), inputs, strict=False)
        )
        return self._results(calls, len(inputs))

    def _end_awaiters(self) -> None:
        """Stop the awaiters, which keep their cores between calls until other tasks need them."""
        while self._awaiters:
            self._ray.kill(self._awaiters.pop())

    @override
    def run_graph(
        self, function: Callable[[Input, tuple[Output, ...]], Output], graph: Graph[Input]
    ) -> Iterator[tuple[int, Output]]:
        self._end_awaiters()
        remote = self._remote_node(function)

        def submitted() -> Iterator[Framework]:
            layer: list[Framework] = []
            for nodes in graph:
                layer = [
                    remote.remote(node.value, *[layer[place] for place in node.needs])
                    for node in nodes
                ]
                yield from layer

        return self._results(submitted(), self._window(1.0))

    def _new_remote_node(
        self, function: Callable[[Input, tuple[Output, ...]], Output]
    ) -> Framework:
        # Ray replaces references with outputs only if they are direct arguments of a task; in a
        # tuple they would stay references.
        def call(value: Input, *outputs: Output) -> Output:
            return function(value, outputs)

        return self._ray.remote(num_cpus=1)(call)

    @override
    def own_trace(self) -> tuple[OwnSpan, ...]:
        events = self._ray.timeline()
        # The timeline has all jobs of the cluster.  A worker serves only one job, and the ID of a
        # task ends with the ID of its job.
        job = self._ray.get_runtime_context().get_job_id()
        ours = {e["tid"] for e in events if e["args"].get("task_id", "").endswith(job)}
        return tuple(
            OwnSpan(
                name=event["name"],
                worker=event["tid"],
                start_s=event["ts"] / 1e6,
                end_s=(event["ts"] + event["dur"]) / 1e6,
            )
            for event in events
            if event["cat"] == "task:execute" and event["tid"] in ours
        )

    def _window(self, share: float) -> int:
        """Number of the oldest tasks to pass to ``ray.wait`` for each result.

        There is no need to pass all pending tasks: Ray starts equal tasks in order, so the tasks
        that may have finished are among the oldest.
        """
        return max(16, 2 * math.ceil(self._resources.workers / share))

    def _results(self, tasks: Iterable[Framework], window: int) -> Iterator[tuple[int, Any]]:
        ray = self._ray
        indices: dict[Framework, int] = {}
        try:
            indices = {task: index for index, task in enumerate(tasks)}
            pending = deque(indices)
            oldest = [pending.popleft() for _ in range(min(window, len(pending)))]
            while oldest:
                (done,), oldest = ray.wait(oldest)
                if pending:
                    oldest.append(pending.popleft())
                yield indices.pop(done), ray.get(done)
        except ValueError as error:
            raise CpusRejectedError(f"ray: {error}") from error
        except ray.exceptions.RuntimeEnvSetupError as error:
            raise ShippingError(f"ray: {error}") from error
        except (ray.exceptions.WorkerCrashedError, ray.exceptions.RayActorError) as error:
            raise WorkerLostError(f"ray: {error}") from error
        finally:
            # Tasks remain only if the run was abandoned: Ray would run them before later tasks.
            for unfinished in indices:
                ray.cancel(unfinished)

    def _held_by_a_node(self, resource: str) -> Iterator[float]:
        """How much of the resource each node has; first, what a node that may start will have."""
        yield 0 if self._resources.idle_s is None else 1
        for node in living_nodes(self._ray):
            yield node["Resources"].get(resource, 0)

    @override
    def workers(self) -> int:
        return cores(self._ray)

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings


def _demand(cpus: float, slots: float | None) -> dict[str, Any]:
    if slots is None:
        return {"num_cpus": cpus}
    return {"num_cpus": 0, "resources": {"slot": slots}}
