"""Ray's runtime environments: what the worker processes of some tasks have beside Ray."""

import os
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

from engines.errors import ShippingError
from engines.parcel import Code, Package, Parcel, Wheel, zipped

_AMPLE_BYTES = 16 * 2**30
"""Room for a copy of any virtual environment, also with CUDA.  With less, the size of this one is
looked up, which takes a second of the time that is measured."""
_SPARE_BYTES = 2**30
"""Left free beside the copy: for what is installed into it, and for the other programs."""


def runtime_env(parcel: Parcel, folder: Path, request: int) -> dict[str, Any]:
    """The option of a task whose worker has the parcel.

    Archives are written to ``folder``.  The number of the request makes environments of equal
    parcels differ, so that they share no worker processes, as those of two programs do not.

    Raises:
        ShippingError: there is no room for the copy of a virtual environment.
    """
    variables = {"env_vars": {"ENGINE_COMPARE_REQUEST": str(request)}}
    match parcel:
        case Code():
            # An address, not a path: Ray uploads local folders for a whole program only.  It
            # removes the folder at the top.
            archive = zipped(parcel, folder, top="top")
            return {**variables, "py_modules": [archive.resolve().as_uri()]}
        case Wheel():
            return {**variables, "py_modules": [parcel.file.resolve().as_uri()]}
        case Package():
            _refuse_without_room(folder)
            options = [*parcel.pip_options(), "--no-cache-dir"]
            pip = {"packages": [parcel.name], "pip_install_options": options}
            return {**variables, "pip": pip}


def _refuse_without_room(folder: Path) -> None:
    """Ray copies the virtual environment that it runs in, into its folder for temporary files."""
    free = shutil.disk_usage(folder).free
    if sys.prefix == sys.base_prefix or free >= _AMPLE_BYTES:
        return
    needed = _size_bytes(Path(sys.prefix)) + _SPARE_BYTES
    if free < needed:
        raise ShippingError(
            f"ray: a copy of the virtual environment needs {needed / 2**30:.1f} GiB, "
            f"and {folder.parent} has {free / 2**30:.1f}: make room, or set TMPDIR"
        )


@cache
def _size_bytes(folder: Path) -> int:
    """What the files below a folder take on the disk."""
    return sum(
        512 * (Path(parent) / name).lstat().st_blocks
        for parent, _, names in os.walk(folder)
        for name in names
    )
