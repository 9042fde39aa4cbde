"""What a run is going to measure, fixed before the first measurement.  Plain values."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, TypeAlias

from compare.options import Options
from engines.interface import CEILING, SERIAL

__all__ = ["CEILING", "SERIAL"]

SCHEMA = 3
"""Version of the format of a run's files; ``summary.json`` has its own version."""

Scalar: TypeAlias = str | int | float
STRICT: dict[str, str] = {"extra": "forbid"}

FIRST_TURN, LAST_TURN = "first", "last"
"""Values of the parameter ``turn`` of what the ceiling measures twice in a block."""
INPUTS = "inputs"
"""Parameter of a case that runs the user's job: the number of its inputs."""
_CONTROL = "-control"


def control_of(engine: str) -> str:
    """The name under which an engine is measured a second time, as if it were another engine."""
    return engine + _CONTROL


def original_of(engine: str) -> str:
    """The engine that a control measures; any other name is returned unchanged."""
    return engine.removesuffix(_CONTROL)


def is_contender(engine: str) -> bool:
    """Whether a reader may choose the engine: it is neither the ceiling nor a control."""
    return engine != CEILING and original_of(engine) == engine


def workers_of(engine: str, workers: int) -> int:
    """The number of one-core tasks that an engine with this many workers runs at once."""
    return 1 if engine == SERIAL else workers


class Site(Enum):
    """Where the workers of an engine are."""

    HERE = "on the host of the program, or in one container with it"
    CONTAINERS = "in containers that the run starts"
    ELSEWHERE = "on a running cluster of the user"


def site_of(engine: str, clusters: Mapping[str, str], options: Options) -> Site:
    """Where the workers of an engine are, if these engines have clusters."""
    if original_of(engine) not in clusters:
        return Site.HERE
    return Site.CONTAINERS if options.composed else Site.ELSEWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to measure in a session."""

    experiment: str
    parameters: Mapping[str, Scalar]


def refine(case: Case, **parameters: str | float) -> Case:
    """The case with parameters that were decided while measuring."""
    return dataclasses.replace(case, parameters={**case.parameters, **parameters})


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One engine, opened once in a process of its own, and the cases it measures there."""

    id: str
    block: int
    position: int
    """Position in the run, from 0; it makes drift of the machine visible."""
    engine: str
    label: str
    """Distinguishes the sessions of an engine in a block; empty for the main session, whose start
    and stop are reported."""
    workers: int
    smallest_share: float
    traced: bool
    """The engine records its own trace: this session is not timed."""
    cases: tuple[Case, ...]
    repeats: str | None = None
    """Id of the session that it measures again, because other programs had taken the machine."""
    faults: bool = False
    """Something goes wrong on purpose; see ``engines.interface.Resources.faults``."""
    idle_s: float | None = None
    """Workers come and go with the demand; see ``engines.interface.Resources.idle_s``."""
    nodes: bool = False
    """The engine, if it spans hosts, joins a private cluster on this host, with a node of one core
    for each worker."""
    own_driver: bool = False
    """The engine is opened in a process of its own, which can be killed."""

    @property
    def is_usual(self) -> bool:
        """The engine has its workers from the start to the end, and nothing is done to them."""
        return not self.faults and self.idle_s is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The images to classify, and the model."""

    model: str
    """As the user named it: a built-in name, a folder or a hub name."""
    model_folder: str
    """Folder of the files that every worker loads."""
    dtype: str
    images: tuple[str, ...]
    images_skipped: tuple[str, ...]
    """Files that are not classified, each with the reason: not an image, or broken."""
    labels: tuple[str, ...] | None
    """The true label of each image, if known (its folder has the name of a label)."""
    chunk: int
    """Images per task."""
    random_weights: bool
    image_digests: tuple[str, ...] = ()
    """SHA-256 of each image; empty in a plan of an earlier version."""
    model_digests: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each file of the model that a worker loads, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The user's own job, as it was when the run was planned; see ``workload.job``."""

    file: str
    """Absolute path of the Python file, which every worker imports."""
    module: str
    """Name of the module in a package; empty if the file is no part of one."""
    name: str
    """Name of the object in the module; empty if the module itself is the job."""
    folder: str
    """The working directory while the job runs."""
    sha256: str
    """Of the file."""
    label: str
    inputs: int
    """Number of inputs: of tasks."""
    inputs_digest: str
    """Fingerprint of all inputs."""
    input_bytes: int
    output_bytes: int
    """Pickled: of the largest input, and of the largest output among the inputs that were tried."""
    cpus: float
    """The share of a core that a task asks for, where the engine knows shares."""
    has_same: bool
    """The job itself decides whether two outputs agree."""
    import_s: float
    load_s: float | None
    """``None`` if the job has no ``load``."""
    task_s: float
    """Median of the tasks that were tried, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that determines what is measured."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    run_id: str
    options: Options
    """What the user asked for, in canonical form: see ``compare.plan.resolve``."""
    engines: tuple[str, ...]
    """The baselines, the engines asked for, and a control."""
    experiments: tuple[str, ...]
    blocks: int
    workers: int
    workload: Workload | None
    """``None`` if no experiment classifies images."""
    sessions: tuple[Session, ...]
    missing: Mapping[str, str]
    """Engines asked for that cannot run here, with the reason; they still get rows."""
    clusters: Mapping[str, str] = field(default_factory=dict)
    """Addresses of clusters by engine; the other engines run on this host."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Engines that are another form of an engine of the plan, with the name of that one."""
    job: Job | None = None
    """``None`` if the user gave none."""
    niceness: int = 0
    """Priority of the program when it planned the run; all engines on this host inherit it."""
    schema: int = SCHEMA

    def effective_options(self) -> Options:
        """The options, completed with what the preset and the machine decided."""
        return dataclasses.replace(self.options, workers=self.workers)

    def site_of(self, engine: str) -> Site:
        """Where the workers of an engine are."""
        return site_of(engine, self.clusters, self.options)

    def blocks_of(self, experiment: str) -> int:
        """The number of blocks that hold the experiment."""
        return len(
            {
                session.block
                for session in self.sessions
                if not session.traced
                and any(case.experiment == experiment for case in session.cases)
            }
        )

    def with_sessions(self, sessions: "tuple[Session, ...]") -> "Plan":
        """The plan with these sessions, in this order."""
        placed = tuple(
            dataclasses.replace(session, position=place) for place, session in enumerate(sessions)
        )
        blocks = max((session.block for session in sessions), default=self.blocks)
        return dataclasses.replace(self, sessions=placed, blocks=blocks)
