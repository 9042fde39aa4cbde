"""Cautions, one module per subject.  They are decided once here and printed everywhere."""

import importlib
import pkgutil
from collections.abc import Iterator

from compare.analysis.cautions.caution import Caution, Evidence

__all__ = ["Caution", "Evidence", "find_cautions"]

_MOST_SERIOUS_FIRST = ("completeness", "workload", "machine", "engines", "overhead")
"""Order of the subjects; other subjects follow.  Cautions of a subject keep their class order."""


def find_cautions(evidence: Evidence) -> tuple[Caution, ...]:
    """All cautions that apply to a run."""
    return tuple(caution for kind in _kinds() for caution in kind.find(evidence))


def _kinds() -> Iterator[type[Caution]]:
    present = [module.name for module in pkgutil.iter_modules(__path__)]
    others = [name for name in present if name not in (*_MOST_SERIOUS_FIRST, "caution")]
    for name in (*_MOST_SERIOUS_FIRST, *others):
        module = importlib.import_module(f"{__name__}.{name}")
        for kind in vars(module).values():
            if (
                isinstance(kind, type)
                and issubclass(kind, Caution)
                and kind.__module__ == module.__name__
            ):
                yield kind
