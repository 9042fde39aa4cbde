"""The folders of runs that a tool is given on the command line."""

import argparse
from pathlib import Path

from compare.records.store import RunFolder, StoreError


def folders_of_runs(description: str, *, at_least_one: bool) -> list[Path]:
    """The folders, each with a plan and a report; the program ends with 2 where one is missing."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "runs", nargs="+" if at_least_one else "*", type=Path, metavar="RUN", help="folder of a run"
    )
    folders: list[Path] = parser.parse_args().runs
    for folder in folders:
        try:
            RunFolder(folder).read_plan()
        except StoreError as error:
            parser.error(str(error))
        if not (folder / "summary.json").exists():
            parser.error(
                f"{folder} has no summary.json, because the run did not end: "
                f"'python -m compare report {folder}' writes it"
            )
    return folders
