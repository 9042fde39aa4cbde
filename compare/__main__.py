"""The entry point: ``python -m compare``, or ``engine-compare`` once it is installed."""

import errno
import io
import logging
import os
import sys
import tempfile
import traceback
import warnings
from typing import TYPE_CHECKING, TextIO

import typer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FAILED, _BAD_INPUT, _INTERRUPTED = 1, 2, 130
_GONE = (errno.EPIPE, errno.EIO)
_NARROWEST = 20
"""Columns of a terminal.  Nobody reads tables in fewer."""


def main() -> None:
    """Run the command line; report what went wrong in one sentence, and exit with its code."""
    _make_output_safe()
    # A notebook names a backend that may not be installed here; we draw into files only.
    os.environ.pop("MPLBACKEND", None)
    _forget_a_useless_width()
    # transformers reads its own docstrings, and workers that look into themselves do not end.
    for name in ("PYTHONOPTIMIZE", "PYTHONINSPECT"):
        os.environ.pop(name, None)
    # Without a home folder matplotlib tells of its cache, which does not matter here.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    # A shell for tests may make an error of every warning of a library, in all processes.
    if os.environ.pop("PYTHONWARNINGS", None) is not None:
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
    from compare.cli import app
    from compare.errors import UsageError

    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        # pydantic puts this prefix before the message of a type.
        code = _report_error(error.format_message().replace("Value error, ", ""))
    except UsageError as error:
        code = _report_error(str(error))
    except (KeyboardInterrupt, typer.Abort):
        code = _report_error("interrupted", code=_INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - a user sees no traceback, but where to find it
        code = _report_error(_unforeseen(error), code=_FAILED)
    sys.stdout.flush()
    sys.exit(code)


def _forget_a_useless_width() -> None:
    """Some terminals and shells inside of editors say that they have no columns."""
    width = os.environ.get("COLUMNS", "")
    if not (width.isdigit() and int(width) >= _NARROWEST):
        os.environ.pop("COLUMNS", None)


class _Unbreakable(io.FileIO):
    """A file that goes on without what it cannot write.

    The reader may have gone, such as ``head``, or the terminal; neither rich nor click may end a
    run because of that.
    """

    def write(self, data: "ReadableBuffer") -> int:
        try:
            return super().write(data)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if error.errno not in _GONE and self.fileno() != sys.stderr.fileno():
                _report_error(f"cannot print any more: {error.strerror}")
            return memoryview(data).nbytes


def _make_output_safe() -> None:
    """Print in any locale, and also where the output is closed or its reader has gone."""
    sys.stdout, sys.stderr = map(_usable, (sys.stdout, sys.stderr))


def _usable(stream: TextIO | None) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - until the end
    raw = _Unbreakable(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=True,
    )


def _unforeseen(error: Exception) -> str:
    return (
        f"unforeseen: {type(error).__name__}: {error}. Records that were made are kept: go on with "
        f"--resume RUN_DIR. {_kept(error)}"
    )


def _kept(error: Exception) -> str:
    """Where the details are; the details themselves if there is no place for them."""
    details = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="engine-compare-", suffix=".log", delete=False, encoding="utf-8"
        ) as log:
            log.write(details)
    except OSError:
        return f"Please report it, with these details:\n{details}"
    return f"{log.name} has the details; please report it"


def _report_error(sentence: str, code: int = _BAD_INPUT) -> int:
    print(f"engine-compare: {sentence}", file=sys.stderr)  # noqa: T201 - the console is not up
    return code


if __name__ == "__main__":
    main()
