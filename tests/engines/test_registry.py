"""Engines are found by name, and what one lacks is said with the way to get it."""

import importlib.util
from collections.abc import Iterator

import pytest

from engines import registry
from engines.errors import EngineMissingError, UnknownEngineError
from engines.interface import Capability
from engines.registry import clusters, engine_names, java_version, load_engine, require


@pytest.fixture(autouse=True)
def fresh_java() -> Iterator[None]:
    """What is known of Java is kept for the process; here it changes."""
    registry.java_text.cache_clear()
    yield
    registry.java_text.cache_clear()


@pytest.mark.parametrize("name", engine_names())
def test_an_engine_is_called_as_it_is_registered(name: str) -> None:
    assert load_engine(name).name == name


@pytest.mark.parametrize("name", engine_names())
def test_an_engine_spans_hosts_exactly_when_it_says_how(name: str) -> None:
    claims = Capability.SPANS_HOSTS in load_engine(name).capabilities
    assert claims == (name in clusters())


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownEngineError, match="no engine called 'dusk'; did you mean 'dask'"):
        load_engine("dusk")


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(UnknownEngineError, match="known: serial, multiprocessing, ray"):
        load_engine("zzz")


@pytest.mark.parametrize("name", ["ray", "dask", "spark"])
def test_a_missing_package_is_named_with_its_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EngineMissingError, match=rf"pip install '\.\[{name}\]'"):
        require(load_engine(name))


def test_missing_java_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nonexistent")
    assert java_version() == 0
    with pytest.raises(EngineMissingError, match="apt-get install openjdk-17"):
        require(load_engine("spark"))


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        (None, 0),
    ],
)
def test_the_version_of_java_is_read(
    told: str | None, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "java_text", lambda: told)
    assert java_version() == version
