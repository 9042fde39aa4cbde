"""Tasks that import a package by its name, which the worker may have had or received."""

import importlib

from workload.interface import Kernel, Task

INSTALLED, MARK = "workload.parcel", "installed"
"""The package that every worker can import already, and its answer."""


def load() -> Kernel:
    """A kernel that takes the name of a package, imports it and returns its answer."""
    return _answer


def _answer(package: str) -> str:
    answer: str = importlib.import_module(package).answer()
    return answer


def task(case: str, package: str) -> Task:
    """A task that returns the answer of this package."""
    return Task("parcel", (), case, package)
