"""Every command line of the program in the documentation is one that the program accepts."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from compare.cli import app
from tests.compare.command_line import REPOSITORY

PAGES = (REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *REPOSITORY.glob("docs/*.md"))
SHOWN = re.compile(r"^    (?:\S*python -m compare|engine-compare)\b(.*)$", re.MULTILINE)


def commands() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for arguments in SHOWN.findall(page.read_text()):
            yield page, arguments


def test_the_pages_show_many_commands() -> None:
    assert len(list(commands())) > 30


@pytest.mark.parametrize(
    "arguments",
    [pytest.param(line, id=f"{page.name}:{line.strip()[:60]}") for page, line in commands()],
)
def test_every_command_of_the_pages_is_accepted(arguments: str) -> None:
    words = [word.replace("$", "") for word in shlex.split(arguments, comments=True)]
    group = typer.main.get_command(app)
    name = words[0] if words else ""
    command = getattr(group, "commands", {}).get(name)
    if command is None:
        group.make_context("compare", words)
    else:
        command.make_context(name, words[1:])


def test_every_page_is_linked_from_another() -> None:
    texts = {page: page.read_text() for page in PAGES}
    for page in PAGES[2:]:
        others = "".join(text for other, text in texts.items() if other != page)
        assert page.name in others, page
