"""The list of experiments.  Imports none of them, because ``--help`` must be fast.

Another package registers an experiment with an entry point in the group
``engine_compare.experiments``: its name, and ``package.module:Class``.
"""

import difflib
import functools
import importlib
import importlib.metadata
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from compare.errors import UsageError

if TYPE_CHECKING:
    from compare.experiments.experiment import Experiment
    from compare.records.plan import Scalar

ENTRY_POINT_GROUP = "engine_compare.experiments"


class _Entry(NamedTuple):
    question: str
    path: str
    default: bool = False
    """Measured if the user does not choose."""


_HERE = "compare.experiments"
_BUILT_IN: dict[str, _Entry] = {
    "job": _Entry(
        "tasks/s of your own job (--job FILE), as a share of the ceiling", f"{_HERE}.job:OwnJob"
    ),
    "throughput": _Entry(
        "images/s of ViT batch inference, as a share of the ceiling; where the time went",
        f"{_HERE}.throughput:Throughput",
        default=True,
    ),
    "overhead": _Entry(
        "no-ops/s, cost per task, round trips, METG(50%) and METG(90%)",
        f"{_HERE}.overhead:Overhead",
        default=True,
    ),
    "submission": _Entry(
        "METG with a call of the framework for each task", f"{_HERE}.submission:Submission"
    ),
    "fractional": _Entry(
        "what 1, 0.5, 0.25 and 0.1 of a core mean",
        f"{_HERE}.fractional:Fractional",
        default=True,
    ),
    "matrix": _Entry(
        "what 1.5, 0.7 and 0.3 of a core mean, and shares of a resource that is no core",
        f"{_HERE}.matrix:Matrix",
    ),
    "lying": _Entry(
        "what happens to the neighbour of a task that asks for 0.1 of a core and uses a whole one",
        f"{_HERE}.lying:Lying",
    ),
    "hybrid": _Entry(
        "images and waiting tasks, together and one after the other", f"{_HERE}.hybrid:Hybrid"
    ),
    "granularity": _Entry("images/s against images per task", f"{_HERE}.granularity:Granularity"),
    "residency": _Entry(
        "the model loaded per image, per task, per worker", f"{_HERE}.residency:Residency"
    ),
    "scaling": _Entry("1, 2, 4, … workers, strong and weak scaling", f"{_HERE}.scaling:Scaling"),
    "imbalance": _Entry("tasks of very unequal length", f"{_HERE}.imbalance:Imbalance"),
    "payload": _Entry("1 kB to 64 MB into tasks and out of them", f"{_HERE}.payload:Payload"),
    "timeline": _Entry(
        "waiting tasks that block their worker or not, as a picture and as a trace",
        f"{_HERE}.timeline:Timeline",
    ),
    "dependencies": _Entry("METG of a tree and of a stencil", f"{_HERE}.dependencies:Dependencies"),
    "faults": _Entry(
        "what an engine does when a task, a worker, a node, its network or the driver fails",
        f"{_HERE}.faults:Faults",
    ),
    "elasticity": _Entry(
        "how workers follow the demand: from none to four, to one, to four, to none",
        f"{_HERE}.elasticity:Elasticity",
    ),
    "environments": _Entry(
        "how long code, a wheel and a package by name take to reach workers that run",
        f"{_HERE}.environments:Environments",
    ),
}


@functools.cache
def _paths() -> dict[str, str]:
    installed = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    own = {name: entry.path for name, entry in _BUILT_IN.items()}
    return own | {point.name: point.value for point in installed}


def experiment_names() -> tuple[str, ...]:
    """All registered experiments: those of this project first, then those of other packages."""
    return tuple(_paths())


def built_in_names() -> tuple[str, ...]:
    """The experiments of this project, which can always be imported."""
    return tuple(_BUILT_IN)


def default_names() -> tuple[str, ...]:
    """Experiments that are measured if the user does not choose."""
    return tuple(name for name, entry in _BUILT_IN.items() if entry.default)


def question_of(name: str) -> str:
    """The question of an experiment, in one line.

    Raises:
        UsageError: the experiment is not registered, or cannot be imported.
    """
    entry = _BUILT_IN.get(name)
    return entry.question if entry else load_experiment(name).question


@functools.cache
def load_experiment(name: str) -> "Experiment":
    """The experiment called ``name``.

    Raises:
        UsageError: it is not registered, or its package cannot be imported.
    """
    path = _paths().get(name)
    if path is None:
        close = difflib.get_close_matches(name, experiment_names(), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(experiment_names())}"
        raise UsageError(f"no experiment called {name!r}; {hint}")
    module, _, attribute = path.partition(":")
    try:
        experiment: Experiment = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"experiment {name!r} cannot be imported from {path}: {error}; "
            "install or remove the package that registers it"
        ) from error
    return experiment


def identity(experiment: str, case: "Mapping[str, Scalar]") -> tuple[str, ...]:
    """Names of the parameters in ``case`` that distinguish the rows of ``experiment``.

    Rows of sessions (start and stop, memory, hosts) have names that are not experiments.
    """
    if experiment in _paths():
        return load_experiment(experiment).identity(case)
    return tuple(name for name in ("role",) if name in case)
