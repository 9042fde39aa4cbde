"""Everything that a user may ask for.  Each flag is declared here, once.

The command line makes its parameters from these fields, the plan stores the whole value, and
``--resume`` and ``diff`` compare it field by field.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, get_type_hints

from engines.interface import Config

COMPOSE = "compose"
"""The value of ``--on`` that starts clusters of containers."""


class PresetName(StrEnum):
    """The presets, smallest first."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"


class Dtype(StrEnum):
    """Number formats of the model."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Ship(StrEnum):
    """How images reach the workers."""

    PATHS = "paths"
    BYTES = "bytes"


class Group(StrEnum):
    """Headings of ``--help``."""

    WHAT = "What to compare"
    HOW_MUCH = "How much to measure"
    WHERE = "Where it runs"
    OUTPUT = "Output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """How the command line shows a field of ``Options``."""

    help: str
    """The command line fills ``{experiments}``, ``{default_experiments}`` and ``{presets}``."""
    group: Group
    metavar: str | None = None
    envvar: str | None = None
    minimum: int | None = None
    default: str | None = None
    """Describes the default if it is stored as ``None``."""
    planned: bool = True
    """The plan depends on it: ``--resume`` refuses another value."""
    compared: bool = True
    """Measurements depend on it: ``diff`` refuses two runs that differ in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for; ``None`` if the preset or the machine decides."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    engines: Annotated[
        str,
        Flag(
            group=Group.WHAT,
            help="Engines to compare, separated by commas; or 'all'; or 'open' for those that "
            "have other forms, with these forms. The ceiling (no engine), serial and "
            "multiprocessing are always added.",
        ),
    ] = "ray,dask,spark"
    experiments: Annotated[
        str | None,
        Flag(
            group=Group.WHAT,
            help="What to measure, separated by commas, or 'all': {experiments}. 'python -m "
            "compare experiments' lists their questions.",
            default="{default_experiments}; with --job only the job",
        ),
    ] = None
    job: Annotated[
        str | None,
        Flag(
            group=Group.WHAT,
            metavar="FILE",
            help="Your own job: a Python file with inputs() and run(input), or an object of a "
            "package, package.module:Job. 'python -m compare init' writes an example.",
            # diff compares the content instead: the file may have moved.
            compared=False,
        ),
    ] = None
    config: Annotated[
        Config,
        Flag(
            group=Group.WHAT,
            help="shipped: only the settings that the comparison itself needs, such as one "
            "process per core; tuned: also those that an expert would choose. The report lists "
            "every setting with its reason.",
        ),
    ] = Config.TUNED
    model: Annotated[
        str,
        Flag(
            group=Group.WHAT,
            help="vit-base (random weights), vit-digits (trained, small), a folder, or the name "
            "of a ViT on the Hugging Face hub such as google/vit-base-patch16-224.",
        ),
    ] = "vit-base"
    dtype: Annotated[Dtype, Flag(group=Group.WHAT, help="Number format of the model.")] = (
        Dtype.FLOAT32
    )
    images: Annotated[
        Path | None,
        Flag(
            group=Group.WHAT,
            help="Folder with JPEG and PNG files, at any depth.",
            default="photographs that come with scikit-image; for vit-digits the held-out digits",
            # diff compares the names of the images instead: the folder may have moved.
            compared=False,
        ),
    ] = None
    control: Annotated[
        str | None,
        Flag(
            group=Group.WHAT,
            metavar="ENGINE",
            help="Measure this engine twice, as two engines: the difference between them is noise.",
        ),
    ] = None
    preset: Annotated[
        PresetName,
        Flag(group=Group.HOW_MUCH, help="How much to measure. {presets}."),
    ] = PresetName.STANDARD
    blocks: Annotated[
        int | None,
        Flag(
            group=Group.HOW_MUCH,
            minimum=1,
            help="Exactly so many repetitions of every experiment, each with another order of the "
            "engines, whatever time they take; an interval needs three.",
            default="as many as fit in the time",
            # Blocks are samples: runs with different numbers of them can be compared.
            compared=False,
        ),
    ] = None
    minutes: Annotated[
        int | None,
        Flag(
            group=Group.HOW_MUCH,
            minimum=1,
            help="Time to measure. The sizes fit the machine, and as many blocks are run as fit in "
            "the time; a slower machine gives wider intervals, not a longer run. Not used with "
            "--blocks.",
            default="from the preset",
            compared=False,
        ),
    ] = None
    precision: Annotated[
        str,
        Flag(
            group=Group.HOW_MUCH,
            metavar="PERCENT",
            help="Stop earlier if the 95% intervals of all pairs of engines are within this "
            "percentage of their values.",
            compared=False,
        ),
    ] = "5%"
    n_images: Annotated[
        int | None,
        Flag(
            group=Group.HOW_MUCH,
            minimum=1,
            help="Images to classify.",
            default="as many as the machine classifies in some seconds; with --images all images",
        ),
    ] = None
    chunk: Annotated[
        int | None,
        Flag(
            group=Group.HOW_MUCH,
            minimum=1,
            help="Images per task.",
            default="from the preset, fewer where an image takes long",
        ),
    ] = None
    seed: Annotated[
        int | None,
        Flag(
            group=Group.HOW_MUCH,
            help="Random seed; it determines the order of the sessions.",
            default="drawn, and stored in the plan",
            compared=False,
        ),
    ] = None
    workers: Annotated[
        int | None,
        Flag(
            group=Group.WHERE,
            minimum=1,
            envvar="ENGINE_COMPARE_WORKERS",
            help="Workers of each engine.",
            default="one per core",
        ),
    ] = None
    threads_per_worker: Annotated[
        int,
        Flag(group=Group.WHERE, minimum=1, help="Native threads (OpenMP, BLAS) of each worker."),
    ] = 1
    on: Annotated[
        str | None,
        Flag(
            group=Group.WHERE,
            metavar="WHERE",
            envvar="ENGINE_COMPARE_ON",
            help="compose: start a cluster of containers for each session; or ENGINE=ADDRESS, "
            "separated by commas, for running clusters, each with as many cores as --workers "
            "says: ray=head:6379, dask=tls://scheduler:8786, spark=spark://master:7077.",
            default="private clusters on this host",
        ),
    ] = None
    ship: Annotated[
        Ship,
        Flag(
            group=Group.WHERE,
            help="How images reach the workers: as paths that every host can read, or as bytes "
            "inside the tasks.",
        ),
    ] = Ship.PATHS
    link_rate: Annotated[
        str | None,
        Flag(
            group=Group.WHERE,
            metavar="RATE",
            help="With --on compose: limit the sending rate of each container, such as 100mbit.",
        ),
    ] = None
    out: Annotated[
        Path,
        Flag(
            group=Group.OUTPUT,
            envvar="ENGINE_COMPARE_OUT",
            help="Folder for the results of all runs.",
            planned=False,
            compared=False,
        ),
    ] = Path("results")
    resume: Annotated[
        Path | None,
        Flag(
            group=Group.OUTPUT,
            metavar="RUN_DIR",
            help="Finish an interrupted run; complete sessions are not run again.",
            planned=False,
            compared=False,
        ),
    ] = None
    native_trace: Annotated[
        bool,
        Flag(
            group=Group.OUTPUT,
            help="Afterwards, run some tasks again on each engine that records its own trace "
            "(ray.timeline, Dask's task stream, Spark's event log) and add it to trace.json, next "
            "to our own spans, for comparison. Recorded in separate, untimed sessions.",
            compared=False,
        ),
    ] = False
    dry_run: Annotated[
        bool,
        Flag(
            group=Group.OUTPUT,
            help="Print the plan and measure nothing.",
            planned=False,
            compared=False,
        ),
    ] = False

    @property
    def composed(self) -> bool:
        """The clusters consist of containers that are started for each session."""
        return self.on == COMPOSE

    @property
    def shipped(self) -> bool:
        """Images travel inside the tasks."""
        return self.ship is Ship.BYTES


FLAGS: dict[str, Flag] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(Options, include_extras=True).items()
    if hasattr(hint, "__metadata__")
}
"""The flag of each field, by its name."""


def spelled(name: str) -> str:
    """The field as the user types it, such as ``--n-images``."""
    return "--" + name.replace("_", "-")


def differing(one: Options, other: Options, names: Iterator[str]) -> tuple[str, ...]:
    """Names of the fields in which the two differ, in the order of their declaration."""
    return tuple(name for name in names if getattr(one, name) != getattr(other, name))


def planned_fields() -> Iterator[str]:
    """Fields that must agree for ``--resume``."""
    return (field.name for field in dataclasses.fields(Options) if FLAGS[field.name].planned)


def compared_fields() -> Iterator[str]:
    """Fields that must agree for ``diff``."""
    return (field.name for field in dataclasses.fields(Options) if FLAGS[field.name].compared)
