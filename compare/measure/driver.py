"""An engine whose driver is a process of its own, which can be killed; another one then follows."""

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, ClassVar, Self, TypeAlias

import psutil
from typing_extensions import override

from compare.measure.adapters import adapter_of
from engines.environment import end_with_parent
from engines.errors import CpusRejectedError, EngineError, EngineStartError
from engines.interface import Capability, Engine, Input, Output, Resources, Setting

_CLOSE_LIMIT_S = 5.0

_Pipe: TypeAlias = "Connection[Any, Any]"


class OwnDriver(Engine):
    """Opens another engine in a process of its own, and runs each batch there.

    If that process is killed, the batch starts again in another one, as a user would start the
    program again: results that the killed process had are lost with it.
    """

    name: ClassVar[str] = "driver"
    summary: ClassVar[str] = "another engine, whose driver is a process of its own"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.PARALLEL})

    def __init__(self, engine: str, resources: Resources) -> None:
        self._engine = engine
        self._resources = resources
        self._killed = False
        self._start()

    @classmethod
    @override
    def open(cls, resources: Resources) -> "contextlib.AbstractContextManager[Self]":
        raise NotImplementedError  # it needs an engine: see ``own_driver``

    def _start(self) -> None:
        self._process, self._pipe = _started(self._engine, self._resources)
        ready = self._received()
        if isinstance(ready, Exception):
            raise ready
        self._workers, self._settings = ready

    def _received(self) -> Any:  # noqa: ANN401 - whatever the driver's process sends
        try:
            return self._pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            return EngineStartError(
                f"{self._engine}: the driver's process ended with {self._process.exitcode}"
            )

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
            raise CpusRejectedError("an engine with a driver of its own runs whole tasks only")
        self._pipe.send((function, inputs))
        results = self._received()
        if self._killed:
            self._killed = False
            self._start()
            self._pipe.send((function, inputs))
            results = self._received()
        if isinstance(results, Exception):
            raise results
        yield from results

    def kill(self) -> list[psutil.Process]:
        """Kill the driver in the middle of a batch; returns the processes that it had started."""
        below: list[psutil.Process] = psutil.Process(self._process.pid).children(recursive=True)
        self._killed = True
        self._process.kill()
        return below

    def close(self) -> None:
        """End the driver's process; it closes its engine first, if that does not take long."""
        self._pipe.close()
        self._process.join(_CLOSE_LIMIT_S)
        self._process.kill()
        self._process.join()

    @override
    def workers(self) -> int:
        return int(self._workers)

    @override
    def settings(self) -> tuple[Setting, ...]:
        return tuple(self._settings)


@contextlib.contextmanager
def own_driver(engine: str, resources: Resources) -> Iterator[OwnDriver]:
    """The engine of this name with a driver in a process of its own.

    Raises:
        EngineStartError: the engine did not start.
    """
    opened = OwnDriver(engine, resources)
    try:
        yield opened
    finally:
        opened.close()


def _started(engine: str, resources: Resources) -> tuple[SpawnProcess, _Pipe]:
    spawn = multiprocessing.get_context("spawn")
    pipe, far_end = spawn.Pipe()
    process = spawn.Process(target=_drive, args=(far_end, engine, resources))
    process.start()
    far_end.close()
    return process, pipe


def _drive(pipe: _Pipe, engine: str, resources: Resources) -> None:
    """Open the engine, and answer each (function, inputs) with all results, or with an error."""
    end_with_parent()
    try:
        with adapter_of(engine).open(resources) as opened:
            pipe.send((opened.workers(), opened.settings()))
            with contextlib.suppress(EOFError):
                while True:
                    pipe.send(_answer(opened, *pipe.recv()))
    except EngineError as error:
        pipe.send(error)


def _answer(
    engine: Engine, function: Callable[[Input], Output], inputs: Sequence[Input]
) -> list[tuple[int, Output]] | Exception:
    try:
        return list(engine.run(function, inputs))
    except EngineError as error:
        return error
    except Exception as error:  # noqa: BLE001 - raised again in the process that measures
        return EngineError(f"{type(error).__name__}: {error}")
