"""What the report says of a cluster: which hosts ran tasks, and what they used."""

from compare.analysis.analysis import Analysis
from compare.experiments.section import KIB, MIB, Column, Columns, Section
from compare.experiments.shared_metrics import HOSTS
from compare.formatting import enumeration, plural

SECTION = Section(
    title="Hosts",
    explanation="""What the hosts used for the batch inference, from their own control groups and
network counters, all hosts of a role together, and the head's CPU time for no-ops, from the largest
*N*.""",
    table=Columns(
        axes=(("role", "hosts"),),
        columns=(
            Column(metric="hosts", heading="how many"),
            Column(metric="cpu_time", heading="CPU time (s)"),
            Column(metric="memory", heading="memory after (MiB)", scale=MIB),
            Column(metric="received_per_image", heading="received per image (KiB)", scale=KIB),
            Column(metric="sent_per_image", heading="sent per image (KiB)", scale=KIB),
            Column(metric="received_per_task", heading="received per task (KiB)", scale=KIB),
            Column(metric="sent_per_task", heading="sent per task (KiB)", scale=KIB),
            Column(metric="cpu_per_task", heading="CPU per 1,000 no-ops (s)", scale=1e3),
        ),
    ),
    rows_of=HOSTS,
)


def cluster_sentences(analysis: Analysis) -> tuple[str, ...]:
    """How many hosts ran tasks, and whose clocks were compared; empty without a cluster."""
    facts, options = analysis.cluster, analysis.plan.options
    if facts is None:
        return ()
    counts = [
        f"{engine} {' or '.join(map(str, numbers))}" for engine, numbers in facts.hosts.items()
    ]
    clocks = (
        "All hosts run the same kernel, and so have one clock: times from a worker and from the "
        "driver are subtracted from each other."
        if facts.one_clock
        else "The hosts have kernels of their own: no time from a worker is subtracted from one of "
        "the driver, so the report does not say where the time went."
    )
    nodes = "containers" if options.composed else "hosts"
    shared = (
        ""
        if facts.cores is None
        else f" All of them share the {plural(facts.cores, 'core')} of one machine."
    )
    limit = f" Each may send {options.link_rate} (a token bucket)." if options.link_rate else ""
    images = (
        "Images travel inside the tasks."
        if options.shipped
        else "The workers read the images, from paths in the tasks."
    )
    hosts = f"Hosts that ran tasks of one batch: {enumeration(counts)}, all of them {nodes}."
    return (f"{hosts}{shared}{limit}", clocks, images)
