"""A user without a name, without rights and without a home folder, as in many containers."""

import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.compare.command_line import REPOSITORY
from tests.hosts.namespace import in_namespace

UID = 12345
"""Has no entry in /etc/passwd."""


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter and write; those of pytest belong to their user alone."""
    folder = Path(tempfile.mkdtemp(prefix="ec-anyone-", dir="/tmp"))
    folder.chmod(0o777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def as_anyone(
    command: Sequence[str], *, within: str = str(REPOSITORY), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command as that user in a folder; skipped if only root could become another."""
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
    become = f"setpriv --reuid={UID} --regid={UID} --clear-groups env --unset=HOME --unset=USER"
    line = f"{become} PYTHONDONTWRITEBYTECODE=1 {settings} {shlex.join(command)}"
    python, home = Path(sys.base_prefix), Path.home()
    if home in python.parents:
        # Other users may not enter the home folder: show them the Python in it, and nothing else.
        opened = (
            f"mount --bind {python} /mnt",
            f"mount -t tmpfs -o mode=755 none {home}",
            f"mkdir -p {python}",
            f"mount --bind /mnt {python}",
        )
        line = " && ".join((*opened, line))
    return in_namespace(f"cd {within} && {line}")
