"""What on this host changes what Ray does."""

import shutil
from collections.abc import Iterator

from engines._ray.settings import STORE_BYTES
from engines.environment import temporary_base
from engines.errors import EngineStartError

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - Ray's own choice
_FULL = 0.95
"""Above this share of a disk, Ray puts nothing more there (``local_fs_capacity_threshold``)."""
_MIB = 2**20


def hindrances() -> Iterator[str]:
    """What will change Ray's measurements; each sentence ends with the remedy."""
    try:
        free = shutil.disk_usage(_SHARED_MEMORY).free
    except OSError:
        free = 0
    if free < STORE_BYTES:
        yield (
            f"{_SHARED_MEMORY} has {free / _MIB:,.0f} MiB free and Ray wants "
            f"{STORE_BYTES / _MIB:,.0f} for its objects, so it keeps them in files: start the "
            "container with --shm-size=1g or more"
        )
    try:
        folder = temporary_base()
    except EngineStartError:
        return  # an obstacle
    total, used, _ = shutil.disk_usage(folder)
    if used > _FULL * total:
        yield (
            f"the disk of {folder} is {used / total:.0%} full, and above {_FULL:.0%} Ray refuses "
            "objects that do not fit into its memory: free some, or set TMPDIR to another disk"
        )
