"""What a session may ask the runner for, and that nothing else is done."""

import json
import os
from pathlib import Path
from typing import Literal

import pytest

from compare.options import COMPOSE
from compare.records.deeds import Answer, Deed
from compare.records.plan import Case
from compare.records.store import RunFolder
from compare.run.compose import Composed
from compare.run.victims import Victims
from tests.compare import fakes
from tests.compare.run.programs import reasons, run
from tests.compare.run.sessions import session_of

pytestmark = pytest.mark.timeout(60)

CASE = Case(experiment="faults", parameters={"fault": "container-killed"})
OURS, THEIRS = "0123456789ab", "ba9876543210"
ASKS = """
from compare.records.deeds import Deed
from compare.records.measurements import Failure, head
from compare.run import session


def measure(own, plan, emit, ask):
    done_s = [ask(Deed(what=what, host="one")) for what in ("cut", "mend")]
    emit(Failure(**head(own), case=None, reason=f"done at {done_s}"))


session.measure = measure
session.main()
"""
DOCKER = """#!/bin/sh
echo "$@" >>{folder}/asked
case "$1" in
ps) echo {ours} ;;
inspect) echo '{networks}' ;;
esac
[ "$1" != "{fails}" ] || {{ echo "no such thing" >&2; exit 1; }}
"""
NETWORKS = json.dumps({"run_default": {"IPAddress": "10.9.0.4", "Aliases": ["ray-worker", "w-1"]}})


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Docker":
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return Docker(tmp_path)


class Docker:
    """A program of that name, which notes what it is asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.install()

    def install(self, fails: str = "nothing", networks: str = NETWORKS) -> None:
        program = self._folder / "docker"
        text = DOCKER.format(folder=self._folder, ours=OURS, networks=networks, fails=fails)
        program.write_text(text)
        program.chmod(0o755)

    def asked(self) -> list[str]:
        file = self._folder / "asked"
        return file.read_text().splitlines() if file.exists() else []


def test_a_session_hears_when_what_it_asked_for_was_done_and_no_record_is_left_of_it(
    tmp_path: Path,
) -> None:
    asked: list[Deed] = []

    def act(deed: Deed) -> Answer:
        asked.append(deed)
        return Answer(done_s=10.0 + len(asked))

    records = run(tmp_path, ASKS, act)
    (reason,) = reasons(records)
    assert reason.startswith("done at [11.0, 12.0]")
    assert RunFolder(tmp_path / "run").read().records == tuple(records)
    assert len(records) == 1


def test_nothing_is_done_for_a_session_on_this_host(tmp_path: Path) -> None:
    (reason,) = reasons(run(tmp_path, ASKS))
    assert reason.startswith("the runner did not cut one: one is no container of this run")


@pytest.mark.parametrize("what", ["kill", "cut", "mend"])
def test_only_containers_of_the_sessions_workers_are_victims(
    docker: Docker, what: Literal["kill", "cut", "mend"]
) -> None:
    for host in (THEIRS, "", OURS[:6], "--all", "ray-head"):
        answer = Victims(connected=lambda _: None).do(Deed(what=what, host=host), [OURS])
        assert answer.done_s is None
        assert answer.reason == f"{host} is no container of a worker of this session"
    assert docker.asked() == []


def test_a_container_comes_back_to_its_network_under_its_names(docker: Docker) -> None:
    connected: list[str] = []
    victims = Victims(connected=connected.append)
    assert victims.do(Deed(what="cut", host=OURS), [OURS]).done_s is not None
    assert connected == []
    assert victims.do(Deed(what="mend", host=OURS), [OURS]).done_s is not None
    assert connected == [OURS]
    network = [line for line in docker.asked() if line.startswith("network")]
    assert network == [
        f"network disconnect run_default {OURS}",
        f"network connect --alias=ray-worker --alias=w-1 run_default {OURS}",
    ]


def test_a_container_that_comes_back_with_another_address_did_not_come_back(
    docker: Docker,
) -> None:
    victims = Victims(connected=lambda _: None)
    assert victims.do(Deed(what="cut", host=OURS), [OURS]).done_s is not None
    docker.install(networks=NETWORKS.replace("10.9.0.4", "10.9.0.7"))
    answer = victims.do(Deed(what="mend", host=OURS), [OURS])
    assert answer == Answer(done_s=None, reason="it came back with the address 10.9.0.7")


def test_what_docker_refuses_is_told_in_its_words(docker: Docker) -> None:
    docker.install(fails="kill")
    answer = Victims(connected=lambda _: None).do(Deed(what="kill", host=OURS), [OURS])
    assert answer == Answer(done_s=None, reason="no such thing")


@pytest.fixture
def composed(tmp_path: Path) -> Composed:
    plan = fakes.plan(
        experiments=("faults",), workload=None, clusters={"ray": "ray-head:6379"}, on=COMPOSE
    )
    folder = RunFolder(tmp_path / "run")
    folder.create(plan, {})
    return Composed(plan, folder)


def test_a_run_looks_for_victims_among_the_workers_of_its_own_project(
    docker: Docker, composed: Composed
) -> None:
    session = session_of("ray-control", CASE, "container-killed", faults=True)
    assert composed.act(session, Deed(what="kill", host=OURS)).done_s is not None
    listed, killed = docker.asked()
    assert "label=com.docker.compose.project=engine-compare-2026-01-02" in listed
    assert "label=com.docker.compose.service=ray-worker" in listed
    assert killed == f"kill {OURS}"


@pytest.mark.parametrize(("engine", "faults"), [("ray", False), ("multiprocessing", True)])
def test_nothing_is_done_in_a_session_in_which_nothing_is_to_happen_to_a_container(
    docker: Docker, composed: Composed, engine: str, *, faults: bool
) -> None:
    session = session_of(engine, CASE, "container-killed", faults=faults)
    answer = composed.act(session, Deed(what="kill", host=OURS))
    assert answer.reason == "nothing is to go wrong with a container of this session"
    assert answer.done_s is None
    assert docker.asked() == []
