"""How much is measured: three sizes, so that nobody has to know a flag to begin."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Sizes of one preset.  Flags override blocks, images and chunk."""

    blocks: int
    fractional_blocks: int
    """Blocks that hold a fractional session: its waves are seconds of sleep, whatever they show."""
    n_images: int
    chunk: int
    overhead_budget_s: float
    point_s: float
    """Of each task granularity that METG is read from; longer where an engine's fixed cost is."""
    nap_s: float
    """Of the sleeping tasks that ask for a share of a core."""
    neighbour_s: float
    """Work of the task that has liars for neighbours."""
    some_images: int
    """For experiments that classify them several times."""
    reloading_images: int
    """For the one that loads the model for each."""
    mean_s: float
    """Of tasks of unequal length."""
    wait_s: float
    """Of the tasks in the timeline."""
    pattern_s: float
    """As ``point_s``, of tasks that need the results of others."""
    most_payload_bytes: int


class PresetName(StrEnum):
    """What the command line takes."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"


PRESETS: dict[str, Preset] = {
    PresetName.QUICK: Preset(
        blocks=1,
        fractional_blocks=1,
        n_images=16,
        chunk=2,
        overhead_budget_s=0.3,
        point_s=0.06,
        nap_s=0.6,
        neighbour_s=0.2,
        some_images=8,
        reloading_images=4,
        mean_s=0.05,
        wait_s=0.3,
        pattern_s=0.1,
        most_payload_bytes=16_000_000,
    ),
    PresetName.STANDARD: Preset(
        blocks=3,
        fractional_blocks=1,
        n_images=32,
        chunk=4,
        overhead_budget_s=1.0,
        point_s=0.3,
        nap_s=2.0,
        neighbour_s=0.4,
        some_images=8,
        reloading_images=4,
        mean_s=0.1,
        wait_s=0.5,
        pattern_s=0.1,
        most_payload_bytes=64_000_000,
    ),
    PresetName.FULL: Preset(
        blocks=5,
        fractional_blocks=5,
        n_images=240,
        chunk=15,
        overhead_budget_s=4.0,
        point_s=2.0,
        nap_s=2.0,
        neighbour_s=1.0,
        some_images=120,
        reloading_images=20,
        mean_s=0.2,
        wait_s=1.0,
        pattern_s=1.0,
        most_payload_bytes=64_000_000,
    ),
}
