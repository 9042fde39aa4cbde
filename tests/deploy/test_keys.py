"""The credentials that the nodes and the users of a cluster share."""

import ssl
import stat
from pathlib import Path

import pytest
import yaml

from deploy import keys

REPOSITORY = Path(__file__).parents[2]


def files(folder: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_credentials_are_readable_only_by_their_owner(tmp_path: Path) -> None:
    keys.make(tmp_path)
    assert len(files(tmp_path)) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(tmp_path)} == {0o400}


def test_credentials_survive_a_restart_and_differ_between_clusters(tmp_path: Path) -> None:
    keys.make(tmp_path / "one")
    before = files(tmp_path / "one")
    keys.make(tmp_path / "one")
    keys.make(tmp_path / "other")
    assert files(tmp_path / "one") == before
    others = files(tmp_path / "other")
    assert not set(before.values()) & set(others.values())


def test_a_start_replaces_a_file_that_was_only_half_written(tmp_path: Path) -> None:
    (tmp_path / "ray.token.new").write_text("half")
    keys.make(tmp_path)
    assert len((tmp_path / "ray.token").read_text()) == 64


def test_a_certificate_matches_only_its_own_key(tmp_path: Path) -> None:
    keys.make(tmp_path / "one")
    keys.make(tmp_path / "other")
    context = ssl.create_default_context()
    context.load_cert_chain(tmp_path / "one" / "dask.crt", tmp_path / "one" / "dask.key")
    with pytest.raises(ssl.SSLError):
        context.load_cert_chain(tmp_path / "one" / "dask.crt", tmp_path / "other" / "dask.key")


def test_compose_passes_the_paths_of_credentials_and_no_secrets() -> None:
    composed = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    wanted = keys.environment("/run/compare")
    assert composed["x-environment"].items() >= wanted.items()
    secrets = [
        name for name in composed["x-environment"] if "SECRET" in name or name == "RAY_AUTH_TOKEN"
    ]
    assert secrets == []
