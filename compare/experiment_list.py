"""The output of ``python -m compare experiments``."""

from collections.abc import Iterator

from compare.errors import UsageError
from compare.experiments.registry import default_names, experiment_names, question_of


def experiment_list() -> Iterator[str]:
    """One line for each experiment: its name, its question, and whether it is measured by default.

    An experiment of another package that cannot be imported has a line that says why.
    """
    names = experiment_names()
    width = max(map(len, names))
    for name in names:
        mark = "*" if name in default_names() else " "
        try:
            question = question_of(name)
        except UsageError as error:
            question = f"cannot be used: {error}"
        yield f"{mark} {name:{width}}  {question}"
    yield ""
    yield "* measured by default; choose others with --experiments NAME,NAME or --experiments all"
