"""Validity gates: they decide whether a batch of tasks is valid.  Reasons are printed sentences."""

import math
from collections.abc import Iterator, Sequence

from compare.observations.metg import Point, fitted
from compare.observations.spans import most_at_once
from compare.observations.speed import change, most_efficiency
from compare.records.measurements import Calibration, TaskRun
from compare.records.plan import INPUTS, SERIAL, Plan
from engines.interface import Config
from workload.errors import last_words

_MIB = 2**20
_MEMORY_MARGIN = 0.1
"""Share of the available memory; with less left, the kernel drops caches and kills processes."""
_WAKE_S = 0.1
"""Time until every worker of a busy machine has woken up.  With any engine, a shorter batch may end
before that."""


def invalid_reasons(
    run: TaskRun, reference: TaskRun | None, plan: Plan, workers: int
) -> tuple[str, ...]:
    """Why the run is not valid; empty if it is valid.

    ``reference`` is a valid run of the serial engine over at least the same images, from any
    block; the reference itself needs no reference.  ``workers`` is the number of one-core tasks
    that the session may run at once.
    """
    return (
        *_exactly_once(run),
        *_no_error(run),
        *_called_once(run),
        *_same_outputs(run, reference),
        *_same_threads(run, plan),
        *_same_workers(run, workers, _most_at_once(run, plan, workers)),
        *_not_nice(run, plan),
        *_room(run),
    )


def disturbed(points: Sequence[Point], calibration: Calibration) -> str | None:
    """Why a sweep of task sizes is not usable; ``None`` if it is usable."""
    changed = change(calibration)
    if changed is not None:
        return changed
    most = max((point.efficiency for point in fitted(points)), default=0.0)
    if most > most_efficiency(calibration.busy_s):
        return f"an efficiency of {most:.0%} shows that the calibration was disturbed"
    return None


def _exactly_once(run: TaskRun) -> Iterator[str]:
    # Thousands of no-ops are looked at more often than anything else: count in C.
    if run.received.count(1) < len(run.received):
        wrong = [index for index, times in enumerate(run.received) if times != 1]
        first = wrong[0]
        yield (
            f"{len(wrong)} of {run.tasks} results did not come exactly once; "
            f"input {first} came {run.received[first]} times"
        )
    elif len(run.received) != run.tasks:
        yield f"{len(run.received)} results for {run.tasks} tasks"


def _no_error(run: TaskRun) -> Iterator[str]:
    if run.errors:
        words = last_words(run.errors[0])
        yield f"{len(run.errors)} of {run.tasks} tasks raised; the first: {words}"


def _called_once(run: TaskRun) -> Iterator[str]:
    if run.kernel_calls != run.tasks:
        yield f"{run.kernel_calls} kernel calls were counted for {run.tasks} tasks"


def _same_outputs(run: TaskRun, reference: TaskRun | None) -> Iterator[str]:
    if run.outputs is None or (run.engine == SERIAL and reference is None):
        return
    noun = "input" if INPUTS in run.case.parameters else "image"
    if reference is None or reference.outputs is None:
        yield "there is no valid run of the serial engine to check the outputs against"
    elif len(run.outputs) != run.items:
        yield f"{len(run.outputs)} outputs for {run.items} {noun}s"
    elif len(run.outputs) > len(reference.outputs):
        yield f"{len(run.outputs)} outputs, but the serial engine has {len(reference.outputs)}"
    else:
        # Every experiment takes the first images of the same list.
        pairs = list(zip(run.outputs, reference.outputs, strict=False))
        wrong = [index for index, (ours, right) in enumerate(pairs) if ours != right]
        if wrong:
            ours, right = pairs[wrong[0]]
            yield (
                f"{len(wrong)} of {len(pairs)} outputs differ from the serial engine's; "
                f"the first is {noun} {wrong[0]}: {ours!r} instead of {right!r}"
            )


def _same_threads(run: TaskRun, plan: Plan) -> Iterator[str]:
    # The user's job need not load torch either.
    if run.outputs is not None and not run.threads and INPUTS not in run.case.parameters:
        yield "no native thread budget could be read in the tasks"
    # Without images torch need not be loaded, and then there is no budget to read.
    if set(run.threads) - {plan.options.threads_per_worker}:
        seen = ", ".join(map(str, run.threads))
        planned = plan.options.threads_per_worker
        yield f"native threads read in the tasks: {seen}; planned: {planned}"


def _most_at_once(run: TaskRun, plan: Plan, workers: int) -> int:
    """Tasks that may run at once; more than workers if the user's job asks for shares of a core."""
    if plan.job is None or INPUTS not in run.case.parameters:
        return workers
    return math.floor(workers / plan.job.cpus + 1e-9)


def _same_workers(run: TaskRun, workers: int, most: int) -> Iterator[str]:
    """Report fewer workers than planned, or more tasks at once.  Batch inference only.

    Fewer workers are a fault if there are at least two tasks for each worker; with fewer tasks a
    scheduler may legitimately give one worker two.  More *processes* are no fault as long as no
    more tasks run at once: some engines replace a worker, or start a spare one.
    """
    if run.outputs is None:
        return
    few = run.workers_seen < workers and run.tasks >= 2 * workers
    if few and run.makespan_s > _WAKE_S:
        yield f"{run.workers_seen} of {workers} workers took part"
    at_once = most_at_once(run.spans or ())
    if at_once > most:
        yield f"{at_once} tasks ran at once on {workers} workers"


def _not_nice(run: TaskRun, plan: Plan) -> Iterator[str]:
    # In the shipped configuration, niceness is part of the comparison; a caution reports it.
    if plan.options.config is Config.TUNED and set(run.niceness) - {plan.niceness}:
        seen = ", ".join(map(str, run.niceness))
        yield f"niceness read in the tasks: {seen}; tuned means {plan.niceness} for every engine"


def _room(run: TaskRun) -> Iterator[str]:
    if run.oom_kills:
        yield f"the kernel killed {run.oom_kills} processes for lack of memory"
    peak, room = run.peak_memory_bytes, run.memory_room_bytes
    if peak is not None and room is not None and peak > (1 - _MEMORY_MARGIN) * room:
        yield f"it used {peak / _MIB:,.0f} of {room / _MIB:,.0f} MiB of available memory"
