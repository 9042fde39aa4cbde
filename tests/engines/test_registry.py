"""The registry finds engines by name and says how to install what an engine needs."""

import importlib.util

import pytest

from engines.errors import EngineMissingError, UnknownEngineError
from engines.interface import Capability
from engines.registry import (
    clusters,
    engine_names,
    forms,
    forms_and_their_engines,
    load_engine,
    require,
    without_forms,
)


@pytest.mark.parametrize("name", engine_names())
def test_an_engine_has_the_name_that_it_is_registered_under(name: str) -> None:
    assert load_engine(name).name == name


@pytest.mark.parametrize("name", engine_names())
def test_an_engine_claims_to_span_hosts_exactly_when_it_describes_its_cluster(name: str) -> None:
    claims = Capability.SPANS_HOSTS in load_engine(name).capabilities
    assert claims == (name in clusters())


def test_the_error_for_an_unknown_name_suggests_the_closest_engine() -> None:
    with pytest.raises(UnknownEngineError, match="no engine called 'dusk'; did you mean 'dask'"):
        load_engine("dusk")


def test_the_error_for_a_name_without_a_close_match_lists_all_engines() -> None:
    with pytest.raises(UnknownEngineError, match="known: serial, multiprocessing, ray"):
        load_engine("zzz")


def test_a_form_is_the_form_of_an_engine_that_is_none_itself() -> None:
    assert set(forms().values()) <= set(without_forms())
    assert "ray-actors" not in without_forms()
    assert {"ray-actors", "ray", "loky", "multiprocessing"} <= set(forms_and_their_engines())
    assert "process-executor" not in forms_and_their_engines()


@pytest.mark.parametrize("name", ["ray", "dask", "spark"])
def test_the_error_for_a_missing_package_names_the_extra_that_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EngineMissingError, match=rf"pip install '\.\[{name}\]'"):
        require(load_engine(name))
