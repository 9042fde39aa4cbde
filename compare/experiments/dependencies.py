"""Tasks that need the results of other tasks: METG of a tree reduction and a 1-D stencil."""

import math
from collections.abc import Iterator

from typing_extensions import override

from compare.experiments.experiment import Estimable, Experiment, Pace, Scope
from compare.experiments.section import Column, Columns, Section
from compare.experiments.shared_metrics import metg_rows
from compare.measure.bench import Bench
from compare.measure.sweep import Sweep, expected_sweep_s
from compare.observations.reader import Observations
from compare.presets import Sizes
from compare.records.measurements import TaskRun
from compare.records.plan import Case, Plan, refine
from engines.interface import Capability
from workload.kernels import pattern

TREE, STENCIL = "tree", "stencil"
_WIDTH_PER_WORKER = 4
_FEWEST_STEPS, _MOST_STEPS = 4, 250
_FEWEST_LEAVES, _MOST_LEAVES = 32, 1024
_GRAPH_FIXED = 2
"""Fixed cost of a graph, relative to other batches; used for the estimate only."""
POINT_S = Sizes(quick=0.1, standard=0.1, full=1.0)
"""Seconds for each task size, as in ``overhead``."""

_SECTION = Section(
    title="Dependent tasks",
    explanation="""Tasks that need the results of other tasks, in two patterns of Task Bench (SC20).
The *tree* reduces pairs of results to one.  In each step of the *stencil*, a task needs its own
result and the results of its two neighbours from the step before.  Every task checks that it
received the results it needs.  METG is defined as under Overhead: how long tasks must last so that
50% or 90% of the workers' time is useful.  Spark runs each layer of the pattern as a stage, with a
shuffle between two stages.  Lower is better.""",
    table=Columns(
        axes=(("pattern", "pattern"),),
        columns=(
            Column(metric="metg50", heading="METG(50%)"),
            Column(metric="metg90", heading="METG(90%)"),
        ),
    ),
)


class Dependencies(Experiment):
    """One sweep over task sizes for each pattern."""

    name = "dependencies"
    with_ceiling = False
    sections = (_SECTION,)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        return tuple(
            Case(
                experiment=self.name,
                parameters={"pattern": kind, "point_s": POINT_S.of(scope.preset)},
            )
            for kind in (TREE, STENCIL)
        )

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.GRAPHS})

    @override
    def sweeps(self, case: Case) -> bool:
        return True

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        return expected_sweep_s(case, _GRAPH_FIXED * pace.fixed_s)

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        def batch(iterations: int, count: int) -> TaskRun:
            return _run(bench, case, iterations, count)

        return Sweep(bench, case, batch).run()

    @override
    def rows(self, observations: Observations, engine: str) -> Iterator[Estimable]:
        return metg_rows(observations, engine, self.name)


def _run(bench: Bench, case: Case, iterations: int, count: int) -> TaskRun:
    """Run about ``count`` tasks; the pattern determines the exact number."""
    label = bench.label()
    if case.parameters["pattern"] == TREE:
        exponent = max(1.0, math.log2(count / 2))
        leaves = min(max(2 ** round(exponent), _FEWEST_LEAVES), _MOST_LEAVES)
        layers = pattern.tree(label, leaves, iterations)
    else:
        width = _WIDTH_PER_WORKER * bench.workers
        steps = min(max(math.ceil(count / width), _FEWEST_STEPS), _MOST_STEPS)
        layers = pattern.stencil(label, width, steps, iterations)
    tasks = [task for layer in layers for task, _ in layer]
    needs = [[needed for _, needed in layer] for layer in layers]
    return bench.run(refine(case, iterations=iterations), tasks, spans=False, needs=needs)
