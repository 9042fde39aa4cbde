"""Which engine is done first, by the length and the number of the tasks: a part of ``overhead``.

``compare.analysis.done_first`` computes it from what tasks and starts cost.
"""

from compare.experiments.section import Column, Columns, FirstDone, Section
from compare.formatting import seconds
from compare.observations.metric import Better, Quantity

ANY, ON_HOSTS = "done_first", "done_first_on_hosts"
"""The ``experiment`` of the rows: among all engines, and among those that run on several hosts."""
FROM = Quantity(name="from_tasks", unit="tasks", better=Better.NEITHER)
WORK_S = "work_s"
LENGTHS_S = (0.001, 0.01, 0.1, 1.0)
MOST_TASKS = 10_000_000
MARGIN = 0.05
"""An engine keeps its place until another one is done so much earlier."""
NEVER = f"never by {MARGIN:.0%}"

_TABLE = Columns(
    columns=tuple(
        Column(
            metric=FROM.name,
            heading=f"tasks of {seconds(length_s, digits=1)}",
            where=(WORK_S, length_s),
        )
        for length_s in LENGTHS_S
    )
)

SECTIONS = (
    Section(
        title="Which engine is done first",
        explanation=f"""From how many equal tasks on an engine is done first, its start included:
*open* and *first result* of the start, then the makespan of the tasks from the measured costs,
with all workers.  An engine keeps its place until another one is done {MARGIN:.0%} earlier; the
engine with the next larger number is the one that takes over.  *{NEVER}*: with no number of tasks,
up to {MOST_TASKS:,}, is it done so much before the one that is first.  It may still be as fast.

Boundaries are computed in each block.  Of tasks that are longer than those of an engine's sweep,
the overhead is taken to be between that of the longest of them and one that grows with the work;
the intervals do not contain what is uncertain about that.  So these are predictions: `python -m
compare advise` says for a single job whether it lies within what was measured.""",
        table=_TABLE,
        lead=f"""From how many equal tasks on an engine is done first, its start included; it takes
over from another one when it is {MARGIN:.0%} earlier.  Predicted from the costs above.""",
        rows_of=ANY,
        pictures=(
            FirstDone(
                name="first",
                description="Which engine is done first, by the length and the number of the tasks",
                rows_of=ANY,
            ),
        ),
    ),
    Section(
        title="",
        explanation="""The same among the engines that run on several hosts, with the costs of this
host.""",
        table=_TABLE,
        lead="The same among the engines that run on several hosts.",
        rows_of=ON_HOSTS,
        pictures=(
            FirstDone(
                name="first_on_hosts",
                description="Which of the engines that run on several hosts is done first, by the "
                "length and the number of the tasks",
                rows_of=ON_HOSTS,
            ),
        ),
    ),
)
