# ruff: noqa: T201 - it prints its findings
"""The map of imports inside ``compare``: its levels, and whether it has a circle.

    python -m tools.import_map

A unit is a package of ``compare``, or a module that lies beside the packages.  The level of a unit
is the length of the longest chain of imports below it.  Imports for type checkers alone are left
out.  Exit code 1 when modules import each other in a circle.
"""

import sys
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

import grimp

_PACKAGE = "compare"


def imports(*, modules: bool) -> dict[str, set[str]]:
    """What each unit, or each module, imports."""
    graph = grimp.build_graph(_PACKAGE, exclude_type_checking_imports=True)
    below: dict[str, set[str]] = {}
    for module in graph.modules - {_PACKAGE}:
        name = module if modules else _unit(module)
        targets = graph.find_modules_directly_imported_by(module) - {_PACKAGE}
        imported = {target if modules else _unit(target) for target in targets}
        below.setdefault(name, set()).update(imported - {name})
    return below


def _unit(module: str) -> str:
    return ".".join(module.split(".")[:2])


def levels(below: Mapping[str, set[str]]) -> list[list[str]]:
    """Names by level, the lowest first.

    Raises:
        graphlib.CycleError: there is a circle.
    """
    level: dict[str, int] = {}
    for name in TopologicalSorter(below).static_order():
        level[name] = 1 + max((level[other] for other in below.get(name, ())), default=-1)
    found: list[list[str]] = [[] for _ in range(max(level.values()) + 1)]
    for name in sorted(level):
        found[level[name]].append(name.removeprefix(f"{_PACKAGE}."))
    return found


def main() -> int:
    """Print the levels of the units, from the top, and the depth of the modules."""
    try:
        of_units, of_modules = (levels(imports(modules=modules)) for modules in (False, True))
    except CycleError as error:
        print("a circle: " + " -> ".join(error.args[1]))
        return 1
    for number, names in reversed(list(enumerate(of_units, start=1))):
        print(f"{number:3}  {'  '.join(names)}")
    print(f"{len(of_units)} levels of units, {len(of_modules)} of modules, no circle")
    return 0


if __name__ == "__main__":
    sys.exit(main())
