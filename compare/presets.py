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
        overhead_budget_s=0.4,
        point_s=0.1,
        nap_s=0.7,
    ),
    PresetName.STANDARD: Preset(
        blocks=3,
        fractional_blocks=1,
        n_images=32,
        chunk=4,
        overhead_budget_s=1.0,
        point_s=0.3,
        nap_s=2.0,
    ),
    PresetName.FULL: Preset(
        blocks=5,
        fractional_blocks=5,
        n_images=240,
        chunk=15,
        overhead_budget_s=4.0,
        point_s=2.0,
        nap_s=2.0,
    ),
}
