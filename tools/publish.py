"""Puts runs into docs/example, and their numbers into README.md and the pages of docs.

    python -m tools.publish results/RUN

A run of most experiments goes to docs/example/all, one of a bfloat16 model to
docs/example/bfloat16, one of the open track to docs/example/open, one of ``faults``,
``elasticity`` or ``environments`` alone to the folder of that name, with ``-compose`` if it ran on
containers, any other to docs/example.  Each is published with its records, in which the host's name
and the paths of the machine are replaced; ``python -m tools.recompute`` computes its numbers from
them.  Without a run, the pages alone are filled.
"""

import dataclasses
import shutil
import socket
from pathlib import Path

from compare.analysis.analysis import analyse
from compare.commands import write_report
from compare.experiments.elasticity import Elasticity
from compare.experiments.environments import Environments
from compare.experiments.faults import Faults
from compare.options import Dtype
from compare.plan.resolve import cache_folder
from compare.records.store import RunFolder
from tools import pages
from tools.arguments import folders_of_runs

_ALONE = ((Faults.name,), (Elasticity.name,), (Environments.name,))
_MOST_OF_MAIN = 3
"""Experiments of the default run."""


def _copy(run: Path) -> Path:
    """The records of a run without the names of this machine, and its report written anew."""
    plan = RunFolder(run).read_plan()
    folder = pages.MAIN
    if plan.experiments in _ALONE:
        where = "-compose" if plan.options.composed else ""
        folder = pages.MAIN / f"{plan.experiments[0]}{where}"
    elif plan.forms:
        folder = pages.OPEN
    elif len(plan.experiments) > _MOST_OF_MAIN:
        folder = pages.ALL
    elif plan.options.dtype is Dtype.BFLOAT16:
        folder = pages.BFLOAT16
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "plots", ignore_errors=True)
    hidden = {
        str(cache_folder()): "/cache",
        str(Path.home()): "/home",
        socket.gethostname(): "host",
    }
    for name in ("plan.json", "environment.json", "measurements.jsonl"):
        text = (run / name).read_text()
        for secret, replacement in hidden.items():
            text = text.replace(secret, replacement)
        (folder / name).write_text(text)
    options = dataclasses.replace(plan.options, out=Path("results"))
    copied = RunFolder(folder)
    copied.pack()
    copied.write_plan(dataclasses.replace(copied.read_plan(), options=options))
    record = copied.read()
    write_report(folder, record, analyse(record))
    # A repository shows the Markdown; everybody can write the page from the records.
    (folder / "report.html").unlink()
    return folder


def main() -> None:
    """Publish every run named on the command line, then fill the pages."""
    for run in folders_of_runs(__doc__, at_least_one=False):
        _copy(run)
    for page, filled in pages.FILLED.items():
        page.write_text(filled(page.read_text()))


if __name__ == "__main__":
    main()
