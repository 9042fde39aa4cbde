"""Which engine is done first, by the length and the number of the tasks: a part of ``overhead``.

``compare.analysis.done_first`` computes it from what tasks and starts cost.
"""

from compare.experiments.section import Column, Columns, Section
from compare.formatting import seconds
from compare.observations.metric import Better, Quantity

ANY, ON_HOSTS = "done_first", "done_first_on_hosts"
"""The ``experiment`` of the rows: among all engines, and among those that run on several hosts."""
FROM = Quantity(name="from_tasks", unit="tasks", better=Better.NEITHER)
WORK_S, NEVER = "work_s", "never"
LENGTHS_S = (0.001, 0.01, 0.1, 1.0)
MARGIN = 0.05
"""An engine keeps its place until another one is done so much earlier."""


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
engine with the next larger number is the one that takes over.  Boundaries are computed in each
block.  *{NEVER}*: another engine is done first with any number of tasks.""",
        table=_TABLE,
        lead="From how many equal tasks on an engine is done first, its start included.",
        rows_of=ANY,
    ),
    Section(
        title="",
        explanation="""The same among the engines that run on several hosts, with the costs of this
host.""",
        table=_TABLE,
        lead="The same among the engines that run on several hosts.",
        rows_of=ON_HOSTS,
    ),
)
