"""README.md says what the published runs showed."""

import re

import pytest

from tools.publish import ALL, MAIN, README, ROOT, in_readme, main_table, other_questions, rows_of


def test_the_tables_of_the_readme_are_those_of_the_published_runs() -> None:
    text = README.read_text()
    assert in_readme(text, "run", main_table(rows_of(MAIN))) == text
    assert in_readme(text, "questions", other_questions(rows_of(ALL))) == text


@pytest.mark.parametrize(
    "page", ["README.md", "docs/example/summary.md", "docs/example/all/summary.md"]
)
def test_every_picture_and_page_that_is_pointed_to_is_there(page: str) -> None:
    path = ROOT / page
    targets = re.findall(r"\]\((?!http)([^)#]+)", path.read_text())
    assert targets
    for target in targets:
        assert (path.parent / target).exists(), target
