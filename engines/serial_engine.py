"""One task after the other in this process: what every engine is compared with."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Self

from typing_extensions import override

from engines.environment import budget, thread_environment
from engines.errors import CpusRejectedError
from engines.interface import Capability, Engine, Input, Output, Resources, Setting


class SerialEngine(Engine):
    """A loop."""

    name: ClassVar[str] = "serial"
    summary: ClassVar[str] = "a loop in one process"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.STREAMS})

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
    ) -> Iterator[tuple[int, Output]]:
        if cpus != 1.0:
            raise CpusRejectedError(f"a loop runs a task on one core, not on {cpus:g}")
        return ((index, function(value)) for index, value in enumerate(inputs))

    @override
    def workers(self) -> int:
        return 1

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings
