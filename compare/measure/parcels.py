"""Writes what is shipped to workers: copies of a small package, each with a mark of its own.

A copy is a folder of modules, or a wheel: a zip archive with the package and its metadata.
"""

import base64
import hashlib
import secrets
import zipfile
from pathlib import Path
from typing import NamedTuple

import workload
from workload.kernels.parcel import MARK as INSTALLED_MARK

_ORIGINAL = Path(workload.__file__).parent / "parcel"
_VERSION = "1.0"


class Copy(NamedTuple):
    """A copy of the package that no worker has seen."""

    name: str
    """The name by which tasks import it."""
    mark: str
    """What its tasks return: random, so that only a worker that received the copy knows it."""


def new_copy() -> Copy:
    """A name and a mark that were never used before."""
    return Copy(f"parcel_{secrets.token_hex(4)}", secrets.token_hex(8))


def write_code(copy: Copy, folder: Path) -> Path:
    """Write the modules of a copy into a new folder inside ``folder``; its path."""
    package = folder / copy.name
    package.mkdir()
    for name, text in _modules(copy).items():
        (package / name).write_text(text)
    return package


def write_wheel(copy: Copy, folder: Path) -> Path:
    """Write a copy as a wheel into ``folder``; its path."""
    file = folder / f"{copy.name}-{_VERSION}-py3-none-any.whl"
    about = f"{copy.name}-{_VERSION}.dist-info"
    members = {f"{copy.name}/{name}": text for name, text in _modules(copy).items()}
    members[f"{about}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {copy.name}\nVersion: {_VERSION}\n"
    )
    members[f"{about}/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: engine-compare\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    lines = [f"{name},{_digest(text)},{len(text.encode())}" for name, text in members.items()]
    members[f"{about}/RECORD"] = "\n".join([*lines, f"{about}/RECORD,,", ""])
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file


def _modules(copy: Copy) -> dict[str, str]:
    texts = {path.name: path.read_text() for path in sorted(_ORIGINAL.glob("*.py"))}
    texts["version.py"] = texts["version.py"].replace(f'"{INSTALLED_MARK}"', f'"{copy.mark}"')
    return texts


def _digest(text: str) -> str:
    """As the RECORD of a wheel has it: base64 without padding."""
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
