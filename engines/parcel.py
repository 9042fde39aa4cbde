"""What an engine ships to its workers: the user's own code, or a package that they lack."""

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

_DIGITS = 16
"""Of a digest, in the name of an archive."""

_Input = TypeVar("_Input")
_Output = TypeVar("_Output")


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A package of the user's own modules.  Tasks import it by the name of its folder."""

    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A built package of Python modules, handed over as the file that it is."""

    file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that an installer finds by its name in a folder of wheels, without a network."""

    name: str
    wheels: Path

    def pip_options(self) -> list[str]:
        """What ``pip install`` is told, so that it asks the folder alone."""
        return ["--no-index", f"--find-links={self.wheels}", "--disable-pip-version-check"]


Parcel: TypeAlias = Code | Wheel | Package


class Run(Protocol):
    """Runs tasks as ``Engine.run`` does, one for each input."""

    def __call__(
        self, function: Callable[[_Input], _Output], inputs: Sequence[_Input]
    ) -> Iterator[tuple[int, _Output]]:
        """Yield ``(i, function(inputs[i]))`` once for each i, as tasks finish."""


def zipped(parcel: Code | Wheel, folder: Path, *, top: str = "") -> Path:
    """Write a zip archive into ``folder`` from which Python can import the parcel; its path.

    The name of the archive contains a digest of its content: frameworks know an archive by its
    name, and may go on with what they unpacked or sent before.  The packages are in a folder
    ``top`` of the archive, if it has a name.
    """
    if isinstance(parcel, Wheel):  # it is a zip archive, too
        content = hashlib.sha256(parcel.file.read_bytes())
        archive = folder / f"{parcel.file.stem}-{content.hexdigest()[:_DIGITS]}.zip"
        shutil.copyfile(parcel.file, archive)
        return archive
    package = parcel.folder
    files = sorted(path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc")
    names = [str(path.relative_to(package.parent)) for path in files]
    digest = hashlib.sha256()
    for path, name in zip(files, names, strict=True):
        digest.update(f"{name} {path.stat().st_size} ".encode() + path.read_bytes())
    archive = folder / f"{package.name}-{digest.hexdigest()[:_DIGITS]}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path, name in zip(files, names, strict=True):
            target.write(path, Path(top) / name)
    return archive
