"""Imports the modules that nodes and drivers import, so that the image has their bytecode.

python -m deploy.warm_bytecode
"""

import importlib
import tempfile
from pathlib import Path

_MODULES = (
    *("compare.cli", "compare.commands", "compare.run.session", "deploy.node", "deploy.wait_ready"),
    *(
        "ray",
        "ray.scripts.scripts",
        "ray.dashboard.dashboard",
        "ray._private.workers.default_worker",
    ),
    *("distributed", "distributed.cli.dask_scheduler", "distributed.cli.dask_worker", "bokeh"),
    *("pyspark", "pyspark.worker", "pyspark.daemon", "pyspark.resource"),
    *("sklearn.datasets", "skimage.io", "matplotlib.backends.backend_svg", "cryptography.x509"),
)


def main() -> None:
    """Import the modules, and load a model as a worker does."""
    for name in _MODULES:
        try:
            importlib.import_module(name)
        except ImportError as error:  # a module that this version or build does not have
            print(f"{name}: {error}")  # noqa: T201 - shown in the build log
    from workload.kernels import vit
    from workload.model import VIT_DIGITS, resolve

    with tempfile.TemporaryDirectory() as cache:
        vit.load(resolve(VIT_DIGITS, Path(cache)).folder, "bfloat16", 1)


if __name__ == "__main__":
    main()
