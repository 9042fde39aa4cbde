"""README.md and docs/results.md have the numbers of the published runs and their records."""

import gzip
import re
import subprocess
import sys

import pytest

from compare.records.store import PACKED
from tools.publish import ALL, BFLOAT16, MAIN, README, RECORDS, RESULTS, ROOT, readme, results

PAGES = (
    *("README.md", "CONTRIBUTING.md", "docs/results.md", "docs/reading-a-report.md"),
    *(
        f"docs/example{run}/{page}.md"
        for run in ("", "/all", "/bfloat16")
        for page in ("summary", "details")
    ),
)


def test_the_pages_have_the_numbers_of_the_published_runs() -> None:
    assert readme(README.read_text()) == README.read_text()
    assert results(RESULTS.read_text()) == RESULTS.read_text()


def test_every_published_number_can_be_computed_from_the_published_records() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.recompute", MAIN, ALL, BFLOAT16],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("all equal") == 3


def test_no_published_record_names_the_machine() -> None:
    for folder in (MAIN, ALL, BFLOAT16):
        for name in (*RECORDS, "summary.md", "trace.json"):
            content = (folder / name).read_bytes()
            text = (gzip.decompress(content) if name == PACKED else content).decode()
            assert not re.search(r"/(root|home/\w+|tmp|work)/", text), (folder, name)


@pytest.mark.parametrize("page", PAGES)
def test_every_picture_and_page_that_is_linked_exists(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\((?!http)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_readme_has_a_table_of_at_most_four_rows_and_a_picture_before_its_use() -> None:
    opening = README.read_text().split("\n## Use\n")[0]
    lines = [line for line in opening.splitlines() if line.startswith("|")]
    assert 3 <= len(lines) <= 6
    assert opening.count("![") == 1
