"""Spark SQL: ``mapInArrow`` over a DataFrame with a row for each task.

What Spark offers for inference: a Python worker takes many rows from one partition, and Spark
schedules few tasks of its own.  A no-op costs a fifth of what it costs with a partition each.  A
row has a task as bytes, because Arrow has no type for Python objects.
"""

import functools
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Self

from typing_extensions import override

from engines._spark.host import obstacles
from engines._spark.opening import opened, reason
from engines.environment import Framework
from engines.errors import WorkerLostError
from engines.interface import (
    Capability,
    Input,
    Output,
    Requirement,
    Resources,
    Setting,
)
from engines.shares import WithoutShares

_PARTITIONS = 3
"""For each worker."""
_SCHEMA = "number bigint, output binary"
_SETTINGS = (
    Setting(
        name="partitions",
        value=f"{_PARTITIONS} for each worker",
        reason="two to three for each core are what Spark's tuning guide recommends; with one, a "
        "worker that is done early would have nothing left to do",
    ),
)


class SparkUdfEngine(WithoutShares):
    """Runs one Spark job for each run, with some tasks in each partition."""

    name: ClassVar[str] = "spark-udf"
    plain: ClassVar[str | None] = "spark"
    summary: ClassVar[str] = "Spark SQL, mapInArrow over rows"
    taker: ClassVar[str] = "a partition"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.PARALLEL})
    fixed_s: ClassVar[float] = 0.3
    requirements: ClassVar[tuple[Requirement, ...]] = (
        Requirement(distribution="pyspark", module="pyspark"),
        Requirement(distribution="pyarrow", module="pyarrow"),
        Requirement(distribution="pandas", module="pandas"),
    )
    extra: ClassVar[str | None] = "open"

    def __init__(
        self, session: Framework, resources: Resources, settings: tuple[Setting, ...]
    ) -> None:
        self._session = session
        self._resources = resources
        self._settings = settings

    @override
    @classmethod
    def obstacles(cls) -> Iterator[str]:
        return obstacles()

    @override
    @classmethod
    @contextmanager
    def open(cls, resources: Resources) -> Iterator[Self]:
        with opened(resources) as (context, _, settings):
            from pyspark.sql import SparkSession

            yield cls(SparkSession(context), resources, settings + _SETTINGS)

    @override
    def _results(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        import pyarrow as pa
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        if not inputs:
            return
        partitions = min(len(inputs), _PARTITIONS * self._resources.workers)
        table = pa.table(
            {
                "number": pa.array(range(len(inputs)), pa.int64()),
                "partition": pa.array(
                    [number % partitions for number in range(len(inputs))], pa.int32()
                ),
                "task": pa.array(map(pickle.dumps, inputs), pa.binary()),
            }
        )
        try:
            rows = self._session.createDataFrame(table)
            # By number: repartition() deals out rows from random starts, unevenly if they are few.
            spread = rows.repartitionById(partitions, rows.partition)
            outputs = spread.mapInArrow(functools.partial(_run_rows, function), _SCHEMA).toArrow()
        except (Py4JError, PySparkException) as error:
            raise WorkerLostError(f"spark-udf: {reason(error)}") from error
        for number, output in zip(outputs["number"], outputs["output"], strict=True):
            yield number.as_py(), pickle.loads(output.as_py())  # noqa: S301 - from our own workers

    @override
    def workers(self) -> int:
        workers: int = self._session.sparkContext.defaultParallelism
        return workers

    @override
    def settings(self) -> tuple[Setting, ...]:
        return self._settings


def _run_rows(
    function: Callable[[Input], Output], batches: Iterator[Framework]
) -> Iterator[Framework]:
    """Run the tasks of a partition, one after the other."""
    import pyarrow as pa

    for batch in batches:
        for number, task in zip(batch["number"], batch["task"], strict=True):
            output = function(pickle.loads(task.as_py()))  # noqa: S301 - from our own driver
            yield pa.RecordBatch.from_pydict(
                {
                    "number": pa.array([number.as_py()], pa.int64()),
                    "output": pa.array([pickle.dumps(output)], pa.binary()),
                }
            )
