"""Three sizes of a run, so that a first run needs no other flags."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from compare.options import PresetName

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes(Generic[_T]):
    """One value for each preset."""

    quick: _T
    standard: _T
    full: _T

    def of(self, preset: PresetName) -> _T:
        """The value for this preset."""
        size: _T = getattr(self, preset)
        return size


BLOCKS = Sizes(quick=1, standard=3, full=5)
N_IMAGES = Sizes(quick=16, standard=32, full=240)
CHUNK = Sizes(quick=2, standard=4, full=15)
"""Images per task."""


def described() -> str:
    """The presets in one line, for ``--help``."""
    return "; ".join(
        f"{name}: {BLOCKS.of(name)} block{'s' * (BLOCKS.of(name) > 1)} of {N_IMAGES.of(name)} "
        f"images, {CHUNK.of(name)} per task"
        for name in PresetName
    )
