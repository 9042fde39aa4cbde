"""What the report says of the hosts of a cluster."""

import re
from dataclasses import replace

import pytest

from compare.records.measurements import Lifecycle, NodeUse, Run, TaskRun
from tests.compare import fakes
from tests.compare.analysed import cluster_sentences, markdown, rows

NODES = (
    NodeUse("ray-head", "head", 2.0, 300 * 2**20, 8192, 4096),
    NodeUse("one", "worker", 5.0, 700 * 2**20, 1024, 512),
    NodeUse("two", "worker", 6.0, 700 * 2**20, 1024, 512),
    NodeUse("driver", "driver", 1.0, 200 * 2**20, 512, 1024),
)


def on_a_cluster(*, one_clock: bool = True, silent_head: bool = False) -> Run:
    run = fakes.run(
        fakes.plan(
            experiments=("throughput", "overhead"), clusters={"ray": "h:1"}, on="compose", blocks=1
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
    told, clocks, images = cluster_sentences(on_a_cluster())
    assert "ray 2, all of them containers" in told
    assert "share the 2 cores of one machine" in told
    assert "one clock" in clocks
    assert "paths in the tasks" in images


def test_names_the_engines_in_their_own_order_whatever_the_order_of_the_sessions() -> None:
    clusters = {"ray": "h:1", "dask": "h:2", "spark": "h:3"}
    run = fakes.run(
        fakes.plan(
            engines=("serial", "multiprocessing", *clusters),
            experiments=("throughput",),
            clusters=clusters,
            blocks=1,
        )
    )
    for records in (run.records, run.records[::-1]):
        told, *_ = cluster_sentences(replace(run, records=records))
        named = re.findall(r"(\w+) \d+", told.partition(".")[0])
        assert named == list(clusters)


def test_tells_that_no_times_of_two_clocks_are_subtracted() -> None:
    _, clocks, _ = cluster_sentences(on_a_cluster(one_clock=False))
    assert "no time from a worker is subtracted" in clocks


def value(run: Run, role: str, metric: str) -> float | str | None:
    (row,) = [
        row
        for row in rows(run)
        if (row.experiment, row.engine, row.metric) == ("hosts", "ray", metric)
        and row.case["role"] == role
    ]
    return row.value


def test_adds_up_what_the_hosts_of_a_kind_spent() -> None:
    run = on_a_cluster()
    assert run.plan.workload is not None
    images, chunk = len(run.plan.workload.images), run.plan.workload.chunk
    assert value(run, "worker", "hosts") == 2
    assert value(run, "worker", "cpu_time") == pytest.approx(11.0)
    assert value(run, "worker", "memory") == pytest.approx(1400 * 2**20)
    assert value(run, "worker", "received_per_image") == pytest.approx(2048 / images)
    assert value(run, "worker", "sent_per_task") == pytest.approx(1024 / (images / chunk))


def test_a_host_that_does_not_tell_has_no_number() -> None:
    run = on_a_cluster(silent_head=True)
    assert value(run, "head", "cpu_time") is None
    assert value(run, "head", "received_per_image") is None
    assert value(run, "head", "sent_per_image") is not None


def test_tells_what_a_task_costs_the_head() -> None:
    run = on_a_cluster()
    largest = max(
        record.tasks
        for record in run.records
        if isinstance(record, TaskRun)
        and record.engine == "ray"
        and "budget_s" in record.case.parameters
    )
    assert value(run, "head", "cpu_per_task") == pytest.approx(2.0 / largest)


def test_engines_that_are_on_no_cluster_have_no_hosts() -> None:
    told = {row.engine for row in rows(on_a_cluster()) if row.experiment == "hosts"}
    assert told == {"ray"}


def test_a_report_has_the_section_on_a_cluster_and_nowhere_else() -> None:
    assert "## The cluster" in markdown(on_a_cluster())
    assert "## The cluster" not in markdown(fakes.run(fakes.plan(blocks=1)))
