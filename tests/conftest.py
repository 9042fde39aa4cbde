"""Chooses the engines, and the places, that the contract tests run on."""

from itertools import chain

import pytest
from hypothesis import settings

from engines.errors import EngineMissingError
from engines.registry import clusters, engine_names, load_engine, require, without_forms
from tests.engines.containers import release_containers
from tests.engines.placement import CONTAINERS, DAEMONS, HERE


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engines",
        action="append",
        default=[],
        metavar="NAMES",
        help="test only these engines, and fail if one of them is not installed",
    )
    parser.addoption(
        "--on",
        action="append",
        default=[],
        choices=[HERE, DAEMONS, CONTAINERS],
        help="where the engines run: in the processes of the tests, on daemons of this host, or on "
        "the containers of docker-compose.yml  [default: here and daemons]",
    )


def pytest_configure(config: pytest.Config) -> None:
    # A core of a busy or virtual machine may stand still for longer than any deadline; a test that
    # hangs has a timeout.
    settings.register_profile("without deadline", deadline=None)
    settings.load_profile("without deadline")
    config.addinivalue_line("markers", "alone: no other test may run at the same time")
    config.addinivalue_line(
        "markers",
        "compares: runs a comparison, of which only one may run on a machine, and does not care "
        "for its numbers",
    )
    config.addinivalue_line(
        "markers", "placed(*where): run the test only in these places; without it, in all"
    )
    config.addinivalue_line(
        "markers",
        "plain: do not run the test on other forms of engines, which start and stop by the same "
        "code, unless they are asked for by name",
    )


def pytest_sessionfinish() -> None:
    release_containers()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that takes ``engine_name`` once for each engine and each place."""
    if "engine_name" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--engines")
    asked = list(chain.from_iterable(names.split(",") for names in chosen))
    marker = metafunc.definition.get_closest_marker("placed")
    places = metafunc.config.getoption("--on") or [HERE, DAEMONS]
    plain = metafunc.definition.get_closest_marker("plain") is not None
    unasked = without_forms() if plain else engine_names()
    metafunc.parametrize(
        "engine_name",
        [
            _placed(name, place) if asked else _installed(name, place)
            for place in places
            if marker is None or place in marker.args
            for name in asked or unasked
            if place == HERE or name in clusters()
        ],
        # Run all tests of one container cluster in a row, because only one is up at a time.
        scope="module" if places == [CONTAINERS] else None,
    )


def _placed(name: str, place: str) -> str:
    return name if place == HERE else f"{name} on {place}"


def _installed(name: str, place: str) -> object:
    try:
        require(load_engine(name))
    except EngineMissingError as missing:
        return pytest.param(_placed(name, place), marks=pytest.mark.skip(reason=str(missing)))
    return _placed(name, place)
