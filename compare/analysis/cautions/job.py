"""Cautions about the user's own job."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from typing_extensions import override

from compare.analysis.cautions.caution import Caution, Evidence
from compare.formatting import number, seconds
from compare.records.measurements import TaskRun

_LARGE_BYTES = 100_000
"""Smaller values cost an engine hardly more than none."""
_SLOW_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeValues(Caution):
    """An input or an output is so large that moving it is part of what is compared."""

    input_bytes: int
    output_bytes: int

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        job = evidence.run.plan.job
        if job is None:
            return
        records = [record for record in evidence.run.records if isinstance(record, TaskRun)]
        largest = max((record.output_bytes or 0 for record in records), default=0)
        output_bytes = max(largest, job.output_bytes)
        if max(job.input_bytes, output_bytes) > _LARGE_BYTES:
            yield cls(input_bytes=job.input_bytes, output_bytes=output_bytes)

    @override
    def __str__(self) -> str:
        return (
            f"The largest input of your job has {_kilobytes(self.input_bytes)}, and its largest "
            f"output {_kilobytes(self.output_bytes)}: moving data is then a part of what is "
            "compared. If the real job can do so, send paths, and read and write files in run()."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowToLoad(Caution):
    """Every worker process needs long until it can run the job."""

    import_s: float
    load_s: float | None

    @classmethod
    @override
    def find(cls, evidence: Evidence) -> Iterator[Self]:
        job = evidence.run.plan.job
        if job is not None and job.import_s + (job.load_s or 0.0) > _SLOW_S:
            yield cls(import_s=job.import_s, load_s=job.load_s)

    @override
    def __str__(self) -> str:
        load = "" if self.load_s is None else f", and its load() {seconds(self.load_s)}"
        return (
            f"The import of your job takes {seconds(self.import_s)}{load}, in every worker "
            "process. That is in the warm-up and not in the throughput; an engine that starts "
            "processes often pays it again."
        )


def _kilobytes(size: int) -> str:
    return f"{number(size / 1000)} kB"
