"""loky: an executor of processes that a program shares, resizes and replaces when it breaks."""

import os
import select
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from typing import ClassVar, Self

from typing_extensions import override

from engines.environment import Framework, budget, thread_environment
from engines.errors import EngineStartError, WorkerLostError
from engines.interface import (
    Capability,
    Config,
    Input,
    Output,
    Requirement,
    Resources,
    Setting,
)
from engines.shares import WithoutShares

_START_TIMEOUT_S = 60
_SETTINGS = (
    Setting(
        name="timeout",
        value="None",
        reason="by default a worker that was idle for 10 s ends, and the next tasks start another",
    ),
)
_NO_LEAK = Setting(
    name="LOKY_MAX_MEMORY_LEAK_SIZE",
    value="1e12",
    reason="by default loky replaces a worker that needs 300 MB more than after its first task; a "
    "model that a later task loads is taken for a leak, and loaded again",
)


class LokyEngine(WithoutShares):
    """The reusable executor, which joblib uses for scikit-learn."""

    name: ClassVar[str] = "loky"
    plain: ClassVar[str | None] = "multiprocessing"
    summary: ClassVar[str] = "loky's reusable executor, as in joblib"
    taker: ClassVar[str] = "an executor"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.PARALLEL, Capability.STREAMS}
    )
    fixed_s: ClassVar[float] = 0.002
    requirements: ClassVar[tuple[Requirement, ...]] = (
        Requirement(distribution="loky", module="loky"),
    )
    extra: ClassVar[str | None] = "loky"

    def __init__(self, workers: int, settings: tuple[Setting, ...]) -> None:
        self._workers = workers
        self._settings = settings

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        tuned = (_NO_LEAK,) if resources.config is Config.TUNED else ()
        os.environ.update(thread_environment(resources))
        os.environ.update({setting.name: setting.value for setting in tuned})
        engine = cls(resources.workers, budget(resources) + _SETTINGS + tuned)
        try:
            engine._start()
            yield engine
        finally:
            engine._executor().shutdown(wait=True, kill_workers=True)

    def _executor(self) -> Framework:
        """The executor of this program: a new one if the last one broke."""
        from loky import get_reusable_executor

        return get_reusable_executor(self._workers, timeout=None, initializer=_end_with_parent)

    def _start(self) -> None:
        started = self._executor().submit(os.getpid)
        try:
            started.result(_START_TIMEOUT_S)
        except (OSError, RuntimeError, TimeoutError) as error:
            raise EngineStartError(f"loky: no worker started: {error}") from error

    @override
    def _results(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        from loky.process_executor import BrokenProcessPool

        futures: dict[Future[Output], int] = {}
        try:
            executor = self._executor()
            futures |= {executor.submit(function, value): i for i, value in enumerate(inputs)}
            for future in as_completed(list(futures)):
                yield futures.pop(future), future.result()
        except BrokenProcessPool as error:
            raise WorkerLostError(f"loky: {error}") from error
        finally:
            # Futures remain only if the run was abandoned.
            for future in futures:
                future.cancel()

    @override
    def workers(self) -> int:
        return len(self._executor()._processes)  # noqa: SLF001 - no public way

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings


def _end_with_parent() -> None:
    """End this process when its parent ends; loky gives its workers no sentinel of the parent."""
    parent = os.pidfd_open(os.getppid())

    def watch() -> None:
        select.select([parent], [], [])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
