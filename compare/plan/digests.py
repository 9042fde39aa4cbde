"""Digests of the files that a run reads: a run that goes on must read the same."""

import hashlib
from dataclasses import replace
from pathlib import Path

from compare.errors import UsageError
from compare.records.plan import Workload
from workload.model_folder import used_files


def with_digests(workload: Workload) -> Workload:
    """The workload with the SHA-256 of its images and of the files of its model."""
    return replace(
        workload,
        image_digests=tuple(_digest(Path(path)) for path in workload.images),
        model_digests={
            path.name: _digest(path) for path in used_files(Path(workload.model_folder))
        },
    )


def check_unchanged(workload: Workload, run_dir: Path) -> None:
    """Check that the images and the model are those that the run was planned with.

    Raises:
        UsageError: a file is missing or has changed; the message names the first.
    """
    folder = Path(workload.model_folder)
    # Plans of earlier versions have no digests: of their files only the presence is checked.
    digests = workload.image_digests or [None] * len(workload.images)
    planned = dict(zip(map(Path, workload.images), digests, strict=True))
    planned |= {folder / name: digest for name, digest in workload.model_digests.items()}
    for path in (folder, *planned):
        if not path.exists():
            raise UsageError(f"{path} of {run_dir} is missing; restore it, or start a new run")
    for path, digest in planned.items():
        if digest is not None and _digest(path) != digest:
            raise UsageError(
                f"{path} has changed since {run_dir} was planned; restore it, or start a new run"
            )


def _digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; make it readable") from error
