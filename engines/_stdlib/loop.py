"""The serial engine: one task after the other in this process; the baseline for all engines."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import ClassVar, Self

from typing_extensions import override

from engines.environment import budget, thread_environment
from engines.errors import CpusRejectedError
from engines.interface import SERIAL, Capability, Engine, Graph, Input, Output, Resources, Setting


class SerialEngine(Engine):
    """A plain loop over the inputs."""

    name: ClassVar[str] = SERIAL
    summary: ClassVar[str] = "a loop in one process"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.STREAMS, Capability.AWAITS, Capability.GRAPHS}
    )
    fixed_s: ClassVar[float] = 0.0

    def __init__(self, settings: tuple[Setting, ...]) -> None:
        self._settings = settings

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        os.environ.update(thread_environment(resources))
        yield cls(budget(resources))

    @override
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
        slots: float | None = None,
    ) -> Iterator[tuple[int, Output]]:
        if slots is not None:
            raise CpusRejectedError("a loop has no resources that a task could request")
        if cpus != 1.0:
            raise CpusRejectedError(f"a loop runs a task on one core, not on {cpus:g}")
        return ((index, function(value)) for index, value in enumerate(inputs))

    @override
    def run_async(
        self, function: Callable[[Input], Awaitable[Output]], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        async def call(index: int, value: Input) -> tuple[int, Output]:
            return index, await function(value)

        done: asyncio.Queue[asyncio.Task[tuple[int, Output]]] = asyncio.Queue()
        with asyncio.Runner() as runner:
            for index, value in enumerate(inputs):
                task = runner.get_loop().create_task(call(index, value))
                task.add_done_callback(done.put_nowait)
            for _ in inputs:
                yield runner.run(done.get()).result()

    @override
    def run_graph(
        self, function: Callable[[Input, tuple[Output, ...]], Output], graph: Graph[Input]
    ) -> Iterator[tuple[int, Output]]:
        numbers = count()
        outputs: list[Output] = []
        for layer in graph:
            before, outputs = outputs, []
            for node in layer:
                outputs.append(function(node.value, tuple(before[place] for place in node.needs)))
                yield next(numbers), outputs[-1]

    @override
    def workers(self) -> int:
        return 1

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings
