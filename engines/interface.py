"""The one interface that every engine is used through.  No clock, no retry, no workload."""

import enum
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeAlias, TypeVar

if TYPE_CHECKING:
    from engines.cluster import Cluster

CEILING = "ceiling"
"""Name of the engine-free ceiling: the same kernel calls in plain processes.  Not registered."""
SERIAL = "serial"
"""Name of the serial engine: its outputs are the correct ones."""

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
    SLOTS = "gives a task a fraction of a resource that is not a core"
    BULK = "takes many tasks in one call"
    AWAITS = "awaits many coroutines in one worker"
    GRAPHS = "starts a task with the results of the tasks that it needs"
    TRACES = "keeps a record of its own of who ran what when"
    SPANS_HOSTS = "runs on the cores of several hosts"


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
    traced: bool = False
    """The engine keeps its own record of who ran what when; see ``Engine.own_trace``."""
    cluster: str | None = None
    """Address, in the framework's own form, of a cluster that runs already and has so many workers
    in all.  ``None``: a private one on this host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSpan:
    """One thing that the engine itself says it did."""

    name: str
    worker: str
    """In the engine's own words."""
    start_s: float
    """``time.time()`` of the host."""
    end_s: float


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Generic[Input]):
    """A task that needs the results of others."""

    value: Input
    needs: tuple[int, ...]
    """Places in the layer before; empty in the first."""


Graph: TypeAlias = Sequence[Sequence[Node[Input]]]
"""Layers of tasks.  A task is numbered by its place in all layers, one after the other."""


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
    fixed_s: ClassVar[float] = 0.02
    """About how long a run takes beside its tasks; the estimate of a comparison's duration alone
    depends on it."""
    cluster: ClassVar["Cluster | None"] = None
    """How it spans hosts; of engines with ``Capability.SPANS_HOSTS``, and of no others."""

    @classmethod
    @abstractmethod
    def open(cls, resources: Resources) -> AbstractContextManager[Self]:
        """Start a private cluster on this host; enter once every worker can take a task.

        Private whatever the environment says: a cluster that runs already is neither joined nor
        disturbed.  On exit, also by an exception, the engine is told to stop.

        With ``resources.cluster``, join that one, with the credentials that the framework finds in
        the environment, and leave it on exit.

        Raises:
            EngineStartError: it did not come up, or cannot be joined.
        """

    @abstractmethod
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
        slots: float | None = None,
    ) -> Iterator[tuple[int, Output]]:
        """Yield ``(i, function(inputs[i]))`` once for each i, as tasks finish.

        One task per input, all submitted at once; not merged, batched or cached, equal inputs
        included.  Each asks for ``cpus`` cores where the engine can express that.  ``function``
        is importable on the workers and does not raise.

        With ``slots`` a task asks for that much of a resource called *slot*, of which there is
        one for each worker, and for as little of a core as the engine can express; ``cpus`` is
        then ignored.

        May be called again, from another thread, while results are still being taken: tasks of
        all calls then share the workers.

        Raises:
            CpusRejectedError: the engine refuses ``cpus``, or ``slots``.
            WorkerLostError: a worker died and the engine does not recover.
        """

    def run_one_by_one(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        """``run`` by a call of the framework for each task, none of which waits for a result.

        Only of engines with ``Capability.BULK``: the others have no other way.
        """
        raise NotImplementedError

    def run_async(
        self, function: Callable[[Input], Awaitable[Output]], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        """``run`` of a coroutine function: a task that waits keeps no other from running.

        Only of engines with ``Capability.AWAITS``.
        """
        raise NotImplementedError

    def run_graph(
        self, function: Callable[[Input, tuple[Output, ...]], Output], graph: Graph[Input]
    ) -> Iterator[tuple[int, Output]]:
        """Yield ``(i, output)`` once for each task of the graph, at the latest at its end.

        A task is ``function(value, outputs of the tasks that it needs, in that order)``, and
        starts no earlier than those have ended.  Outputs go from worker to worker as the framework
        sends them; the driver has no part in it.

        Only of engines with ``Capability.GRAPHS``.

        Raises:
            WorkerLostError: a worker died and the engine does not recover.
        """
        raise NotImplementedError

    def own_trace(self) -> tuple[OwnSpan, ...]:
        """What the engine itself recorded of the tasks so far.

        Only of engines with ``Capability.TRACES``, opened with ``Resources.traced``.
        """
        raise NotImplementedError

    @abstractmethod
    def workers(self) -> int:
        """How many workers the framework itself says it has."""

    @abstractmethod
    def settings(self) -> tuple[Setting, ...]:
        """Every setting made that is not a default, for the report."""
