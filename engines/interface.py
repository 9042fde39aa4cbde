"""The one interface that every engine is used through.  No clock, no retry, no workload."""

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Self, TypeVar

Input = TypeVar("Input")
Output = TypeVar("Output")


class Capability(enum.Enum):
    """What some engines can do and some cannot.  The value is the sentence the report prints.

    The contract tests check claims and omissions: an engine that claims one must keep it, and one
    that does not claim it must be seen not to have it.
    """

    PARALLEL = "runs tasks at the same time"
    STREAMS = "hands over a result as soon as its task has finished"
    FRACTIONAL_CPUS = "gives a task a fraction of a core"


class Config(enum.StrEnum):
    """How an engine is set up.  Both give it the same workers and native threads."""

    SHIPPED = "shipped"
    """As its maintainers ship it: only what makes it private and sizes it is set."""
    TUNED = "tuned"
    """With the settings that its experts would use for this job, each with its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What an engine gets; equal for all engines in a comparison."""

    workers: int
    """Tasks of one core that may run at once."""
    threads_per_worker: int
    """Native threads (OpenMP, BLAS) that each worker may use."""
    smallest_share: float = 1.0
    """The smallest ``cpus`` that a task will ask for: an engine that must set aside threads or
    processes for small shares learns here how many."""
    config: Config = Config.TUNED


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting that is not the engine's default, and why it was made."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A distribution that the engine needs, checked without importing it."""

    distribution: str
    module: str


class Engine(ABC):
    """One framework, up and running with fixed resources.  Never reads a clock, never retries.

    One process opens one engine once: Ray cannot be opened twice, Spark's ``getOrCreate`` hands
    out the session that is open already.  An adapter may therefore change ``os.environ`` in
    ``open``, and must import its framework there and nowhere else: listing the engines must not
    cost an import of each.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    """What it is, in a few words, for ``python -m compare engines``."""
    capabilities: ClassVar[frozenset[Capability]]
    requirements: ClassVar[tuple[Requirement, ...]] = ()
    extra: ClassVar[str | None] = None
    """The extra of this project that installs the requirements: ``pip install '.[extra]'``."""
    needs_java: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def open(cls, resources: Resources) -> AbstractContextManager[Self]:
        """Start a private cluster on this host; enter once every worker can take a task.

        Private whatever the environment says: a cluster that runs already is neither joined nor
        disturbed.  On exit, also by an exception, the engine is told to stop.

        Raises:
            EngineStartError: it did not come up.
        """

    @abstractmethod
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
    ) -> Iterator[tuple[int, Output]]:
        """Yield ``(i, function(inputs[i]))`` once for each i, as tasks finish.

        One task per input, all submitted at once; not merged, batched or cached, equal inputs
        included.  Each asks for ``cpus`` cores where the engine can express that.  ``function``
        is importable on the workers and does not raise.

        Raises:
            CpusRejectedError: the engine refuses ``cpus``.
            WorkerLostError: a worker died and the engine does not recover.
        """

    @abstractmethod
    def workers(self) -> int:
        """How many workers the framework itself says it has."""

    @abstractmethod
    def settings(self) -> tuple[Setting, ...]:
        """Every setting made that is not a default, for the report."""
