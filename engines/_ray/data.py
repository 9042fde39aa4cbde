"""Ray Data: ``map_batches`` with a class, over a dataset with a row for each task.

Each run starts its own actors, as each pipeline of a user does, and each actor loads what its tasks
need: a model that was loaded in an earlier run is loaded again.  With 48 images of vit-base on two
busy cores this took 16 s of the 41 s, and was the whole loss against plain tasks.
"""

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

from typing_extensions import override

from engines._ray.form import RayForm
from engines._ray.opening import opened
from engines.environment import Framework, literals
from engines.errors import WorkerLostError
from engines.interface import (
    Capability,
    Input,
    Output,
    Requirement,
    Resources,
    Setting,
)

_START_TIMEOUT_S = 60
_SETTINGS = (
    Setting(
        name="enable_progress_bars",
        value="False",
        reason="they would be drawn over the console while tasks run",
    ),
    Setting(
        name="logging level of ray.data",
        value="ERROR",
        reason="keeps the plan of every dataset out of standard error",
    ),
    Setting(
        name="override_num_blocks",
        value="a block for each task",
        reason="blocks are what Ray Data hands to an actor; by default it makes up to 200, or as "
        "few as two of many tasks",
    ),
    Setting(
        name="wait_for_min_actors_s",
        value=str(_START_TIMEOUT_S),
        reason="by default tasks queue at the actor that is up first while the others still start",
    ),
    Setting(
        name="prefetch_batches",
        value="0",
        reason="by default the iterator holds a result back until the next one is there",
    ),
    Setting(
        name="ActorPoolStrategy",
        value="as many actors as workers",
        reason="the same number of processes as every engine",
    ),
)
_LIMITS = tuple(
    Setting(
        name=name,
        value="3",
        reason="as often as a task of plain Ray; by default an actor that a task kills is "
        "restarted for ever; not set where workers are lost on purpose",
    )
    for name in ("max_restarts", "max_task_retries")
)


class RayDataEngine(RayForm):
    """Makes a dataset of the tasks and maps it with a pool of actors."""

    name: ClassVar[str] = "ray-data"
    summary: ClassVar[str] = "Ray Data, map_batches with actors"
    taker: ClassVar[str] = "an actor"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.PARALLEL, Capability.STREAMS}
    )
    fixed_s: ClassVar[float] = 3.0
    requirements: ClassVar[tuple[Requirement, ...]] = (
        Requirement(distribution="ray", module="ray"),
        Requirement(distribution="pyarrow", module="pyarrow"),
        Requirement(distribution="pandas", module="pandas"),
    )
    extra: ClassVar[str | None] = "open"

    def __init__(self, ray: Framework, resources: Resources, settings: tuple[Setting, ...]) -> None:
        self._ray = ray
        self._resources = resources
        self._limits = {} if resources.faults else literals(_LIMITS)
        self._settings = settings + (() if resources.faults else _LIMITS)

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        with opened(resources) as (ray, settings):
            from ray.data import DataContext

            context = DataContext.get_current()
            context.enable_progress_bars = False
            context.wait_for_min_actors_s = _START_TIMEOUT_S
            logging.getLogger("ray.data").setLevel(logging.ERROR)
            yield cls(ray, resources, settings + _SETTINGS)

    @override
    def _results(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        import ray.data

        if not inputs:
            return
        rows = [{"number": n, "task": pickle.dumps(value)} for n, value in enumerate(inputs)]
        dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Worker,
            fn_constructor_args=(function,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=self._resources.workers),
            num_cpus=1,
            **self._limits,
        )
        try:
            for batch in dataset.iter_batches(batch_size=None, prefetch_batches=0):
                for number, output in zip(batch["number"], batch["output"], strict=True):
                    yield int(number), pickle.loads(output)  # noqa: S301 - from our workers
        except self._ray.exceptions.RayError as error:
            raise WorkerLostError(f"ray-data: {error}") from error

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings


class _Worker:
    """The class that maps batches of one row."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Run one task."""
        task = pickle.loads(batch["task"][0])  # noqa: S301 - from our own driver
        return {"number": batch["number"], "output": [pickle.dumps(self._function(task))]}
