"""Reads the runs of a folder, and what a user asks about them."""

from dataclasses import dataclass
from pathlib import Path

from compare.analysis.analysis import Analysis, analyse
from compare.errors import UsageError
from compare.records.store import RunFolder, StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedHistory:
    """The metric, and the runs."""

    results: Path
    metric: str
    case: str
    """Parameters such as ``bytes=64000,direction=in``."""
    out: Path | None
    """File of the picture."""
    anyway: bool
    """Show runs of other plans as well."""


def read_runs(results: Path) -> tuple[list[Analysis], list[str]]:
    """The analyses of all runs in a folder, and a sentence for each that cannot be read.

    Raises:
        UsageError: the folder has no run.
    """
    folders = sorted(path.parent for path in results.glob("*/plan.json"))
    if not folders:
        raise UsageError(
            f"{results} has no run, which is a folder with plan.json; name the folder that --out "
            "named when they were measured"
        )
    runs, unreadable = [], []
    for folder in folders:
        try:
            runs.append(analyse(RunFolder(folder).read()))
        except StoreError as error:
            unreadable.append(f"{folder.name} is left out: {error}.")
    if not runs:
        raise UsageError(f"no run in {results} can be read: {unreadable[0]}")
    return runs, unreadable


def case_of(text: str) -> dict[str, str]:
    """The parameters of ``bytes=64000,direction=in``.

    Raises:
        UsageError: a part has no ``=``.
    """
    parts = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    for name, equals, value in parts:
        if not (name and equals and value):
            raise UsageError(
                f"--case: {name or text!r} has no value; write NAME=VALUE, such as bytes=64000"
            )
    return {name: value for name, _, value in parts}
