from dataclasses import replace

import pytest

from compare.observations.gates import invalid_reasons
from compare.observations.spans import most_at_once
from compare.records.measurements import Span, TaskRun
from engines.interface import Config
from tests.compare import fakes

VALID = fakes.task_run()
OUTPUTS = VALID.outputs or ()


def reasons(run: TaskRun, **plan_changes: object) -> tuple[str, ...]:
    return invalid_reasons(run, fakes.reference(), fakes.plan(**plan_changes), 2)


def test_a_valid_run_has_no_reason() -> None:
    assert reasons(VALID) == ()


def test_the_serial_engine_needs_no_reference_and_one_worker() -> None:
    spans = tuple(Span(i, 0, float(i), i + 1.0, i + 1.0) for i in range(VALID.tasks))
    serial = replace(fakes.reference(), spans=spans)
    assert invalid_reasons(serial, None, fakes.plan(), 1) == ()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (
            replace(VALID, received=(1, 1, 0, 2) + (1,) * 8),
            "2 of 12 results did not come exactly once; input 2 came 0 times",
        ),
        (replace(VALID, received=(1,) * 11), "11 results for 12 tasks"),
        (
            replace(VALID, errors=("Traceback ...\nOSError: no such file\n",)),
            "1 of 12 tasks raised; the first: OSError: no such file",
        ),
        (replace(VALID, kernel_calls=13), "13 kernel calls were counted for 12 tasks"),
        (
            replace(VALID, outputs=(*OUTPUTS[:46], "cat", "dog")),
            (
                "2 of 48 outputs differ from the serial engine's; "
                "the first is image 46: 'cat' instead of 'label 4'"
            ),
        ),
        (replace(VALID, outputs=OUTPUTS[:-1]), "47 outputs for 48 images"),
        (replace(VALID, threads=(1, 2)), "native threads read in the tasks: 1, 2; planned: 1"),
        (replace(VALID, threads=()), "no native thread budget could be read in the tasks"),
        (replace(VALID, workers_seen=1), "1 of 2 workers took part"),
        (
            replace(VALID, spans=tuple(Span(i, i, 0.0, 1.0, 1.0) for i in range(3))),
            "3 tasks ran at once on 2 workers",
        ),
        (
            replace(VALID, niceness=(0, 15)),
            "niceness read in the tasks: 0, 15; tuned means 0 for every engine",
        ),
        (replace(VALID, oom_kills=2), "the kernel killed 2 processes for lack of memory"),
        (
            replace(VALID, peak_memory_bytes=901 * 2**20, memory_room_bytes=1000 * 2**20),
            "it used 901 of 1,000 MiB of available memory",
        ),
    ],
)
def test_each_broken_gate_is_named(broken: TaskRun, reason: str) -> None:
    assert reasons(broken) == (reason,)


def test_a_batch_that_ends_before_the_second_worker_wakes_is_no_fault() -> None:
    assert reasons(replace(VALID, workers_seen=1, makespan_s=0.02)) == ()


@pytest.mark.parametrize(
    "untold",
    [
        {"oom_kills": None},
        {"memory_room_bytes": None},
        {"peak_memory_bytes": None, "memory_room_bytes": 1},
        {"peak_memory_bytes": 899, "memory_room_bytes": 1000},
    ],
)
def test_memory_that_sufficed_or_was_not_told_is_no_fault(untold: dict[str, int | None]) -> None:
    assert reasons(replace(VALID, **untold)) == ()  # type: ignore[arg-type]


def test_outputs_that_cannot_be_checked_are_not_valid() -> None:
    (reason,) = invalid_reasons(VALID, None, fakes.plan(), 2)
    assert reason == "there is no valid run of the serial engine to check the outputs against"


def test_several_broken_gates_are_all_named() -> None:
    assert len(reasons(replace(VALID, kernel_calls=13, threads=(2,)))) == 2


def test_niceness_is_shown_and_not_judged_in_the_shipped_config() -> None:
    assert reasons(replace(VALID, niceness=(15,)), config=Config.SHIPPED) == ()


def test_with_less_than_two_tasks_a_worker_one_may_get_none() -> None:
    few = replace(VALID, tasks=3, received=(1,) * 3, kernel_calls=3, workers_seen=1)
    assert reasons(few) == ()


def test_tasks_without_images_need_neither_outputs_nor_threads_nor_all_workers() -> None:
    no_ops = replace(VALID, outputs=None, threads=(), workers_seen=1, spans=None)
    assert reasons(no_ops) == ()
    assert reasons(replace(no_ops, threads=(4,))) != ()


def test_tasks_at_once_counts_touching_tasks_as_one_after_the_other() -> None:
    spans = (Span(0, 0, 0.0, 1.0, 1.0), Span(1, 0, 1.0, 2.0, 2.0), Span(2, 1, 0.5, 1.5, 1.5))
    assert most_at_once(spans) == 2
    assert most_at_once(()) == 0
