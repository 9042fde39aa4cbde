"""The archives in which engines ship what their workers lack."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compare.measure.parcels import Copy, write_code, write_wheel
from engines.parcel import Code, Wheel, zipped

FIRST, SECOND = Copy("some_parcel", "0123abcd"), Copy("some_parcel", "4567ef01")


def code(copy: Copy, folder: Path) -> Code:
    folder.mkdir()
    return Code(folder=write_code(copy, folder))


def answer(path: Path) -> str:
    """What a program says that imports the package from this folder or archive."""
    program = "import some_parcel; print(some_parcel.answer())"
    environment = {**os.environ, "PYTHONPATH": str(path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_python_imports_code_and_wheels_from_their_archives(tmp_path: Path) -> None:
    archive = zipped(code(FIRST, tmp_path / "code"), tmp_path)
    assert answer(archive) == FIRST.mark
    wheel = zipped(Wheel(file=write_wheel(SECOND, tmp_path)), tmp_path)
    assert wheel.suffix == ".zip"
    assert answer(wheel) == SECOND.mark


def test_an_archive_is_named_after_its_content(tmp_path: Path) -> None:
    parcels = [code(copy, tmp_path / str(n)) for n, copy in enumerate((FIRST, FIRST, SECOND))]
    names = [zipped(parcel, tmp_path).name for parcel in parcels]
    assert names[0] == names[1] != names[2]
    wheels = [Wheel(file=write_wheel(copy, tmp_path)) for copy in (FIRST, FIRST)]
    names = [zipped(wheel, tmp_path).name for wheel in wheels]
    wheel = Wheel(file=write_wheel(SECOND, tmp_path))
    assert names[0] == names[1] != zipped(wheel, tmp_path).name


def test_what_python_compiled_is_no_part_of_the_code(tmp_path: Path) -> None:
    parcel = code(FIRST, tmp_path / "code")
    before = zipped(parcel, tmp_path)
    assert answer(tmp_path / "code") == FIRST.mark
    assert list(parcel.folder.rglob("*.pyc")) or sys.dont_write_bytecode
    assert zipped(parcel, tmp_path) == before


def test_an_archive_may_have_one_folder_at_its_top(tmp_path: Path) -> None:
    archive = zipped(code(FIRST, tmp_path / "code"), tmp_path, top="top")
    assert answer(archive / "top") == FIRST.mark
    with pytest.raises(subprocess.CalledProcessError):
        answer(archive)
