"""Counts the words of the files of Python's standard library, one file for each task."""

import os
from collections import Counter
from pathlib import Path


def inputs() -> list[str]:
    return sorted(map(str, Path(os.__file__).parent.glob("*.py")))


def run(path: str) -> dict[str, int]:
    return dict(Counter(Path(path).read_text(encoding="utf-8").lower().split()))
