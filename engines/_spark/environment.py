"""How Spark's workers receive code and packages while they run."""

from pathlib import Path

from engines._spark.opening import reason
from engines.environment import Framework
from engines.errors import ShippingError
from engines.parcel import Package, Parcel, zipped


def ship(context: Framework, parcel: Parcel, folder: Path) -> None:
    """Let all later tasks import the parcel.  Archives are in ``folder``.

    Spark sends a file once, with the next task of each executor; a file of the same name is not
    sent again.

    Raises:
        ShippingError: Spark cannot send it, or the parcel needs an installer.
    """
    from py4j.protocol import Py4JError

    if isinstance(parcel, Package):
        raise ShippingError(
            f"spark: it has no installer for {parcel.name}: ship its wheel, or start the executors "
            "in a packed environment"
        )
    try:
        # Of archives, PySpark puts those on the path of its workers that are called .zip.
        context.addPyFile(str(zipped(parcel, folder)))
    except (Py4JError, OSError) as error:
        raise ShippingError(f"spark: {reason(error)}") from error
