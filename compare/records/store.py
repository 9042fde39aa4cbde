"""Writes a results folder record by record, and reads it.  The only module that knows JSON.

<run>/plan.json  environment.json  measurements.jsonl

A published run has ``measurements.jsonl.gz`` instead, a tenth of the size; it can only be read.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from compare.errors import UsageError
from compare.records.deeds import Answer, Deed
from compare.records.measurements import Failure, Lifecycle, Record, Run
from compare.records.plan import SCHEMA, Plan
from compare.records.upgrade import from_schema_2

_T = TypeVar("_T")

PACKED = "measurements.jsonl.gz"

_PLAN = TypeAdapter(Plan)
_RECORD: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])
_SAID: TypeAdapter[Record | Deed] = TypeAdapter(
    Annotated[Record | Deed, Field(discriminator="kind")]
)
_ANSWER = TypeAdapter(Answer)
_MAPPING: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class StoreError(UsageError):
    """A results folder cannot be read or written; names the file, the line and the cause."""


class RunFolder:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._plan = path / "plan.json"
        self._environment = path / "environment.json"
        self._records = path / "measurements.jsonl"
        self._packed = path / PACKED

    def create(self, plan: Plan, environment: Mapping[str, object]) -> None:
        """Make the folder, with the plan and the environment and no measurement yet.

        Raises:
            StoreError: the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True)
            _replace(self._plan, _PLAN.dump_json(plan, indent=1))
            self._environment.write_bytes(_MAPPING.dump_json(dict(environment), indent=1))
            self._records.touch()
        except OSError as error:
            raise StoreError(
                f"cannot write results to {self.path}: {error.strerror}; choose another --out"
            ) from error

    def write_plan(self, plan: Plan) -> None:
        """Write only the plan, atomically.

        Raises:
            StoreError: it cannot be written; the earlier plan is still there.
        """
        with self._written(self._plan):
            _replace(self._plan, _PLAN.dump_json(plan, indent=1))

    def append(self, record: Record) -> None:
        """Add one record; the operating system has it when this returns.

        Raises:
            StoreError: it cannot be written; what was stored before is kept.
        """
        with self._written(self._records), self._records.open("ab") as file:
            file.write(encode(record))

    def open_log(self, session: str) -> IO[bytes]:
        """A new file for all that a session prints.

        Raises:
            StoreError: it cannot be created.
        """
        path = self.path / "logs" / f"{session}.log"
        with self._written(path):
            path.parent.mkdir(exist_ok=True)
            return path.open("wb")

    @contextmanager
    def _written(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"cannot write to {path}: {error.strerror}; what was measured before is kept: make "
                f"room, then go on with --resume {self.path}"
            ) from error

    def read(self) -> Run:
        """Read the whole folder.

        A last line without its newline was cut off when its process was killed; it is left out.

        Raises:
            StoreError: a file is missing or damaged.
        """
        plan = self.read_plan()
        environment = _parse(_MAPPING, self._environment, self._bytes(self._environment))
        *lines, _torn = self._all_records().split(b"\n")
        records = tuple(
            _parse(_RECORD, f"{self._records}:{number}", line)
            for number, line in enumerate(lines, start=1)
        )
        return Run(plan=plan, environment=environment, records=records)

    def read_from(self, start: int) -> tuple[tuple[Record, ...], int]:
        """The records that were written after the first ``start`` bytes, and where they end.

        If the file has become shorter, which happens when a run is resumed, they are all records.

        Raises:
            StoreError: the file is missing or damaged.
        """
        content = self._all_records()
        start = start if start <= len(content) else 0
        *lines, torn = content[start:].split(b"\n")
        records = tuple(_parse(_RECORD, self._records, line) for line in lines)
        return records, len(content) - len(torn)

    def read_plan(self) -> Plan:
        """Read only the plan.

        Raises:
            StoreError: the plan is missing or damaged.
        """
        text = self._bytes(self._plan)
        content = _parse(_MAPPING, self._plan, text)
        schema = content.get("schema")
        if schema == 2:  # noqa: PLR2004 - the format before this one
            return _parse(_PLAN, self._plan, json.dumps(from_schema_2(content)).encode())
        if schema != SCHEMA:
            raise StoreError(
                f"{self._plan}: schema {schema}, but this program reads 2 and {SCHEMA}; "
                "use the version of engine-compare that wrote it"
            )
        return _parse(_PLAN, self._plan, text)

    def keep_only(self, records: Iterable[Record]) -> None:
        """Replace all measurements atomically.

        Raises:
            StoreError: they cannot be written; the earlier ones are still there.
        """
        with self._written(self._records):
            _replace(self._records, b"".join(encode(record) for record in records))

    def torn(self) -> bool:
        """Whether the last record was cut off; a record behind it could not be read."""
        return not self._all_records().endswith(b"\n") and self._all_records() != b""

    def pack(self) -> None:
        """Compress the records of a finished run.  The same records give the same bytes."""
        self._packed.write_bytes(gzip.compress(self._bytes(self._records), mtime=0))
        self._records.unlink()

    def _all_records(self) -> bytes:
        if self._records.exists() or not self._packed.exists():
            return self._bytes(self._records)
        try:
            return gzip.decompress(self._bytes(self._packed))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise StoreError(f"{self._packed}: {error}; it is damaged") from error

    @staticmethod
    def _bytes(path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise StoreError(
                f"{path}: {error.strerror}; a results folder has plan.json, environment.json "
                "and measurements.jsonl"
            ) from error


def _replace(path: Path, content: bytes) -> None:
    """Write through a rename: a full disk or a kill leaves the old content or the new one."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.replace(path)


def encode(said: Record | Deed) -> bytes:
    """One record, or what a session asks for, as one line."""
    return _SAID.dump_json(said) + b"\n"


def decode(line: bytes) -> Record:
    """The record that ``encode`` wrote.

    Raises:
        StoreError: the line is not a record.
    """
    return _parse(_RECORD, "record", line)


def decode_said(line: bytes) -> Record | Deed:
    """What a session wrote with ``encode``.

    Raises:
        StoreError: the line is neither a record nor a deed.
    """
    return _parse(_SAID, "record", line)


def encode_answer(answer: Answer) -> bytes:
    """The answer to a deed as one line."""
    return _ANSWER.dump_json(answer) + b"\n"


def decode_answer(line: bytes) -> Answer:
    """The answer that ``encode_answer`` wrote.

    Raises:
        StoreError: the line is not an answer.
    """
    return _parse(_ANSWER, "answer", line)


def finished_sessions(records: Iterable[Record]) -> frozenset[str]:
    """Ids of the sessions that ran to their end or failed as a whole: they are not run again."""
    return frozenset(
        record.session
        for record in records
        if isinstance(record, Lifecycle) or (isinstance(record, Failure) and record.case is None)
    )


def _parse(adapter: TypeAdapter[_T], where: object, text: bytes) -> _T:
    try:
        return adapter.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise StoreError(f"{where}: {place + ': ' if place else ''}{first['msg']}") from error
