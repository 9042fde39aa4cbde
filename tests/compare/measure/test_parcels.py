"""The copies of a small package that are shipped: each with a mark of its own, as code or wheel."""

import base64
import csv
import hashlib
import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

from compare.measure.parcels import new_copy, write_code, write_wheel
from engines.parcel import Package
from workload.kernels import parcel


def test_no_two_copies_have_a_name_or_a_mark_in_common() -> None:
    copies = [new_copy() for _ in range(100)]
    assert len({copy.name for copy in copies}) == len({copy.mark for copy in copies}) == 100


def test_a_copy_differs_from_what_is_installed_in_its_mark_alone(tmp_path: Path) -> None:
    original = Path(parcel.__file__).parents[1] / "parcel"
    copy = new_copy()
    folder = write_code(copy, tmp_path)
    assert folder == tmp_path / copy.name
    written = {path.name: path.read_text() for path in folder.iterdir()}
    assert written.keys() == {path.name for path in original.glob("*.py")}
    for name, text in written.items():
        own = (original / name).read_text()
        assert text == own.replace(f'MARK = "{parcel.MARK}"', f'MARK = "{copy.mark}"')
    assert copy.mark in written["version.py"]


def test_the_record_of_a_wheel_has_the_digest_and_the_size_of_every_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(write_wheel(new_copy(), tmp_path)) as wheel:
        names = wheel.namelist()
        (record,) = (name for name in names if name.endswith("RECORD"))
        lines = list(csv.reader(wheel.read(record).decode().splitlines()))
        assert [name for name, _, _ in lines] == names
        for name, digest, size in lines:
            if name != record:
                content = wheel.read(name)
                algorithm, _, value = digest.partition("=")
                right = hashlib.new(algorithm, content).digest()
                assert value == base64.urlsafe_b64encode(right).rstrip(b"=").decode()
                assert int(size) == len(content)


def test_pip_installs_the_wheel_by_its_name_without_a_network(tmp_path: Path) -> None:
    copy, target = new_copy(), tmp_path / "installed"
    write_wheel(copy, tmp_path)
    package = Package(name=copy.name, wheels=tmp_path)
    command = [sys.executable, "-m", "pip", "install", *package.pip_options()]
    done = subprocess.run(
        [*command, f"--target={target}", package.name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (found,) = importlib.metadata.distributions(path=[str(target)])
    assert found.metadata["Name"] == copy.name
    assert copy.mark in (target / copy.name / "version.py").read_text()
