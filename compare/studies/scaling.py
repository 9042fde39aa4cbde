"""Images per second with 1, 2, 4, … workers."""

from compare.studies.base import Column, Study, no_metrics

STUDY = Study(
    experiment="scaling",
    title="Scaling",
    explanation="""The same images with more workers (*strong*: T1/(p·Tp)), and as many images a
worker (*weak*: T1/Tp); each number of workers in an engine of its own, on the same machine.  The
efficiency is the throughput as a share of p times that of one worker in the same block.  Higher is
better.""",
    axes=(("kind", "kind"), ("workers", "workers")),
    columns=(
        Column(metric="throughput", heading="images/s"),
        Column(metric="scaling_efficiency", heading="efficiency (%)", scale=1e2),
    ),
    metrics=no_metrics,
)
