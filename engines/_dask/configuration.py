"""The configuration files that Dask reads when it is imported, without importing it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from site import PREFIXES


def malformed_files() -> Iterator[str]:
    """The user's and the host's configuration files that Dask cannot read, with the remedy.

    A session ignores these files, but Dask reads them when it is imported, in every process.
    """
    import yaml

    for path in _configuration_files():
        try:
            content = yaml.safe_load(path.read_text())
        except OSError:
            continue  # Dask ignores it, too
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            why = " ".join(str(error).split())
        else:
            if content is None or isinstance(content, dict):
                continue
            why = f"it holds a {type(content).__name__} instead of names with values"
        yield f"Dask cannot read its configuration {path} ({why}): mend or remove that file"


def _configuration_files() -> Iterator[Path]:
    """The files that Dask finds without the variables that a session removes; ``dask.config``."""
    prefixes = dict.fromkeys((sys.prefix, *PREFIXES))
    folders = ["/etc/dask", *(f"{prefix}/etc/dask" for prefix in prefixes)]
    # Unlike that of Path, this function leaves the path as it is if there is no home folder.
    folders.append(os.path.expanduser("~/.config/dask"))  # noqa: PTH111
    for folder in folders:
        for path in sorted(Path(folder).glob("*")):
            if path.suffix.lower() in (".json", ".yaml", ".yml"):
                yield path
