"""Ray actors: one for each core, each with one task at a time.

What ``ray.util.ActorPool.map_unordered`` does, which Ray's documentation recommends where a model
must stay loaded.  The pool itself refuses a second run while results of the first are being read,
so the adapter makes the same calls by hand.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import ClassVar, Self

from typing_extensions import override

from engines._ray.form import RayForm
from engines._ray.opening import opened
from engines._ray.settings import actor_options
from engines.environment import Framework, literals
from engines.errors import EngineStartError, WorkerLostError
from engines.interface import (
    Capability,
    Input,
    Output,
    Requirement,
    Resources,
    Setting,
)

_START_TIMEOUT_S = 60


class RayActorsEngine(RayForm):
    """Sends an actor its next task when it has finished the last one."""

    name: ClassVar[str] = "ray-actors"
    summary: ClassVar[str] = "Ray actors, one for each core, fed as by ActorPool"
    taker: ClassVar[str] = "an actor"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.PARALLEL, Capability.STREAMS}
    )
    requirements: ClassVar[tuple[Requirement, ...]] = (
        Requirement(distribution="ray", module="ray"),
    )
    extra: ClassVar[str | None] = "ray"

    def __init__(
        self, ray: Framework, actors: Sequence[Framework], settings: tuple[Setting, ...]
    ) -> None:
        self._ray = ray
        self._actors = actors
        self._settings = settings

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        options = actor_options(resources)
        with opened(resources) as (ray, settings):
            remote = ray.remote(**literals(options))(_Worker)
            actors = [remote.remote() for _ in range(resources.workers)]
            try:
                ray.get([actor.ready.remote() for actor in actors], timeout=_START_TIMEOUT_S)
            except ray.exceptions.RayError as error:
                raise EngineStartError(f"ray-actors: no actor started: {error}") from error
            yield cls(ray, actors, settings + options)

    @override
    def _results(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        ray = self._ray
        rest = enumerate(inputs)
        running: dict[Framework, tuple[int, Framework]] = {}

        def feed(actor: Framework) -> None:
            for index, value in islice(rest, 1):
                running[actor.call.remote(function, value)] = index, actor

        for actor in self._actors:
            feed(actor)
        try:
            while running:
                (done,), _ = ray.wait(list(running))
                index, actor = running.pop(done)
                feed(actor)
                yield index, ray.get(done)
        except ray.exceptions.RayActorError as error:
            raise WorkerLostError(f"ray-actors: {error}") from error

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings


class _Worker:
    """The class of the actors."""

    def ready(self) -> None:
        """Return as soon as the actor has started."""

    def call(self, function: Callable[[Input], Output], value: Input) -> Output:
        """Run one task."""
        return function(value)
