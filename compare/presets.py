"""Three sizes of a run, so that a first run needs no other flags."""

import math
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


MINUTES = Sizes(quick=3, standard=10, full=60)
"""Time to measure, if the user does not say otherwise."""
BLOCKS = Sizes(quick=1, standard=3, full=5)
"""Blocks of everything; more follow while there is time."""
BATCH_S = Sizes(quick=3.0, standard=3.0, full=30.0)
"""Wanted duration of a batch of images on all workers."""
CHUNK = Sizes(quick=2, standard=2, full=15)
"""Images per task."""
FEWEST_TASKS = 4
"""Tasks of images for each worker: with fewer, an idle end decides the makespan."""
MOST_IMAGES = 1024
_LONGER = math.sqrt(2)
"""A batch that takes more than this many times the wanted duration is nearer to it when halved."""


def batch(
    preset: PresetName, image_s: float, workers: int, chunk: int | None = None
) -> tuple[int, int]:
    """Images for a batch of the wanted duration, and images per task.

    One core needs ``image_s`` for an image.  If ``chunk`` is not given, it is that of the preset,
    halved where the fewest tasks would otherwise take much longer than wanted.  The images are a
    power of two times the smallest number, so that the noise of the estimate does not change the
    plan from run to run.
    """
    wanted_s = BATCH_S.of(preset)
    per_task = chunk or CHUNK.of(preset)
    if chunk is None:
        while per_task > 1 and _fewest(per_task, workers) * image_s / workers > _LONGER * wanted_s:
            per_task //= 2
    fewest = _fewest(per_task, workers)
    wanted = wanted_s * workers / image_s if image_s > 0 else fewest
    doublings: int = round(math.log2(max(wanted / fewest, 1)))
    return int(max(min(fewest * 2**doublings, MOST_IMAGES), fewest)), per_task


def _fewest(chunk: int, workers: int) -> int:
    return FEWEST_TASKS * chunk * workers


def described() -> str:
    """The presets in one line, for ``--help``."""
    return "; ".join(
        f"{name}: {MINUTES.of(name)} minutes, planned for {BLOCKS.of(name)} "
        f"block{'s' * (BLOCKS.of(name) > 1)}, {CHUNK.of(name)} images per task"
        for name in PresetName
    )
