"""Tasks that need the results of others: a tree reduction and a 1-D stencil, and METG of each."""

import math
from collections.abc import Iterator

from typing_extensions import override

from compare.bench import Bench, refine
from compare.experiments.base import Experiment, Pace
from compare.experiments.sweep import Sweep, expected_sweep_s
from compare.presets import Preset
from compare.records import Case, Plan, TaskRun, Workload
from engines.interface import Capability, Node
from workload.interface import PackedReport, PackedTask
from workload.kernels import pattern
from workload.task import run_packed_after

TREE, STENCIL = "tree", "stencil"
_WIDTH_PER_WORKER = 4
_FEWEST_STEPS, _MOST_STEPS = 4, 250
_FEWEST_LEAVES, _MOST_LEAVES = 32, 1024
_GRAPH_FIXED = 2
"""How much more than other runs a graph takes beside its tasks; for the estimate."""


class Dependencies(Experiment):
    """A sweep over task sizes for each pattern."""

    name = "dependencies"
    with_ceiling = False

    @override
    def cases(self, preset: Preset, workload: Workload | None, workers: int) -> tuple[Case, ...]:
        return tuple(
            Case(experiment=self.name, parameters={"pattern": kind, "point_s": preset.pattern_s})
            for kind in (TREE, STENCIL)
        )

    @override
    def needs(self, case: Case) -> frozenset[Capability]:
        return frozenset({Capability.GRAPHS})

    @override
    def calibrated(self, case: Case) -> bool:
        return True

    @override
    def expected_s(self, plan: Plan, case: Case, pace: Pace) -> float:
        return expected_sweep_s(case, _GRAPH_FIXED * pace.fixed_s)

    @override
    def measure(self, bench: Bench, case: Case) -> Iterator[TaskRun]:
        def batch(iterations: int, count: int) -> TaskRun:
            return _run(bench, case, iterations, count)

        return Sweep(bench, case, batch).run()


def _run(bench: Bench, case: Case, iterations: int, count: int) -> TaskRun:
    """About ``count`` tasks, as the pattern allows."""
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

    def send(packed: list[PackedTask]) -> Iterator[tuple[int, PackedReport]]:
        rest = iter(packed)
        graph = [[Node(value=next(rest), needs=needs) for _, needs in layer] for layer in layers]
        return bench.engine.run_graph(run_packed_after, graph)

    return bench.run(refine(case, iterations=iterations), tasks, spans=False, send=send)
