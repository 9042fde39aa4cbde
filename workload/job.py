"""The user's own job: a Python file, or an object of a package, that says what to run.

    inputs() -> list            required: one input for each task
    run(input) -> output        required: the work of one task
    load() -> state             optional: called once in each worker process; then run(input, state)
    same(a, b) -> bool          optional: whether two outputs of the same input agree
    label = "word counts"       optional: the name in the report
    cpus = 0.1                  optional: the share of a core that a task asks for

Every mistake becomes a ``JobError``, whose sentence has the user's file and line.
"""

import hashlib
import importlib
import importlib.util
import inspect
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from workload.errors import JobError

MODULE = "engine_compare_job"
"""Name of the module made from a file: equal in all processes, because pickles of the objects of
its classes contain it, and equal to no module that exists."""


class Source(NamedTuple):
    """Where a job is.  A plain tuple of texts, so that it can travel with every task."""

    file: str
    """Absolute path of the Python file."""
    module: str
    """Name of the module in a package; empty if the file is no part of one."""
    name: str
    """Name of the object in the module; empty if the module itself is the job."""
    folder: str
    """The working directory while the job runs, from which it may also import."""
    sha256: str
    """Of the file; empty while it is not known yet."""

    def __str__(self) -> str:
        file = Path(self.file).name if self.file else self.module
        return f"{file}:{self.name}" if self.name else file


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that this process has imported."""

    source: Source
    inputs: Callable[[], Iterable[Any]]
    run: Callable[..., Any]
    load: Callable[[], Any] | None
    same: Callable[[Any, Any], Any] | None
    label: str
    cpus: float

    def ready(self) -> Callable[[Any], Any]:
        """``run`` for one input; calls ``load``, so call this once in a process.

        Raises:
            JobError: ``load`` raised.
        """
        if self.load is None:
            return self.run
        with_state, state = self.run, self.call("load()", self.load)
        return lambda value: with_state(value, state)

    def call(self, what: str, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
        """Call a function of the job.

        Raises:
            JobError: it raised; the sentence begins with ``what``.
        """
        try:
            return function(*arguments)
        except (Exception, SystemExit) as error:
            raise JobError(f"{what} raised {told(error, self.source)}") from error


def import_job(source: Source) -> Job:
    """Import the job, and make its folder the working directory of this process.

    Raises:
        JobError: the file changed, cannot be imported, or lacks a function.
    """
    if source.sha256 and digest_of(source.file) != source.sha256:
        raise JobError(f"{source.file} was changed after the run was planned; start a new run")
    # At the end: a file called random.py there must not take the place of a module.
    if source.folder not in sys.path:
        sys.path.append(source.folder)
    os.chdir(source.folder)
    try:
        module = _module(source)
        owner: Any = getattr(module, source.name) if source.name else module
        if isinstance(owner, type):
            owner = owner()
    except SyntaxError as error:
        place = f"{Path(error.filename or source.file).name}:{error.lineno}"
        raise JobError(f"{source} cannot be imported: {place}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise JobError(f"{source} cannot be imported: {told(error, source)}") from error
    return _job(source._replace(file=source.file or str(module.__file__)), owner)


def _module(source: Source) -> ModuleType:
    if source.module:
        return importlib.import_module(source.module)
    if MODULE not in sys.modules:
        spec = importlib.util.spec_from_file_location(MODULE, source.file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{source.file} is no Python file")
        module = sys.modules[MODULE] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[MODULE]
            raise
    return sys.modules[MODULE]


def _job(source: Source, owner: Any) -> Job:  # noqa: ANN401 - whatever the user wrote
    inputs, run = _function(source, owner, "inputs"), _function(source, owner, "run")
    load, same = (
        _function(source, owner, name) if hasattr(owner, name) else None
        for name in ("load", "same")
    )
    _check_takes(source, "inputs", inputs)
    if load is None:
        _check_takes(source, "run", run, "input")
    else:
        _check_takes(source, "load", load)
        _check_takes(source, "run", run, "input", "state")
    if same is not None:
        _check_takes(source, "same", same, "a", "b")
    label, cpus = getattr(owner, "label", None), getattr(owner, "cpus", 1.0)
    if label is not None and not isinstance(label, str):
        raise JobError(f"label in {source} is {label!r}; it must be a text")
    if isinstance(cpus, bool) or not isinstance(cpus, int | float) or not 0 < cpus <= 1:
        raise JobError(f"cpus in {source} is {cpus!r}; it must be a share of a core, such as 0.1")
    return Job(
        source=source,
        inputs=inputs,
        run=run,
        load=load,
        same=same,
        label=label or source.name or Path(source.file).stem,
        cpus=float(cpus),
    )


def _function(source: Source, owner: Any, name: str) -> Callable[..., Any]:  # noqa: ANN401
    if not hasattr(owner, name):
        raise JobError(
            f"{source} has no function {name}: a job needs inputs() and run(input); "
            "'python -m compare init' writes an example"
        )
    function: Callable[..., Any] | None = getattr(owner, name)
    if not callable(function):
        raise JobError(f"{name} in {source} is {_a(function)}, not a function")
    return function


def _check_takes(source: Source, name: str, function: Callable[..., Any], *wanted: str) -> None:
    try:
        inspect.signature(function).bind(*wanted)
    except TypeError as error:
        because = ", because the job has load()" if "state" in wanted else ""
        raise JobError(
            f"{name} in {source} must take ({', '.join(wanted)}){because}: {error}"
        ) from error
    except ValueError:
        pass  # a function in C has no signature; its own error will tell


def packed(value: object, what: str) -> bytes:
    """The pickle of an input or an output.

    Raises:
        JobError: it cannot be pickled.
    """
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # any error of a value of the user
        raise JobError(
            f"{what} is {_a(value)} that cannot be sent to another process ({error}); use plain "
            "values, and open files, locks and connections in load()"
        ) from error


def told(error: BaseException, source: Source) -> str:
    """The error, with the user's line and what to do about it."""
    message = " ".join(str(error).split())
    name = type(error).__name__
    return f"{f'{name}: {message}' if message else name}{_line(error, source)}{_advice(error)}"


def _line(error: BaseException, source: Source) -> str:
    """The last line of the user's own file on the way to the error."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == source.file]
    own = own or [frame for frame in frames if frame.filename.startswith(source.folder + os.sep)]
    return f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""


def _advice(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return f"; install the package that has {package!r} for {sys.executable}"
    if isinstance(error, FileNotFoundError) and not os.path.isabs(str(error.filename or "/")):  # noqa: PTH117
        return f"; a relative path starts at {Path.cwd()}, the folder of the job"
    if isinstance(error, MemoryError):
        return "; one task needs more memory than this machine has left"
    return ""


def _a(value: object) -> str:
    """``a list``, ``an int``."""
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def digest_of(file: str) -> str:
    """SHA-256 of a file.

    Raises:
        JobError: it cannot be read.
    """
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError as error:
        raise JobError(
            f"cannot read {file}: {error.strerror}; every host must have it at this path"
        ) from error
