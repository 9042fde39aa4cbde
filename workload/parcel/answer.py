"""The answer of this version of the package."""

from .version import MARK


def answer() -> str:
    """What only this version knows."""
    return MARK
