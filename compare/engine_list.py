"""The output of ``python -m compare engines``.  Imports no framework."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from rich.box import SIMPLE
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from engines.errors import EngineMissingError
from engines.interface import Capability
from engines.registry import engine_names, installed_version, load_engine, require

_WIDTH = 100
"""Columns where no terminal says how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What is known about an engine without starting it."""

    name: str
    summary: str
    plain: str | None
    """The engine that it is another form of; ``None`` if it is none."""
    version: str | None
    """``None`` if it is not installed, or part of Python."""
    missing: str | None
    """Why it cannot run here and what to do; ``None`` if it can."""
    hindrances: tuple[str, ...]
    """What will change its measurements here, and what to do."""
    capabilities: tuple[str, ...]
    """Names of ``Capability`` in lower case."""


def engine_list() -> tuple[Listed, ...]:
    """All registered engines, also those that cannot run here."""
    return tuple(_listed(name) for name in engine_names())


def _listed(name: str) -> Listed:
    try:
        adapter = load_engine(name)
    except EngineMissingError as error:
        return Listed(
            name=name,
            summary="",
            plain=None,
            version=None,
            missing=str(error),
            hindrances=(),
            capabilities=(),
        )
    missing = None
    try:
        require(adapter)
    except EngineMissingError as error:
        missing = str(error)
    return Listed(
        name=name,
        summary=adapter.summary,
        plain=adapter.plain,
        version=installed_version(adapter),
        missing=missing,
        hindrances=tuple(adapter.hindrances()),
        capabilities=tuple(_key(one) for one in Capability if one in adapter.capabilities),
    )


def as_json(engines: Sequence[Listed]) -> str:
    """The list for scripts: ``{"engines": [{"name": …}]}`` with the fields of ``Listed``."""
    return json.dumps({"engines": [asdict(engine) for engine in engines]}, indent=1)


def print_engines(engines: Sequence[Listed]) -> None:
    """Print which engines can run here, what each can do, and how to get what is missing."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = Console(highlight=False, width=None if known else _WIDTH)
    for part in _parts(engines):
        # A command to copy must stay on one line.
        console.print(part, soft_wrap=isinstance(part, Text))


def _parts(engines: Sequence[Listed]) -> Iterator[RenderableType]:
    about = Table("engine", "version", "runs here", "how it runs tasks", box=SIMPLE)
    for engine in engines:
        runs = "no" if engine.missing else "yes"
        about.add_row(engine.name, engine.version or "–", runs, engine.summary or "–")
    yield about
    yield _abilities([engine for engine in engines if engine.plain is None])
    forms = [engine for engine in engines if engine.plain is not None]
    if forms:
        yield Text("Other forms of these engines ('--engines open' compares them):")
        yield _abilities(forms)
    for engine in engines:
        if engine.missing:
            yield Text(engine.missing)
        for hindrance in engine.hindrances:
            yield Text(f"{engine.name}: {hindrance}")


def _abilities(engines: Sequence[Listed]) -> Table:
    # Names in two lines and narrow gaps leave the first column room for its sentences.
    names = (engine.name.replace("-", "-\n") for engine in engines)
    able = Table("an engine that …", *names, box=SIMPLE, padding=0)
    for capability in Capability:
        marks = ["yes" if _key(capability) in one.capabilities else "–" for one in engines]
        if engines[0].plain is None or "yes" in marks:
            able.add_row(capability.value, *marks)
    return able


def _key(capability: Capability) -> str:
    return capability.name.lower()
