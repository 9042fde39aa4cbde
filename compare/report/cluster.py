"""The report's text about a cluster: which hosts ran tasks, and what they used."""

from compare.analysis.analysis import Analysis
from compare.experiments.section import KIB, MIB, Column, Columns, Section
from compare.experiments.shared_metrics import HOSTS
from compare.formatting import enumeration, plural

SECTION = Section(
    title="Hosts",
    explanation="""Usage of the hosts for the batch inference, from their own control groups and
network counters, summed over all hosts of a role.  The head's CPU time for no-ops is from the
largest *N*.""",
    table=Columns(
        axes=(("role", "hosts"),),
        columns=(
            Column(metric="hosts", heading="how many"),
            Column(metric="cpu_time", heading="CPU time"),
            Column(metric="memory", heading="memory after (MiB)", scale=MIB),
            Column(metric="received_per_image", heading="received per image (KiB)", scale=KIB),
            Column(metric="sent_per_image", heading="sent per image (KiB)", scale=KIB),
            Column(metric="received_per_task", heading="received per task (KiB)", scale=KIB),
            Column(metric="sent_per_task", heading="sent per task (KiB)", scale=KIB),
            Column(metric="cpu_per_task", heading="CPU per 1,000 no-ops", scale=1e3),
        ),
    ),
    rows_of=HOSTS,
)


def cluster_sentences(analysis: Analysis) -> tuple[str, ...]:
    """How many hosts ran tasks, and whether they share a clock; empty without a cluster."""
    facts, options = analysis.cluster, analysis.plan.options
    if facts is None:
        return ()
    counts = [
        f"{engine} {' or '.join(map(str, numbers))}" for engine, numbers in facts.hosts.items()
    ]
    clocks = (
        "All hosts run the same kernel and therefore have one clock: times of workers and of the "
        "driver are subtracted from each other."
        if facts.one_clock
        else "Each host has its own kernel and clock: no time from a worker is subtracted from one "
        "of the driver, so the report does not show where the time went."
    )
    nodes = "containers" if options.composed else "hosts"
    shared = (
        ""
        if facts.cores is None
        else f" All of them share the {plural(facts.cores, 'core')} of one machine."
    )
    limit = (
        f" Each may send {options.link_rate} at most (token bucket)." if options.link_rate else ""
    )
    images = (
        "The tasks contain the images."
        if options.shipped
        else "The workers read the images from paths in the tasks."
    )
    hosts = f"Hosts that ran tasks of one batch: {enumeration(counts)}, all of them {nodes}."
    return (f"{hosts}{shared}{limit}", clocks, images)
