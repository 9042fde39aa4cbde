"""What a run leaves behind.  Plain values: no files, no clock, no statistics.

    Record = Measurement | OwnTrace | Rejected | Failure | NotApplicable
    Measurement = TaskRun | RoundTrips | Calibration | Lifecycle

``None`` says that a thing was not measured; it is never written as 0.  Units stand in the names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple, TypeAlias

from engines.interface import Config, Setting

SCHEMA = 2
"""Of the files of a run; ``summary.json`` has a number of its own."""

Scalar: TypeAlias = str | int | float

_CONTROL = "-control"


def control_of(engine: str) -> str:
    """The name under which an engine is measured once more, as if it were another."""
    return engine + _CONTROL


def original_of(engine: str) -> str:
    """The engine itself, of a control."""
    return engine.removesuffix(_CONTROL)


_STRICT: dict[str, str] = {"extra": "forbid"}


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
    """What an engine's own record says that it did; seconds since it was open."""

    name: str
    worker: str
    """In the engine's own words."""
    start_s: float
    end_s: float


class NodeUse(NamedTuple):
    """What one host of a cluster spent meanwhile.  ``None`` where it does not tell."""

    host: str
    role: str
    """``head``, ``worker`` or ``driver``."""
    cpu_s: float | None
    memory_bytes: int | None
    """At the end, without what the kernel keeps of files."""
    received_bytes: int | None
    """Over the network, from other hosts."""
    sent_bytes: int | None
    lost: bool = False
    """It was there before, and not afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to measure in a session."""

    experiment: str
    parameters: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One engine, opened once in a process of its own, and the cases it measures there."""

    id: str
    block: int
    position: int
    """Place in the run, from 0; drift of the machine shows along it."""
    engine: str
    label: str
    """What sets it apart from the engine's other sessions in the block; empty for the main one,
    which start, stop and memory are told of."""
    workers: int
    smallest_share: float
    traced: bool
    """The engine keeps its own record of who ran what when: a session that is not timed."""
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What the throughput experiment classifies."""

    model: str
    """As asked for: a built-in name, a folder or a hub name."""
    model_folder: str
    """Where the files are that every worker loads."""
    dtype: str
    images: tuple[str, ...]
    images_skipped: tuple[str, ...]
    """Files that are no image or broken, with the reason; they are not classified."""
    labels: tuple[str, ...] | None
    """The true label of each image where it is known (its folder is called like a label)."""
    chunk: int
    """Images per task."""
    random_weights: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that decides what is measured; fixed before the first measurement."""

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    run_id: str
    engines: tuple[str, ...]
    """The engines asked for and the baselines."""
    experiments: tuple[str, ...]
    preset: str
    blocks: int
    workers: int
    threads_per_worker: int
    config: Config
    seed: int
    workload: Workload | None
    """``None`` when no experiment classifies images."""
    sessions: tuple[Session, ...]
    missing: Mapping[str, str]
    """Engines asked for that cannot run here, with the reason; they get a row all the same."""
    native_trace: bool = False
    """After the blocks, each engine that keeps a record of its own is asked for it."""
    clusters: Mapping[str, str] = field(default_factory=dict)
    """Addresses of clusters, by the engine that runs on them; the others run on this host."""
    composed: bool = False
    """The clusters are made of containers, brought up for each session and taken down."""
    link_rate: str | None = None
    """What each container may send, in the form of ``tc``; ``None``: as fast as it can."""
    shipped: bool = False
    """Images reach the workers inside the tasks; else as paths that every host can read."""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    session: str
    block: int
    position: int
    engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun(_Record):
    """One batch of tasks, from submission until the last result was in the driver."""

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT
    kind: Literal["tasks"] = "tasks"

    case: Case
    tasks: int
    """Submitted."""
    items: int
    """Images in these tasks; equal to ``tasks`` where a task has no images."""
    submitted_s: float
    """When, since the engine was open: runs of one session have one time axis."""
    makespan_s: float
    first_result_s: float
    """From submission to the first result in the driver."""
    cpu_s: float | None
    """User and system seconds of the session's process and all its descendants: the engine's
    daemons, its JVM and its workers; of all hosts of a cluster, ``None`` if one does not tell."""
    peak_memory_bytes: int | None
    """Largest sum of the PSS of the same processes at one sample; ``None`` when not sampled."""
    peak_processes: int | None
    peak_threads: int | None
    """The most of them at one sample; ``None`` when not sampled."""
    memory_room_bytes: int | None
    """How large they could have become, when the session began."""
    oom_kills: int | None
    """Processes that the kernel killed meanwhile for want of memory.  ``None`` here and above where
    the kernel does not tell."""
    harness_s: float
    """What the driver spent on the results between taking one from the engine and asking it for the
    next; from the median of some of them."""
    received: tuple[int, ...]
    """How often each index came back: ``(1, 1, …)`` in a valid run."""
    kernel_calls: int
    """Counted in the workers, those that died included; equal to ``tasks`` when nothing ran
    twice."""
    set_ups: int
    """Tasks that made their kernel (loaded the model) while the clock ran."""
    hosts: tuple[str, ...]
    """Those that ran tasks."""
    nodes: tuple[NodeUse, ...]
    """What each host of the cluster spent; empty on this host alone."""
    workers_seen: int
    """Distinct threads, in whatever process, that ran a task."""
    threads: tuple[int, ...]
    """Distinct native thread budgets read inside the tasks; empty where torch is not loaded."""
    niceness: tuple[int, ...]
    """Distinct niceness values read inside the tasks."""
    errors: tuple[str, ...]
    """Tracebacks of tasks that raised."""
    outputs: tuple[str, ...] | None
    """Label of each image in the order of the inputs; ``None`` for tasks without images."""
    spans: tuple[Span, ...] | None
    """``None`` where they would say nothing (no-ops)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrips(_Record):
    """One task submitted and waited for, again and again."""

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT
    kind: Literal["round_trips"] = "round_trips"

    case: Case
    samples_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration(_Record):
    """How long one iteration of the fixed-work kernel took before and after a sweep over task
    sizes, with no engine open.  A sweep without it is not complete.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT
    kind: Literal["calibration"] = "calibration"

    case: Case
    before_s: float
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle(_Record):
    """What it took to start and stop the engine, and what else ran on the machine meanwhile.

    The last record of a session: a session without one was interrupted.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT
    kind: Literal["lifecycle"] = "lifecycle"

    open_s: float
    """From the call that opens the engine until it takes tasks; the framework's import included."""
    first_result_s: float | None
    """First no-op on the fresh engine, from submission to its result."""
    warm_up_s: float | None
    """Until every worker had the model loaded; ``None`` without a model."""
    close_s: float
    """From the end of the last case until the engine said it was closed."""
    engine_workers: int
    """How many workers the framework itself says it has."""
    settings: tuple[Setting, ...]
    leftovers: tuple[str, ...]
    """Command lines of processes that outlived the session and had to be ended."""
    host_cpu_s: float
    """Busy CPU seconds of the whole host while the session ran."""
    own_cpu_s: float
    """The session's share of them."""
    steal_s: float
    """CPU seconds that the hypervisor gave to others."""
    throttled_periods: int | None
    """In so many periods the control group had used up its quota of CPU time,"""
    throttled_s: float | None
    """and its processes waited so long, on all cores together."""
    swapped_bytes: int | None
    """Written to and read from swap by the whole host.  ``None`` here and above where the kernel
    does not tell."""
    wall_s: float
    """Duration of the session."""
    nodes: tuple[NodeUse, ...] = ()
    """What each host of the cluster spent from when it was joined; empty on this host alone."""
    one_clock: bool = True
    """All hosts have the same kernel, and so the same clock."""
    cluster_start_s: float | None = None
    """Until all containers of the cluster were up; ``None`` where they were not started for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTrace(_Record):
    """What the engine itself recorded in a session that is not timed."""

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT
    kind: Literal["own_trace"] = "own_trace"

    spans: tuple[EngineSpan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(_Record):
    """A case, or the whole session, that gave no measurement."""

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT
    kind: Literal["failure"] = "failure"

    case: Case | None
    """``None`` when the session failed as a whole."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(_Record):
    """The engine refused the share of a core: a result, in the engine's own words."""

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT
    kind: Literal["rejected"] = "rejected"

    case: Case
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotApplicable(_Record):
    """The engine says that it cannot do what the case needs."""

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT
    kind: Literal["not_applicable"] = "not_applicable"

    case: Case
    reason: str


Measurement: TypeAlias = TaskRun | RoundTrips | Calibration | Lifecycle
Record: TypeAlias = Measurement | OwnTrace | Rejected | Failure | NotApplicable


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One estimate, as other programs read it from ``summary.json``."""

    experiment: str
    engine: str
    metric: str
    unit: str
    value: float | str | None
    """A number; a word for ``admitted``; ``None`` when there is no valid measurement."""
    low: float | None
    """Bounds of the 95% interval over the blocks; ``None`` from one block, and for counts."""
    high: float | None
    n: int
    """Valid blocks."""
    case: Mapping[str, Scalar]
    verdict: str | None
    """Why there is no number, or what stands against it; ``None`` when all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One results folder, read."""

    plan: Plan
    environment: Mapping[str, object]
    records: tuple[Record, ...]
