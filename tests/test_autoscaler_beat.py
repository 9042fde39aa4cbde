"""The decision time of Ray's autoscaler, measured on a few nodes that are only registered."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tools.beat_notes import ASKED, LOOKED, Note, note, notes, updates_s
from tools.beat_records import Beats, Line, beat_table, read, write
from tools.pages import ROOT

PAUSE_S, NODES = 1, 10
OURS = ("gcs_server", "raylet", "tools.registered_nodes", "autoscaler/v2/monitor.py")
LIMIT_S = 60
REQUEST = f"""
import json
from compare.measure import clock
from engines.environment import private_folder
from tools.beat_cluster import prepare, scaling_cluster
from tools.beat_notes import ASKED

with private_folder() as folder:
    prepare(folder, {PAUSE_S})
    with scaling_cluster({NODES}, folder, clock.now() + {LIMIT_S}, real=False) as cluster:
        cluster.wait_until_known()
        from ray.autoscaler.v2.sdk import request_cluster_resources

        asked = []
        for count in ({NODES}, {NODES} + 1):
            request_cluster_resources(cluster.address, [{{"resources": {{"CPU": 1}}}}] * count)
            for _ in range(3):
                cluster.wait_for_update()
            asked.append(sum(one.nodes for one in cluster.notes() if one.what == ASKED))
        print(json.dumps(asked))
"""


def processes() -> set[tuple[int, str]]:
    """Processes of clusters and of registered nodes that run on this host."""
    found = set()
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        found |= {(process.pid, name) for name in OURS if name in line}
    return found


def output(*arguments: str) -> str:
    """What the program prints, which leaves no process."""
    before = processes()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert processes() <= before
    return done.stdout


@pytest.mark.alone
@pytest.mark.timeout(180)
def test_the_tool_measures_and_leaves_no_process(tmp_path: Path) -> None:
    file = tmp_path / "beat.json"
    began_s = time.monotonic()
    printed = output(
        *("-m", "tools.autoscaler_beat", "--nodes", str(NODES), "--pause", str(PAUSE_S)),
        *("--repeats", "2", "--minutes", str(LIMIT_S / 60), "--json", str(file)),
    )
    # The limit does not hold for starting and ending a head, which takes time on a busy machine.
    assert time.monotonic() - began_s < 2 * LIMIT_S
    beats = read(file)
    assert printed == beat_table(beats)
    assert [(line.nodes, line.wanted) for line in beats.lines] == [(NODES, 1), (NODES, NODES)]
    for line in beats.lines:
        assert line.refusal is None, line
        assert len(line.decisions_s) == (2 if line.wanted == 1 else 1)
        # Ray counts what waits once a second, then a pause may have to end, then comes the update.
        assert all(0 < decision_s < 10 for decision_s in line.decisions_s), line
        assert all(0 < update_s < PAUSE_S for update_s in line.updates_s), line
        assert len(line.updates_s) == (2 if line.wanted == 1 else 3)
        assert line.autoscaler_cores
        assert line.gcs_cores


@pytest.mark.alone
@pytest.mark.timeout(120)
def test_nodes_are_asked_for_only_if_those_that_are_there_do_not_suffice() -> None:
    fits, one_more = map(int, output("-c", REQUEST).strip("[]\n").split(","))
    assert fits == 0
    assert one_more >= 1


def test_an_update_lasts_from_one_look_to_the_next_without_the_pause(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    for at_s, what in ((1.0, LOOKED), (6.5, LOOKED), (7.0, ASKED), (12.75, LOOKED), (20.0, LOOKED)):
        note(file, what, 0, at_s)
    with file.open("a") as torn:
        torn.write("25.0 loo")
    found = notes(file)
    assert found[2] == Note(7.0, ASKED, 0)
    assert len(found) == 5
    assert updates_s(found, 6.0, 5.0) == [0.5, 1.25, 2.25]
    assert updates_s(found, 7.0, 5.0) == [1.25, 2.25]
    assert updates_s(found, 21.0, 5.0) == []


def test_a_size_without_a_decision_has_its_reason_in_the_table(tmp_path: Path) -> None:
    measured = Line(
        nodes=10,
        wanted=1,
        decisions_s=(3.0, 1.0, 5.0),
        updates_s=(0.25,),
        autoscaler_cores=0.125,
        gcs_cores=0.5,
    )
    refused = Line(nodes=1000, wanted=1000, refusal="no update began within 150 s")
    beats = Beats(pause_s=5, facts={"cores": 2}, lines=(measured, refused))
    write(beats, tmp_path / "beats.json")
    assert read(tmp_path / "beats.json") == beats
    assert beat_table(beats).splitlines()[2:] == [
        "| 10 | 1 | 3.00 s (1.0 s to 5.0 s) | 250 ms | 0.12 | 0.50 |",
        "| 1,000 | 1,000 | no number: no update began within 150 s | – | – | – |",
    ]
    assert beat_table(replace(beats, lines=())).count("\n") == 2
