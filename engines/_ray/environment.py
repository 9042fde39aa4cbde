"""Ray's runtime environments: what the worker processes of some tasks have beside Ray."""

import shutil
import sys
from pathlib import Path
from typing import Any

from engines.errors import ShippingError
from engines.parcel import Code, Package, Parcel, Wheel, zipped

_ROOM_BYTES = 8 * 2**30
"""For a copy of a virtual environment: 3 GB with all of this project, more with CUDA."""


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
    if sys.prefix != sys.base_prefix and free < _ROOM_BYTES:
        raise ShippingError(
            f"ray: a copy of the virtual environment needs up to {_ROOM_BYTES / 2**30:.0f} GiB, "
            f"and {folder.parent} has {free / 2**30:.1f}: make room, or set TMPDIR"
        )
