"""Commands on a host whose mounts, network or name differ from this one's."""

import os
import shutil
import subprocess

import pytest

from tests.compare.command_line import REPOSITORY


def in_namespace(line: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash where mounts (and the network) are its own."""
    unshare = ["unshare", "--mount", *flags, "bash", "-c"]
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            [*unshare, "mount -t tmpfs none /mnt"], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("only root, with the right to mount, can change these")
    return subprocess.run(
        [*unshare, line],
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
