"""The ceiling, without an engine: plain processes that take inputs through a shared counter.

It lacks everything that a framework adds: there is no broker, no retry and no streaming, and each
process sends its results in one message.  The report also gives an engine's speed as a share of
the ceiling's.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any, ClassVar, Self

from typing_extensions import override

from engines.environment import end_with_parent
from engines.errors import CpusRejectedError, EngineStartError, WorkerLostError
from engines.interface import CEILING, Capability, Engine, Input, Output, Resources, Setting

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

_START_LIMIT_S = 60
_CLOSE_LIMIT_S = 2


class Ceiling(Engine):
    """The ceiling.  It is not registered, so a user can neither select nor omit it."""

    name: ClassVar[str] = CEILING
    summary: ClassVar[str] = "the same kernel calls in plain processes, no framework"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.PARALLEL})
    fixed_s: ClassVar[float] = 0.001

    def __init__(
        self,
        processes: list[SpawnProcess],
        pipes: "list[Connection[Any, Any]]",
        taken: "Synchronized[int]",
    ) -> None:
        self._processes = processes
        self._pipes = pipes
        self._taken = taken

    @classmethod
    @override
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        context = multiprocessing.get_context("spawn")
        taken = context.Value("q", 0)
        processes, pipes = [], []
        try:
            for _ in range(resources.workers):
                pipe, far_end = context.Pipe()
                process = context.Process(target=_serve, args=(far_end, taken), daemon=True)
                process.start()
                far_end.close()
                processes.append(process)
                pipes.append(pipe)
            for pipe in pipes:
                if not pipe.poll(_START_LIMIT_S):
                    raise EngineStartError(f"a plain process did not start in {_START_LIMIT_S} s")
                pipe.recv()
            yield cls(processes, pipes, taken)
        finally:
            for pipe in pipes:
                pipe.close()  # the process reads the end of its pipe and exits
            for process in processes:
                process.join(_CLOSE_LIMIT_S)
                process.kill()
                process.join()

    @override
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
        slots: float | None = None,
    ) -> Iterator[tuple[int, Output]]:
        if slots is not None or cpus != 1.0:
            raise CpusRejectedError("plain processes cannot give a task a share of a core")
        self._taken.value = 0
        for pipe in self._pipes:
            pipe.send((function, inputs))
        done: list[tuple[int, Output]] = []
        for pipe in self._pipes:
            try:
                done += pipe.recv()
            except EOFError as error:
                raise WorkerLostError("a plain process died during the run") from error
        yield from done

    @override
    def workers(self) -> int:
        return sum(process.is_alive() for process in self._processes)

    @override
    def settings(self) -> tuple[Setting, ...]:
        return ()


def _serve(pipe: "Connection[Any, Any]", taken: "Synchronized[int]") -> None:
    """Answer each (function, inputs) with the (index, output) pairs of the inputs taken here."""
    end_with_parent()
    pipe.send("ready")
    while True:
        try:
            function, inputs = pipe.recv()
        except EOFError:
            # Destroying the objects of torch one by one takes more than a second.
            os._exit(0)
        done = []
        while True:
            with taken.get_lock():
                index = taken.value
                taken.value += 1
            if index >= len(inputs):
                break
            done.append((index, function(inputs[index])))
        pipe.send(done)
