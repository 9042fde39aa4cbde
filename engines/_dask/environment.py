"""How Dask's workers receive code and packages while they run."""

import sys
from pathlib import Path

from engines.environment import Framework
from engines.errors import ShippingError
from engines.parcel import Package, Parcel, zipped


def ship(client: Framework, parcel: Parcel, folder: Path) -> None:
    """Let all workers import the parcel.  Archives and installed packages are in ``folder``.

    Raises:
        ShippingError: a worker cannot import the code, or its installer failed.
    """
    try:
        if isinstance(parcel, Package):
            _install(client, parcel, folder / "packages")
        else:
            # The workers import it at once.  No worker starts anew, unlike with UploadDirectory.
            client.upload_file(str(zipped(parcel, folder)))
    except (RuntimeError, ImportError, OSError) as error:
        raise ShippingError(f"dask: {error}") from error


def _install(client: Framework, package: Package, target: Path) -> None:
    """Install the package into a folder, and let the workers that run now search there.

    ``PipInstall`` would change the environment of each worker.  That of the workers on this host is
    the one that this program and all engines run in.
    """
    from distributed import PipInstall

    target.mkdir(exist_ok=True)
    client.register_plugin(
        PipInstall(
            packages=[package.name], pip_options=[*package.pip_options(), f"--target={target}"]
        )
    )
    client.run(_search_in, str(target))


def _search_in(folder: str) -> None:
    if folder not in sys.path:
        sys.path.append(folder)
