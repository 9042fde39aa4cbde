"""When tasks run, and when workers come and go, if everything always takes the same time."""

from collections.abc import Sequence
from dataclasses import replace

from compare.measure import elasticity
from compare.observations.elasticity import NEVER
from compare.records.measurements import Span, Submission, TaskRun, WorkerLife
from compare.records.plan import Case


def scheduled(seconds: Sequence[float], places: int, gap_s: float) -> tuple[Span, ...]:
    """Tasks in order, each on the place that is free first; the engine needs ``gap_s`` before a
    task, and after it until its result is in the driver.
    """
    free_s = [0.0] * places
    spans = []
    for task, length_s in enumerate(seconds):
        place = min(range(places), key=lambda n: free_s[n])
        start_s = free_s[place] + gap_s
        free_s[place] = start_s + length_s
        spans.append(Span(task, place, start_s, free_s[place], free_s[place] + gap_s))
    return tuple(spans)


class Watched(elasticity.Watched):
    most: int


def fake_watch(case: Case, demand: elasticity.Demand, costs_s: tuple[float, float]) -> Watched:
    """All workers come together; all but one go when they were idle, and in the end all."""
    most = int(case.parameters["most"])
    if case.parameters["idle_s"] == NEVER:
        return _fixed_watch(most, demand)
    idle_s = float(case.parameters["idle_s"])
    decision_s, start_s, waves = costs_s[0], sum(costs_s), demand.many // most
    many, task_s = demand.many, demand.task_s
    ends = [start_s + task_s * (1 + n // most) for n in range(many)]
    if demand.long_s is None:
        gone_s = ends[-1] + idle_s
        lives = [WorkerLife(decision_s, start_s, gone_s)] * most
        return _finished(most, demand, ends, rises=[0.0], watched_s=gone_s, lives=lives)
    rise_s = ends[-1] + demand.long_s
    # After the rise, the worker that stayed runs tasks while the others start.
    alone = round(start_s / task_s)
    ends.append(rise_s)
    ends += [rise_s + task_s * (n + 1) for n in range(alone)]
    ends += [rise_s + start_s + task_s * (1 + n // most) for n in range(many - alone)]
    end_s = ends[-1] + idle_s

    def life(since_s: float, gone_s: float) -> WorkerLife:
        return WorkerLife(since_s + decision_s, since_s + start_s, gone_s)

    lives = [
        life(0.0, end_s),
        *[life(0.0, start_s + waves * task_s + idle_s)] * (most - 1),
        *[life(rise_s, end_s)] * (most - 1),
    ]
    return _finished(most, demand, ends, rises=[0.0, rise_s], watched_s=end_s, lives=lives)


def _fixed_watch(most: int, demand: elasticity.Demand) -> Watched:
    """All workers exist from the beginning to the last result."""
    rises: list[float] = []
    ends = [0.0]
    for lengths in demand.batches:
        rises.append(ends[-1])
        ends += sorted(rises[-1] + span.end_s for span in scheduled(lengths, most, 0.0))
    lives = [WorkerLife(0.0, 0.0, None)] * most
    return _finished(most, demand, ends[1:], rises=rises, watched_s=ends[-1], lives=lives)


def _finished(  # noqa: PLR0913 - the fields of a record
    most: int,
    demand: elasticity.Demand,
    ends: Sequence[float],
    *,
    rises: Sequence[float],
    watched_s: float,
    lives: Sequence[WorkerLife],
) -> Watched:
    batches = zip(rises, demand.batches, strict=True)
    return Watched(
        most=most,
        verdict="finished",
        words="",
        ended_s=ends[-1],
        watched_s=watched_s,
        submitted=tuple(Submission(at_s, len(lengths)) for at_s, lengths in batches),
        completed_s=tuple(ends),
        starts=(1,) * demand.tasks,
        workers=tuple(lives),
    )


def slowed(run: TaskRun, factor: float) -> TaskRun:
    """The run with tasks that take so many times as long, and start when they did."""
    spans = tuple(
        span._replace(
            end_s=span.start_s + factor * (span.end_s - span.start_s),
            received_s=span.received_s + (factor - 1) * (span.end_s - span.start_s),
        )
        for span in run.spans or ()
    )
    return replace(run, spans=spans, makespan_s=max(span.received_s for span in spans))
