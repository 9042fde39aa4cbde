"""Equal values have equal fingerprints, in every process; others have not."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from tests.compare.command_line import REPOSITORY
from workload.fingerprint import fingerprint

PAIR = [1, 2]


@dataclasses.dataclass
class Point:
    x: float
    names: set[str]


@dataclasses.dataclass
class Other:
    x: float
    names: set[str]


def loop() -> list[object]:
    inside: list[object] = []
    inside.append(inside)
    return inside


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": [2, (3,)]}, {"b": [2, (3,)], "a": 1}),
        ({"x", "y", "z"}, {"z", "x", "y"}),
        (float("nan"), float("nan")),
        (Point(1.0, {"a", "b"}), Point(1.0, {"b", "a"})),
        (np.arange(6).reshape(2, 3), np.arange(6).reshape(2, 3)),
        (np.float64(0.5), np.float64(0.5)),
        ([PAIR, PAIR], [PAIR, list(PAIR)]),
        (loop(), loop()),
    ],
)
def test_equal_values_have_one_fingerprint(one: object, other: object) -> None:
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        ("1", b"1"),
        (["ab", "c"], ["a", "bc"]),
        ([1, 2], [2, 1]),
        ([1, [2]], [1, 2]),
        (0.1 + 0.2, 0.3),
        (Point(1.0, set()), Other(1.0, set())),
        (np.zeros(4), np.zeros((2, 2))),
        (np.zeros(4), np.zeros(4, dtype=np.float32)),
        ({"a": 1}, {"a": 2}),
        (None, []),
    ],
)
def test_different_values_have_different_fingerprints(one: object, other: object) -> None:
    assert fingerprint(one) != fingerprint(other)


def test_the_fingerprint_does_not_depend_on_the_process() -> None:
    program = (
        "from workload.fingerprint import fingerprint\n"
        "print(fingerprint([set('abcdefgh'), {'k': frozenset('xyz')}, 1.5]))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPOSITORY,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2", "3")
    }
    assert seen == {fingerprint([set("abcdefgh"), {"k": frozenset("xyz")}, 1.5])}
