"""The advice for a job, for people and as JSON for scripts."""

import json
from collections.abc import Iterator, Mapping

from rich.box import SIMPLE
from rich.table import Table

from compare.analysis.advice import ALIKE, Advice
from compare.analysis.intervals import Estimate
from compare.analysis.makespans import Job
from compare.analysis.predictions import Prediction
from compare.formatting import enumeration, number, plural, seconds
from compare.report.cells import NOTHING


def advice_json(advice: Advice) -> str:
    """A list with an object for each engine, the shortest makespan first."""
    return json.dumps(
        [
            {
                "engine": one.engine,
                "makespan_s": one.makespan_s,
                "low_s": one.low_s,
                "high_s": one.high_s,
                "basis": one.basis,
                "measured": one.measured,
            }
            for one in advice.predictions
        ],
        indent=1,
    )


def advice_table(advice: Advice) -> Table:
    """A line for each engine, the shortest makespan first."""
    headings = ("engine", "makespan", "95% interval", "measured", "starts in")
    table = Table(*headings, box=SIMPLE)
    for one in advice.predictions:
        measured = "yes" if one.measured else "extrapolated"
        start_s = advice.start_s.get(one.engine)
        table.add_row(
            one.engine,
            seconds(one.makespan_s),
            _interval(one) or NOTHING,
            measured,
            NOTHING if start_s is None else seconds(start_s),
        )
    return table


def advice_sentences(advice: Advice, environment: Mapping[str, object]) -> Iterator[str]:
    """What to take, what a mistake would cost, what would change the answer, and the source.

    ``environment`` is that of the run.
    """
    if advice.predictions:
        yield _take(advice)
        yield _turns(advice)
        if advice.alike_from_s is not None:
            yield (
                f"With tasks of {_about(advice.alike_from_s)} or longer, all parallel engines are "
                f"within {ALIKE:.0%} of each other."
            )
    yield "The start of the engine comes on top, once."
    for engine, reason in advice.left_out.items():
        yield f"{engine} is left out: {reason.removeprefix(f'{engine} ')}."
    for basis in dict.fromkeys(one.basis for one in advice.predictions):
        names = [one.engine for one in advice.predictions if one.basis == basis]
        yield f"Source for {enumeration(names)}: {basis}."
    yield (
        f"All numbers hold for the machine of the run: {environment.get('cores')} cores of "
        f"{environment.get('cpu_model')}."
    )


def job_sentence(job: Job, file: str | None = None) -> str:
    """The job in words; ``file`` is where its tasks are, if they were tried."""
    text = f"{job.tasks:,} tasks of {seconds(job.task_s)} on {plural(job.workers, 'worker')}"
    if job.cpus != 1.0:
        text += f", each on {job.cpus:g} of a core"
    moved = [f"{size:,} bytes {way}" for way, size in job.bytes_by_direction.items()]
    if moved:
        text += f", {enumeration(moved)} each"
    if file is not None:
        text += f"; the length is that of tasks of {file}, run one by one on this machine"
    return text


def _take(advice: Advice) -> str:
    best = advice.predictions[0]
    within = _interval(best)
    text = f"Take {best.engine}: {seconds(best.makespan_s)}" + (f" ({within})" if within else "")
    if advice.regret is None:
        return f"{text}; no other engine has a prediction."
    return f"{text}; {advice.predictions[1].engine}, the second, {_regret(advice.regret)}."


def _regret(regret: Estimate) -> str:
    more = 100 * (regret.value - 1)
    text = f"would take {number(more, digits=2)}% longer"
    if regret.value >= 2:  # noqa: PLR2004 - a factor reads better
        text = f"would take {number(regret.value, digits=2)} times as long"
    if regret.low is None or regret.difference_shown:
        return text
    return f"{text}; no difference between the two is shown"


def _turns(advice: Advice) -> str:
    if not advice.turns:
        return "No other length of the tasks would change the answer."
    told = [
        f"{'longer' if turn.longer else 'shorter'} than {_about(turn.task_s)}, {turn.engine}"
        for turn in advice.turns
    ]
    return f"What would change the answer: with tasks {'; '.join(told)}."


def _interval(one: Prediction) -> str | None:
    if one.low_s is None or one.high_s is None:
        return None
    return f"{seconds(one.low_s, digits=2)} to {seconds(one.high_s, digits=2)}"


def _about(task_s: float) -> str:
    return f"about {seconds(task_s, digits=1)}"
