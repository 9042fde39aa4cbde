"""The common interface of all engines.  It has no clock, no retry and no workload."""

import enum
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeAlias, TypeVar

from engines.parcel import Parcel, Run

if TYPE_CHECKING:
    from engines.cluster import Cluster

CEILING = "ceiling"
"""Name of the ceiling: the same kernel calls in plain processes, no engine.  Not registered."""
SERIAL = "serial"
"""Name of the serial engine.  Its outputs are the reference for correctness."""

Input = TypeVar("Input")
Output = TypeVar("Output")


class Capability(enum.Enum):
    """Features that not every engine has.  The value is what `python -m compare engines` prints.

    The contract tests check claims and omissions: they must show that an engine has every
    capability that it claims, and that it lacks every one that it does not claim.
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
    SCALES = "starts and ends workers with the demand"
    SHIPS = "ships code and packages to workers that run"
    INSTALLS = "lets its workers install a package by name"


class Config(enum.StrEnum):
    """How an engine is configured.  Both values give it the same workers and native threads."""

    SHIPPED = "shipped"
    """The maintainers' defaults, except for settings that isolate the engine, set its size, and
    give every engine one clean process for each core."""
    TUNED = "tuned"
    """The settings that experts of the engine would use for this job, each with its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The resources of an engine; equal for all engines in a comparison."""

    workers: int
    """Number of one-core tasks that may run at the same time."""
    threads_per_worker: int
    """Native threads (OpenMP, BLAS) that each worker may use."""
    smallest_share: float = 1.0
    """The smallest ``cpus`` that a task will request.  It determines how many threads or processes
    an engine must reserve for small shares."""
    config: Config = Config.TUNED
    traced: bool = False
    """Whether the engine records which worker ran which task when; see ``Engine.own_trace``."""
    faults: bool = False
    """Whether something will go wrong on purpose.  The engine then shows what its users would see:
    the adapter adds no check of its own, and the tuned configuration repeats failed tasks."""
    idle_s: float | None = None
    """Seconds after which the engine ends a worker that has no task.  It then has no worker when it
    is opened, and starts up to ``workers`` when there are tasks.  ``None``: all workers run from
    the start to the end.  Only for engines with ``Capability.SCALES``, on a private cluster."""
    cluster: str | None = None
    """Address, in the framework's own form, of a running cluster with this number of workers in
    total.  ``None``: a private cluster on this host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSpan:
    """One activity that the engine itself recorded."""

    name: str
    worker: str
    """Name of the worker as the engine reports it."""
    start_s: float
    """``time.time()`` of the host."""
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting that differs from the engine's default, and the reason for it."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A distribution that the engine needs.  The check does not import it."""

    distribution: str
    module: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Generic[Input]):
    """A task of a graph, which may need the results of others."""

    value: Input
    needs: tuple[int, ...]
    """Positions of the needed tasks in the previous layer; empty in the first layer."""


Graph: TypeAlias = Sequence[Sequence[Node[Input]]]
"""Layers of tasks.  A task's number is its position in the concatenation of all layers."""


class Engine(ABC):
    """One framework, running with fixed resources.  It never reads a clock.

    It never retries either, except where a retry is what is measured: with ``Resources.faults``,
    and in an engine whose summary says so.

    A process opens one engine, and only once: Ray cannot be opened twice, and Spark's
    ``getOrCreate`` returns the session that is already open.  An adapter may therefore change
    ``os.environ`` in ``open``.  It must not import its framework before ``open``, so that listing
    the engines does not import all frameworks.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    """A short description for ``python -m compare engines``."""
    capabilities: ClassVar[frozenset[Capability]]
    requirements: ClassVar[tuple[Requirement, ...]] = ()
    plain: ClassVar[str | None] = None
    """The engine that this one is another form of: the same framework, used as its own
    documentation recommends for batches, with whatever API and grouping of tasks that implies.
    ``None`` for an engine that takes each input as one task through the plainest API."""
    extra: ClassVar[str | None] = None
    """The extra of this project that installs the requirements: ``pip install '.[extra]'``."""
    fixed_s: ClassVar[float] = 0.02
    """Approximate time that a run takes in addition to its tasks.  Only the estimate of a
    comparison's duration depends on it."""
    cluster: ClassVar["Cluster | None"] = None
    """How the engine spans hosts; set if and only if it has ``Capability.SPANS_HOSTS``."""

    @classmethod
    def obstacles(cls) -> Iterator[str]:
        """Why it cannot start on this host although its packages are installed.

        Each sentence ends with the remedy.  Asked before a run, and to list the engines: it takes
        less than a second and imports no framework.
        """
        yield from ()

    @classmethod
    def hindrances(cls) -> Iterator[str]:
        """What will change its measurements on this host, in the same form."""
        yield from ()

    @classmethod
    @abstractmethod
    def open(cls, resources: Resources) -> AbstractContextManager[Self]:
        """Start a private cluster on this host; enter when every worker can accept a task.

        With ``resources.idle_s``, enter when the cluster can start workers.

        The cluster is private regardless of the environment: a running cluster is neither joined
        nor disturbed.  On exit, also after an exception, the engine is asked to stop.

        With ``resources.cluster``, join that cluster with the credentials that the framework finds
        in the environment, and leave it on exit.

        Raises:
            EngineStartError: the cluster did not start, or cannot be joined.
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

        Each input is one task.  All tasks are submitted at once; they are not merged, batched or
        cached, even if inputs are equal.  Each task requests ``cpus`` cores if the engine can
        express that.  ``function`` must be importable on the workers and must not raise.

        With ``slots``, a task requests that amount of a resource called *slot* and as small a
        share of a core as the engine can express; ``cpus`` is then ignored.  There is one slot for
        each worker.

        ``run`` may be called again from another thread while results of an earlier call are still
        being read; the tasks of all calls then share the workers.

        Raises:
            CpusRejectedError: the engine rejects ``cpus`` or ``slots``.
            WorkerLostError: a worker died and the engine does not recover.
        """

    def run_one_by_one(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        """Like ``run``, but with one framework call per task; no call waits for a result.

        Only for engines with ``Capability.BULK``; the others have no other way to submit tasks.
        """
        raise NotImplementedError

    def run_async(
        self, function: Callable[[Input], Awaitable[Output]], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        """Like ``run``, but for a coroutine function: a waiting task does not block the others.

        Only for engines with ``Capability.AWAITS``.
        """
        raise NotImplementedError

    def run_graph(
        self, function: Callable[[Input, tuple[Output, ...]], Output], graph: Graph[Input]
    ) -> Iterator[tuple[int, Output]]:
        """Yield ``(i, output)`` once for each task of the graph, at the latest when the graph ends.

        A task calls ``function(value, outputs of the tasks that it needs, in that order)``.  It
        starts only after those tasks have ended.  The framework sends outputs from worker to
        worker; the driver does not take part.

        Only for engines with ``Capability.GRAPHS``.

        Raises:
            WorkerLostError: a worker died and the engine does not recover.
        """
        raise NotImplementedError

    def own_trace(self) -> tuple[OwnSpan, ...]:
        """The spans that the engine itself has recorded so far.

        Only for engines with ``Capability.TRACES`` that were opened with ``Resources.traced``.
        """
        raise NotImplementedError

    def ship(self, parcel: Parcel) -> Run:
        """Ship a parcel with the framework's own means; the result runs tasks that can import it.

        The workers run already.  They receive the parcel in this call, or with the first tasks.
        Each call is a new request, as of another program: what the framework keeps of an equal
        parcel is its own matter.

        Only for engines with ``Capability.SHIPS``; a ``Package`` also needs
        ``Capability.INSTALLS``.

        Raises:
            ShippingError: the parcel did not reach the workers.  Running the tasks may raise it,
                too.
        """
        raise NotImplementedError

    @abstractmethod
    def workers(self) -> int:
        """Number of workers that the framework itself reports."""

    @abstractmethod
    def settings(self) -> tuple[Setting, ...]:
        """All settings that differ from the defaults, for the report."""
