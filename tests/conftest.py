"""Which engines the contract tests run over."""

from itertools import chain

import pytest

from engines.errors import EngineMissingError
from engines.registry import engine_names, load_engine, require


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engines",
        action="append",
        default=[],
        metavar="NAMES",
        help="run the engines' contract for these only, and fail where one is not installed",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes ``engine_name`` runs once for each engine."""
    if "engine_name" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--engines")
    asked = list(chain.from_iterable(names.split(",") for names in chosen))
    metafunc.parametrize("engine_name", asked or [_installed(name) for name in engine_names()])


def _installed(name: str) -> object:
    try:
        require(load_engine(name))
    except EngineMissingError as missing:
        return pytest.param(name, marks=pytest.mark.skip(reason=str(missing)))
    return name
