"""Facts about the machine and the program."""

import subprocess

from compare.measure import machine
from tests.compare.command_line import REPOSITORY


def test_the_commit_of_a_checkout_is_a_fact() -> None:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert machine.collect(())["commit"] == described.stdout.strip()


def test_as_many_cores_are_used_as_the_quota_and_the_affinity_allow() -> None:
    assert 1 <= machine.usable_cores() <= machine.cores()
