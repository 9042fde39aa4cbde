"""The script of the page: the parts of Vega that its charts use, and what draws them.

It is the same for every run, so its hash can stand in a Content-Security-Policy.
"""

import base64
import contextlib
import functools
import hashlib
import os
import tempfile
from importlib import metadata, resources
from pathlib import Path

from compare.plan.resolve import cache_folder

_MODULE = "https://cdn.jsdelivr.net/npm/{}/+esm"
"""The name of a module inside vl-convert, which contains it: nothing is downloaded."""
# Not all of Vega: maps, forces, trees, words and the compiler of Vega-Lite would double the size.
# These are the versions that vl-convert 1.9 contains; pyproject.toml has its bounds.
_TRANSFORMS = ("vega-transforms@5.1.0", "vega-view-transforms@5.1.0", "vega-encode@5.1.0")
_IMPORTED = {
    "transforms": "vega-dataflow@6.1.0",
    "View": "vega-view@6.1.0",
    "parse": "vega-parser@7.1.0",
    # Runs expressions without eval, which the page forbids.
    "expressionInterpreter": "vega-interpreter@2.0.0",
}


@functools.cache
def chart_script() -> str:
    """Vega, followed by ``charts.js``.  It is kept in the cache: making it takes about a second."""
    lines = [
        f'import * as more{place} from "{_MODULE.format(name)}";'
        for place, name in enumerate(_TRANSFORMS)
    ]
    lines += [
        f'import {{ {what} }} from "{_MODULE.format(name)}";' for what, name in _IMPORTED.items()
    ]
    lines += [f"Object.assign(transforms, more{place});" for place in range(len(_TRANSFORMS))]
    drawing = resources.files("compare.report").joinpath("templates", "charts.js").read_text()
    source = "\n".join([*lines, drawing])
    version = metadata.version("vl-convert-python")
    mark = hashlib.sha256(f"{version}\n{source}".encode()).hexdigest()[:16]
    path = cache_folder() / f"charts-{mark}.js"
    # Whoever has no cache that can be written waits a second for each report.
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8")
    # Not above: only who writes a page needs it.
    import vl_convert

    script: str = vl_convert.javascript_bundle(source)
    with contextlib.suppress(OSError):
        _keep(script, path)
    return script


def _keep(script: str, path: Path) -> None:
    """Write the file at once: another process never reads a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        try:
            file.write(script)
            file.flush()
            os.replace(file.name, path)  # noqa: PTH105 - of a name
        except OSError:
            Path(file.name).unlink()
            raise


def script_source() -> str:
    """The hash of the script, as a source for ``script-src``."""
    digest = hashlib.sha256(chart_script().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
