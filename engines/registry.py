"""Lists the engines and checks whether they can run here.  Imports no framework."""

import contextlib
import difflib
import functools
import importlib
import importlib.metadata
import importlib.util

from engines.cluster import Cluster
from engines.errors import EngineMissingError, UnknownEngineError
from engines.interface import Engine

ENTRY_POINT_GROUP = "engine_compare.engines"

_BUILT_IN = {
    "serial": "engines._stdlib.loop:SerialEngine",
    "multiprocessing": "engines._stdlib.pool:ProcessEngine",
    "ray": "engines._ray.tasks:RayEngine",
    "dask": "engines._dask.tasks:DaskEngine",
    "spark": "engines._spark.tasks:SparkEngine",
    "process-executor": "engines._stdlib.executor:ExecutorEngine",
    "loky": "engines._stdlib.reusable:LokyEngine",
    "ray-actors": "engines._ray.actors:RayActorsEngine",
    "ray-data": "engines._ray.data:RayDataEngine",
    "spark-udf": "engines._spark.udf:SparkUdfEngine",
    "dask-actors": "engines._dask.actors:DaskActorsEngine",
}


@functools.cache
def _paths() -> dict[str, str]:
    installed = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return _BUILT_IN | {point.name: point.value for point in installed}


def engine_names() -> tuple[str, ...]:
    """All registered engines: those of this project first, then those of other packages."""
    return tuple(_paths())


def load_engine(name: str) -> type[Engine]:
    """Load the adapter called ``name``.  Works, and is cheap, even without its framework.

    Raises:
        UnknownEngineError: no engine has that name.
        EngineMissingError: its package registers it, but it cannot be imported.
    """
    path = _paths().get(name)
    if path is None:
        close = difflib.get_close_matches(name, engine_names(), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(engine_names())}"
        raise UnknownEngineError(f"no engine called {name!r}; {hint}")
    module, _, attribute = path.partition(":")
    try:
        adapter: type[Engine] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        if name in _BUILT_IN:
            raise
        raise EngineMissingError(
            f"engine {name!r} cannot be imported from {path}: {error}; install or remove the "
            "package that registers it"
        ) from error
    return adapter


@functools.cache
def forms() -> dict[str, str]:
    """The other forms of engines: by the name of each, the engine that it is a form of."""
    plain = {name: adapter.plain for name, adapter in _adapters().items()}
    return {name: engine for name, engine in plain.items() if engine is not None}


def without_forms() -> tuple[str, ...]:
    """The engines that take each input as one task through the plainest API: the closed track."""
    return tuple(name for name in engine_names() if name not in forms())


def forms_and_their_engines() -> tuple[str, ...]:
    """The other forms of engines and the engines that they are forms of: the open track."""
    chosen = {*forms(), *forms().values()}
    return tuple(name for name in engine_names() if name in chosen)


def clusters() -> dict[str, Cluster]:
    """The ``Cluster`` of every engine that spans hosts, by engine name."""
    return {
        name: adapter.cluster
        for name, adapter in _adapters().items()
        if adapter.cluster is not None
    }


def _adapters() -> dict[str, type[Engine]]:
    adapters = {}
    for name in engine_names():
        with contextlib.suppress(EngineMissingError):  # a row of the list of engines says why
            adapters[name] = load_engine(name)
    return adapters


def require(adapter: type[Engine]) -> None:
    """Check that everything the engine needs is installed, and that it can start on this host.

    Raises:
        EngineMissingError: something is missing; the message says what and how to get it.
    """
    for requirement in adapter.requirements:
        if importlib.util.find_spec(requirement.module) is None:
            how = (
                f"pip install '.[{adapter.extra}]'"
                if adapter.extra
                else (f"pip install '{requirement.distribution}'")
            )
            raise EngineMissingError(
                f"engine {adapter.name!r} needs {requirement.distribution!r}, "
                f"which is not installed: {how}"
            )
    for obstacle in adapter.obstacles():
        raise EngineMissingError(f"engine {adapter.name!r} cannot start here: {obstacle}")


def installed_version(adapter: type[Engine]) -> str | None:
    """Version of the engine's first requirement; ``None`` if it has none or it is missing."""
    for requirement in adapter.requirements:
        try:
            return importlib.metadata.version(requirement.distribution)
        except importlib.metadata.PackageNotFoundError:
            return None
    return None
