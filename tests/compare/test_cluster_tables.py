"""What the report says of the hosts of a cluster."""

from dataclasses import replace

import pytest

from compare.cluster_tables import cluster_sentences, head_table, spending_table
from compare.records import Lifecycle, NodeUse, Run, TaskRun
from compare.report import summary_markdown
from tests.compare import fakes

NODES = (
    NodeUse("ray-head", "head", 2.0, 300 * 2**20, 8192, 4096),
    NodeUse("one", "worker", 5.0, 700 * 2**20, 1024, 512),
    NodeUse("two", "worker", 6.0, 700 * 2**20, 1024, 512),
    NodeUse("driver", "driver", 1.0, 200 * 2**20, 512, 1024),
)


def on_a_cluster(*, one_clock: bool = True, silent_head: bool = False) -> Run:
    run = fakes.run(
        fakes.plan(
            experiments=("throughput", "overhead"), clusters={"ray": "h:1"}, composed=True, blocks=1
        )
    )
    nodes = (
        (NODES[0]._replace(cpu_s=None, received_bytes=None), *NODES[1:]) if silent_head else NODES
    )
    changed = [
        replace(record, nodes=nodes, hosts=("one", "two"))
        if isinstance(record, TaskRun) and record.engine == "ray"
        else replace(record, nodes=nodes, one_clock=one_clock)
        if isinstance(record, Lifecycle) and record.engine == "ray"
        else record
        for record in run.records
    ]
    return replace(run, records=tuple(changed))


def test_tells_how_many_hosts_ran_tasks_and_what_they_share() -> None:
    told, clocks = cluster_sentences(on_a_cluster())
    assert "ray 2, all of them containers" in told
    assert "share the 2 cores of one machine" in told
    assert "one clock" in clocks


def test_tells_that_no_times_of_two_clocks_are_subtracted() -> None:
    _, clocks = cluster_sentences(on_a_cluster(one_clock=False))
    assert "no time seen in a worker is subtracted" in clocks


def test_adds_up_what_the_hosts_of_a_kind_spent() -> None:
    run = on_a_cluster()
    table = spending_table(run)
    assert table is not None
    assert run.plan.workload is not None
    images, chunk = len(run.plan.workload.images), run.plan.workload.chunk
    worker = dict(zip(table.headings, table.lines[1], strict=True))
    assert worker["hosts"] == "worker"
    assert worker["how many"] == "2"
    assert float(worker["CPU time (s)"]) == 11.0
    assert float(worker["received per image (KiB)"]) == pytest.approx(2 / images, rel=0.01)
    assert float(worker["received per task (KiB)"]) == pytest.approx(2 / (images / chunk), rel=0.01)


def test_a_host_that_does_not_tell_has_no_number() -> None:
    table = spending_table(on_a_cluster(silent_head=True))
    assert table is not None
    head = dict(zip(table.headings, table.lines[0], strict=True))
    assert head["CPU time (s)"] == "not told"
    assert head["received per image (KiB)"] == "not told"


def test_tells_what_a_thousand_tasks_cost_the_head() -> None:
    run = on_a_cluster()
    largest = max(
        (r for r in run.records if isinstance(r, TaskRun) and "budget_s" in r.case.parameters),
        key=lambda record: (record.engine == "ray", record.tasks),
    )
    table = head_table(run)
    assert table is not None
    ((engine, told),) = table.lines
    assert engine == "ray"
    assert float(told) == pytest.approx(2.0 / largest.tasks * 1000, rel=0.01)


def test_a_report_has_the_section_on_a_cluster_and_nowhere_else() -> None:
    assert "## The cluster" in summary_markdown(on_a_cluster())
    assert "## The cluster" not in summary_markdown(fakes.run(fakes.plan(blocks=1)))
