"""METG of tasks that need the results of others."""

from compare.studies.base import Column, Study, no_metrics

STUDY = Study(
    experiment="dependencies",
    title="Dependent tasks",
    explanation="""Tasks that need the results of others (patterns of Task Bench, SC20): a *tree*
that reduces pairs to one, and a *stencil*, in each step of which a task needs itself and its two
neighbours of the step before.  Every task makes sure that it was given the results it needs.  METG
as under Overhead: how long tasks must last for half, and for 90%, of the workers' time to be
useful.  Spark runs a layer of the pattern as a stage, with a shuffle between two.  Lower is
better.""",
    axes=(("pattern", "pattern"),),
    columns=(
        Column(metric="metg50", heading="METG(50%) (ms)", scale=1e3),
        Column(metric="metg90", heading="METG(90%) (ms)", scale=1e3),
    ),
    metrics=no_metrics,
)
