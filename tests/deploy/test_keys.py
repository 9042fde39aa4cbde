"""What the nodes and the users of a cluster know of each other."""

import ssl
import stat
from pathlib import Path

import pytest
import yaml

from deploy import keys

REPOSITORY = Path(__file__).parents[2]


def files(folder: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    keys.make(tmp_path)
    assert len(files(tmp_path)) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(tmp_path)} == {0o400}


def test_are_kept_by_the_next_start_and_unlike_those_of_another_cluster(tmp_path: Path) -> None:
    keys.make(tmp_path / "one")
    before = files(tmp_path / "one")
    keys.make(tmp_path / "one")
    keys.make(tmp_path / "other")
    assert files(tmp_path / "one") == before
    others = files(tmp_path / "other")
    assert not set(before.values()) & set(others.values())


def test_what_a_broken_start_left_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "ray.token.new").write_text("half")
    keys.make(tmp_path)
    assert len((tmp_path / "ray.token").read_text()) == 64


def test_the_certificate_fits_its_own_key_alone(tmp_path: Path) -> None:
    keys.make(tmp_path / "one")
    keys.make(tmp_path / "other")
    context = ssl.create_default_context()
    context.load_cert_chain(tmp_path / "one" / "dask.crt", tmp_path / "one" / "dask.key")
    with pytest.raises(ssl.SSLError):
        context.load_cert_chain(tmp_path / "one" / "dask.crt", tmp_path / "other" / "dask.key")


def test_containers_find_them_by_the_same_variables() -> None:
    composed = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    wanted = keys.environment("/run/compare")
    assert composed["x-environment"].items() >= wanted.items()
    secrets = [
        name for name in composed["x-environment"] if "SECRET" in name or name == "RAY_AUTH_TOKEN"
    ]
    assert secrets == []
