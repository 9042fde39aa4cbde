"""What the sessions of a run measured.  Plain values: no files, no clock, no statistics.

    Record = Measurement | OwnTrace | Rejected | Failure | NotApplicable
    Measurement = TaskRun | FaultRun | ElasticityRun | RoundTrips | Calibration | Lifecycle

``None`` means that a value was not measured; it is never written as 0.  Names end in the unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, TypeAlias, TypedDict

from compare.records.plan import STRICT, Case, Plan, Session
from engines.interface import Setting


class Span(NamedTuple):
    """One task as seen by the worker and the driver; seconds since the tasks were submitted."""

    task: int
    """Index of its input."""
    worker: int
    """Ordinal of the worker (a thread of some process) in this case, from 0."""
    start_s: float
    end_s: float
    received_s: float


class EngineSpan(NamedTuple):
    """One entry of an engine's own trace; seconds since the engine was ready."""

    name: str
    worker: str
    """The name that the engine uses."""
    start_s: float
    end_s: float


class NodeUse(NamedTuple):
    """Usage of one host of a cluster, or ``None`` if it cannot be read."""

    host: str
    role: str
    """``head``, ``worker`` or ``driver``."""
    cpu_s: float | None
    memory_bytes: int | None
    """At the end, without the kernel's page cache."""
    received_bytes: int | None
    """Over the network, from other hosts."""
    sent_bytes: int | None
    lost: bool = False
    """The host answered before and does not answer any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    session: str
    block: int
    position: int
    engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun(_Record):
    """One batch of tasks, from submission until the last result was in the driver."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    kind: Literal["tasks"] = "tasks"

    case: Case
    tasks: int
    """Number of submitted tasks."""
    items: int
    """Images in these tasks; equal to ``tasks`` if the tasks have no images."""
    submitted_s: float
    """Seconds since the engine was ready: all batches of a session have the same time axis."""
    makespan_s: float
    first_result_s: float
    """From submission to the first result in the driver."""
    cpu_s: float | None
    """User and system seconds of the session's process and all its descendants: the engine's
    daemons, its JVM and its workers.  On a cluster: of all hosts; ``None`` if one is unreadable."""
    peak_memory_bytes: int | None
    """Largest sum of the PSS of the same processes at one sample; ``None`` if not sampled."""
    peak_processes: int | None
    peak_threads: int | None
    """Largest number of these processes, and of their threads; ``None`` if not sampled."""
    memory_room_bytes: int | None
    """How large these processes could have become, as of the start of the session."""
    oom_kills: int | None
    """Processes that the kernel killed for lack of memory.  ``None`` here and above if the
    kernel does not report it."""
    harness_s: float
    """Driver time spent on the results outside the engine, from the median of a sample."""
    received: tuple[int, ...]
    """How often each index came back: ``(1, 1, …)`` in a valid run."""
    kernel_calls: int
    """Counted in the workers, including workers that died; equal to ``tasks`` if nothing ran
    twice."""
    set_ups: int
    """Tasks that created their kernel (loaded the model) while the clock ran."""
    hosts: tuple[str, ...]
    """Hosts that ran tasks."""
    nodes: tuple[NodeUse, ...]
    """Usage of each host of the cluster; empty without a cluster."""
    workers_seen: int
    """Distinct threads, over all processes, that ran a task."""
    threads: tuple[int, ...]
    """Distinct native thread budgets read inside the tasks; empty if torch is not loaded."""
    niceness: tuple[int, ...]
    """Distinct niceness values read inside the tasks."""
    errors: tuple[str, ...]
    """Tracebacks of tasks that raised."""
    outputs: tuple[str, ...] | None
    """Label of each image in the order of the inputs, or a text for each output of the user's job;
    ``None`` for tasks without images."""
    spans: tuple[Span, ...] | None
    """``None`` if they carry no information (no-ops)."""
    output_bytes: int | None = None
    """Of the largest output of the user's job, pickled; ``None`` for other tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRun(_Record):
    """One batch of tasks during which something went wrong on purpose.

    Seconds count from submission.  No validity gate applies: what the engine did is the result.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    kind: Literal["fault"] = "fault"
    case: Case
    tasks: int
    verdict: Literal["finished", "failed", "hung"]
    """The engine handed over its last result, raised an error, or did neither before the
    deadline."""
    words: str
    """The engine's error as its user reads it; empty without an error."""
    ended_s: float
    """Until the last result, the error, or the deadline."""
    deadline_s: float
    fault_s: float | None
    """When the fault happened; ``None`` if the batch ended before."""
    received: tuple[int, ...]
    """How often each index came back."""
    wrong: int
    """Results that differ from the right ones."""
    starts: tuple[int, ...]
    """How often a worker started each task, including workers that died."""
    completed_s: tuple[float, ...]
    """When the tasks ended in their workers, in order."""


class Submission(NamedTuple):
    """Tasks submitted at once."""

    at_s: float
    tasks: int


class WorkerLife(NamedTuple):
    """One worker process, as its host saw it."""

    created_s: float
    first_task_s: float
    gone_s: float | None
    """``None``: it existed when the watch ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticityRun(_Record):
    """Demand for workers that rose and fell, and the worker processes that existed.

    Seconds count from the beginning of the watch.  No validity gate applies.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    kind: Literal["elastic"] = "elastic"

    case: Case
    most: int
    """Workers that the engine may have at the same time."""
    verdict: Literal["finished", "failed", "hung"]
    """As that of a ``FaultRun``."""
    words: str
    """The engine's error as its user reads it; empty without an error."""
    ended_s: float
    """Until the last result, the error, or the limit for both."""
    watched_s: float
    """Until no worker was left, or the limit for that."""
    submitted: tuple[Submission, ...]
    completed_s: tuple[float, ...]
    """When the tasks ended in their workers for the first time, in order."""
    starts: tuple[int, ...]
    """How often a worker started each task, including workers that ended."""
    workers: tuple[WorkerLife, ...]
    """Those that ran a task, in the order of their first tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrips(_Record):
    """One task submitted and waited for, repeatedly."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    kind: Literal["round_trips"] = "round_trips"

    case: Case
    samples_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration(_Record):
    """Seconds of one iteration of the fixed-work kernel.  A sweep without it is incomplete."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    kind: Literal["calibration"] = "calibration"

    case: Case
    before_s: float
    after_s: float
    """On one core while the others are idle, before the sweep and after it."""
    busy_s: tuple[float, ...] = ()
    """While all cores are busy, each time that it was measured between the batches of the sweep;
    empty in runs of earlier versions, and if the case needs only an idle core."""
    workers_a_core: float = 1.0
    """At least 1; by this factor ``busy_s`` is longer because there are fewer cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle(_Record):
    """Start and stop of the engine, and other load on the machine in the meantime.

    The last record of a session: a session without one was interrupted.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    kind: Literal["lifecycle"] = "lifecycle"

    open_s: float
    """From the call that opens the engine until it takes tasks; the framework's import included."""
    first_result_s: float | None
    """First no-op on the fresh engine, from submission to its result."""
    warm_up_s: float | None
    """Until every worker had the model loaded; ``None`` without a model."""
    close_s: float
    """From the end of the last case until the engine reported that it was closed."""
    engine_workers: int
    """The number of workers that the framework itself reports."""
    settings: tuple[Setting, ...]
    leftovers: tuple[str, ...]
    """Command lines of processes that outlived the session and had to be killed."""
    host_cpu_s: float
    """Busy CPU seconds of the whole host while the session ran."""
    own_cpu_s: float
    """The session's share of them."""
    steal_s: float
    """CPU seconds that the hypervisor gave to other machines."""
    throttled_periods: int | None
    """Periods in which the control group had used up its CPU quota."""
    throttled_s: float | None
    """Time its processes waited in those periods, summed over all cores."""
    swapped_bytes: int | None
    """Written to and read from swap by the whole host.  ``None`` here and above if the kernel
    does not report it."""
    wall_s: float
    """Duration of the session."""
    nodes: tuple[NodeUse, ...] = ()
    """Usage of each host of the cluster since it was joined; empty without a cluster."""
    one_clock: bool = True
    """All hosts run the same kernel and therefore have the same clock."""
    cluster_start_s: float | None = None
    """Until all containers of the cluster were up; ``None`` if the run started none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTrace(_Record):
    """The engine's own trace, recorded in a session that is not timed."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    kind: Literal["own_trace"] = "own_trace"

    spans: tuple[EngineSpan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(_Record):
    """A case or a whole session without a measurement."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    kind: Literal["failure"] = "failure"

    case: Case | None
    """``None`` if the session failed as a whole."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(_Record):
    """The engine refused the share of a core: a result, with the engine's message."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    kind: Literal["rejected"] = "rejected"

    case: Case
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotApplicable(_Record):
    """The engine lacks a capability that the case needs."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    kind: Literal["not_applicable"] = "not_applicable"

    case: Case
    reason: str


Measurement: TypeAlias = TaskRun | FaultRun | ElasticityRun | RoundTrips | Calibration | Lifecycle
Record: TypeAlias = Measurement | OwnTrace | Rejected | Failure | NotApplicable


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The content of one results folder."""

    plan: Plan
    environment: Mapping[str, object]
    records: tuple[Record, ...]


class Head(TypedDict):
    """The fields that all records of a session share."""

    session: str
    block: int
    position: int
    engine: str


def head(session: Session) -> Head:
    """The shared fields of a record of this session."""
    return {
        "session": session.id,
        "block": session.block,
        "position": session.position,
        "engine": session.engine,
    }
