"""METG when each task is submitted by a call of its own."""

from compare.studies.base import Column, Study, no_metrics

STUDY = Study(
    experiment="submission",
    title="One by one",
    explanation="""METG as under Overhead, but with a call of the framework for each task, none of
which waits for a result (multiprocessing: `apply_async`; Dask: `submit`; Spark: a job a task, from
a few threads).  An engine that has one way only says so; its METG is the one above.  Lower is
better.""",
    axes=(),
    columns=(
        Column(metric="metg50", heading="METG(50%) one by one (ms)", scale=1e3),
        Column(metric="metg90", heading="METG(90%) one by one (ms)", scale=1e3),
    ),
    metrics=no_metrics,
)
