"""The output of ``python -m compare engines``.  Imports no framework."""

from collections.abc import Iterator

from engines.errors import EngineMissingError
from engines.interface import Capability, Engine
from engines.registry import engine_names, installed_version, load_engine, require


def engine_list() -> Iterator[str]:
    """A few lines for each engine: what it is, whether it can run here, what it can do."""
    for name in engine_names():
        try:
            adapter = load_engine(name)
        except EngineMissingError as error:
            yield f"{name}: cannot be used"
            yield f"    missing: {error}"
            continue
        yield f"{name} {installed_version(adapter) or ''}".rstrip() + f": {adapter.summary}"
        try:
            require(adapter)
        except EngineMissingError as error:
            yield f"    missing: {error}"
        yield f"    can: {_sentences(adapter, claimed=True)}"
        if cannot := _sentences(adapter, claimed=False):
            yield f"    cannot: {cannot}"


def _sentences(adapter: type[Engine], *, claimed: bool) -> str:
    return "; ".join(
        capability.value
        for capability in Capability
        if (capability in adapter.capabilities) == claimed
    )
