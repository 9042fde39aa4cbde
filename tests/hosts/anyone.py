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
    return in_namespace(" && ".join((*_opened(Path.home()), f"cd {within}", line)))


def _opened(home: Path) -> Iterator[str]:
    """Commands that hide a home folder, which other users may not enter, but not what runs."""
    needed = [path for path in (Path(sys.base_prefix), REPOSITORY) if home in path.parents]
    if needed:
        yield f"mount --bind {home} /mnt"
        yield f"mount -t tmpfs -o mode=755 none {home}"
        for path in needed:
            yield f"mkdir -p {path}"
            yield f"mount --bind /mnt/{path.relative_to(home)} {path}"
        yield "umount /mnt"
