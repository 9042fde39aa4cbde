"""What a run is going to measure, fixed before the first measurement.  Plain values."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from compare.options import Options
from engines.interface import CEILING, SERIAL

__all__ = ["CEILING", "SERIAL"]

SCHEMA = 3
"""Number of the format of a run's files; ``summary.json`` has a number of its own."""

Scalar: TypeAlias = str | int | float
STRICT: dict[str, str] = {"extra": "forbid"}

_CONTROL = "-control"


def control_of(engine: str) -> str:
    """The name under which an engine is measured a second time, as if it were another."""
    return engine + _CONTROL


def original_of(engine: str) -> str:
    """The engine that a control measures; any other name as it is."""
    return engine.removesuffix(_CONTROL)


def is_contender(engine: str) -> bool:
    """Neither the ceiling nor a control: an engine that a reader may choose."""
    return engine != CEILING and original_of(engine) == engine


def workers_of(engine: str, workers: int) -> int:
    """How many tasks of one core an engine that was given ``workers`` runs at once."""
    return 1 if engine == SERIAL else workers


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
    """Place in the run, from 0; drift of the machine shows along it."""
    engine: str
    label: str
    """Distinguishes the sessions of an engine in a block; empty for the main session, whose start,
    stop and memory are reported."""
    workers: int
    smallest_share: float
    traced: bool
    """The engine records its own trace: this session is not timed."""
    cases: tuple[Case, ...]


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
    """Files that are not classified, each with the reason: no image, or broken."""
    labels: tuple[str, ...] | None
    """The true label of each image where it is known (its folder is called like a label)."""
    chunk: int
    """Images per task."""
    random_weights: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that decides what is measured."""

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
    """``None`` when no experiment classifies images."""
    sessions: tuple[Session, ...]
    missing: Mapping[str, str]
    """Engines asked for that cannot run here, with the reason; they get a row nevertheless."""
    clusters: Mapping[str, str] = field(default_factory=dict)
    """Addresses of clusters by engine; the other engines run on this host."""
    schema: int = SCHEMA

    def effective_options(self) -> Options:
        """The options with what the preset and the machine decided filled in."""
        return dataclasses.replace(self.options, blocks=self.blocks, workers=self.workers)
