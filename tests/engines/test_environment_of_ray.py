"""What Ray is told about the environment of a task."""

import os
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from compare.measure.parcels import new_copy, write_code, write_wheel
from engines._ray.environment import runtime_env
from engines.errors import ShippingError
from engines.parcel import Code, Package, Wheel

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as in shutil


def test_an_environment_has_addresses_of_code_and_of_a_wheel(tmp_path: Path) -> None:
    copy = new_copy()
    code = Code(folder=write_code(copy, tmp_path))
    wheel = Wheel(file=write_wheel(copy, tmp_path))
    (address,) = runtime_env(code, tmp_path, 1)["py_modules"]
    assert address.startswith(f"file://{tmp_path}/{copy.name}-")
    assert address.endswith(".zip")
    assert runtime_env(wheel, tmp_path, 1)["py_modules"] == [wheel.file.as_uri()]


def test_environments_of_two_requests_differ_although_the_parcels_are_equal(tmp_path: Path) -> None:
    code = Code(folder=write_code(new_copy(), tmp_path))
    first, second = (runtime_env(code, tmp_path, request) for request in (1, 2))
    assert first != second
    assert first["py_modules"] == second["py_modules"]


def test_pip_asks_no_server(tmp_path: Path) -> None:
    told = runtime_env(Package(name="some_parcel", wheels=tmp_path), tmp_path, 1)["pip"]
    assert told["packages"] == ["some_parcel"]
    assert {"--no-index", f"--find-links={tmp_path}"} <= set(told["pip_install_options"])


@pytest.mark.parametrize("free_gib", [1.0, 1.5, 40.0])
def test_an_environment_is_copied_exactly_where_there_is_room_for_it(
    free_gib: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / "environment"
    (prefix / "lib").mkdir(parents=True)
    with (prefix / "lib" / "large").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2**27)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(2**50, 0, int(free_gib * 2**30)))
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    package = Package(name="some_parcel", wheels=tmp_path)
    if free_gib == 1:
        with pytest.raises(ShippingError, match=r"needs 1\.1 GiB.* has 1\.0: make room"):
            runtime_env(package, tmp_path, 1)
    else:
        assert "pip" in runtime_env(package, tmp_path, 1)


def test_python_without_a_virtual_environment_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(2**50, 0, 0))
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    assert "pip" in runtime_env(Package(name="some_parcel", wheels=tmp_path), tmp_path, 1)
