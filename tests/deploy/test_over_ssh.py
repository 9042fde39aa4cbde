"""Clusters over ssh without one: a program called ssh stands in, and notes what it is asked."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from deploy import keys, on_host, over_ssh
from tests.compare.command_line import REPOSITORY, wait_until

SSH = """#!/bin/sh
# The last two arguments are the machine and the command.
while [ $# -gt 2 ]; do shift; done
cat >/dev/null
echo "$1: $2" >>"$NOTES"
case "$1: $2" in $FAILS) echo "$SAYS" >&2; exit $CODE;; esac
"""


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the stand-in notes machines and commands."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(SSH)
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.setenv("FAILS", "")
    # The command under test sets these for itself.
    for name in keys.environment("/"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(over_ssh, "nodes_up", lambda *_: 2)
    return tmp_path / "notes"


def fail(monkeypatch: pytest.MonkeyPatch, commands: str, code: int, says: str) -> None:
    for name, value in {"FAILS": commands, "CODE": str(code), "SAYS": says}.items():
        monkeypatch.setenv(name, value)


def error_of(*arguments: str) -> str:
    result = CliRunner().invoke(over_ssh.app, arguments)
    assert isinstance(result.exception, on_host.HostError)
    return str(result.exception)


def test_the_head_is_started_before_the_workers_and_stopped_before_them(notes: Path) -> None:
    for command in ("up", "down"):
        done = CliRunner().invoke(over_ssh.app, [command, "ray", "--hosts", "me@n0,n1,n2"])
        assert done.exit_code == 0, done.output
    lines = notes.read_text().splitlines()
    assert sorted(line.partition(":")[0] for line in lines[:3]) == ["me@n0", "n1", "n2"]
    assert all(line.endswith("tar -x -C ~/.engine-compare/keys") for line in lines[:3])
    started, stopped = lines[3:6], lines[6:]
    assert started[0].startswith("me@n0: ")
    assert started[0].endswith("up ray-head")
    assert "NODE_HOST=n0 " in started[0]
    assert all(line.endswith("up ray-worker --head n0:6379") for line in started[1:])
    assert stopped[0].startswith("me@n0: ")
    assert len(stopped) == 3
    assert all(line.endswith("down ray") for line in stopped)


def test_no_secret_is_on_a_command_line(notes: Path, tmp_path: Path) -> None:
    assert CliRunner().invoke(over_ssh.app, ["up", "ray", "--hosts", "n0,n1"]).exit_code == 0
    token = (tmp_path / ".engine-compare/keys/ray.token").read_text()
    assert token not in notes.read_text()


def test_the_size_of_the_nodes_reaches_every_machine(
    notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_CORES", "4")
    done = CliRunner().invoke(over_ssh.app, ["up", "dask", "--hosts", "n0,n1,n2"])
    assert "--on dask=tls://n0:8786 --workers 8" in done.output
    started = [line for line in notes.read_text().splitlines() if "deploy.on_host up" in line]
    assert len(started) == 3
    assert all("NODE_CORES=4 " in line for line in started)


def test_a_start_that_fails_on_one_machine_stops_all_and_says_what_the_machine_said(
    notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, "n2:*up*", 2, "error: dask-worker did not start: no memory")
    error = error_of("up", "dask", "--hosts", "n0,n1,n2")
    assert error == "n2: dask-worker did not start: no memory"
    stopped = [line for line in notes.read_text().splitlines() if line.endswith("down dask")]
    assert len(stopped) == 3


@pytest.mark.usefixtures("notes")
def test_a_machine_that_admits_nobody_is_named_with_what_to_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail(monkeypatch, "n1:*", 255, "you@n1: Permission denied (publickey).")
    error = error_of("down", "spark", "--hosts", "n0,n1,n2")
    assert "n1: you@n1: Permission denied (publickey)." in error
    assert "ssh n1 true must work without a question" in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("up", "loky", "--hosts", "n0,n1"), "'loky' spans hosts; known: ray, dask, spark"),
        (("up", "ray", "--hosts", "n0"), "a head and at least one other machine"),
        (("up", "ray", "--hosts", "n0,n1,n1"), "each once"),
        (("down", "ray", "--hosts", "n0,-oProxyCommand=x"), "no name of a machine"),
    ],
)
@pytest.mark.usefixtures("notes")
def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...], said: str) -> None:
    assert said in error_of(*arguments)


def test_an_error_is_one_sentence_and_exit_code_2() -> None:
    for module, *arguments in (
        ("deploy.over_ssh", "up", "ray", "--hosts", "n0"),
        ("deploy.on_host", "up", "ray-tail"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("notes")
def test_the_printed_variables_give_a_shell_the_credentials(tmp_path: Path) -> None:
    printed = CliRunner().invoke(over_ssh.app, ["variables"]).output
    asked = 'printf %s "$RAY_AUTH_TOKEN_PATH"'
    done = subprocess.run(
        ["sh", "-c", f"{printed}\n{asked}"], capture_output=True, text=True, check=True
    )
    assert Path(done.stdout) == tmp_path / ".engine-compare/keys/ray.token"
    assert Path(done.stdout).is_file()


def test_ray_reads_the_file_for_ray_up_as_it_is_meant() -> None:
    util = pytest.importorskip("ray.autoscaler._private.util")
    config = util.prepare_config(yaml.safe_load((REPOSITORY / "deploy/ssh/ray.yaml").read_text()))
    util.validate_config(config)
    (nodes,) = config["available_node_types"].values()
    assert nodes["min_workers"] == nodes["max_workers"] == config["max_workers"] == 2
    for command in (*config["head_start_ray_commands"], *config["worker_start_ray_commands"]):
        assert "python -m deploy.on_host up ray-" in command


# A node whose first process starts another in a session of its own, and ends without it.
NODE = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"],
                       start_new_session=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL).pid)
"""


@pytest.fixture
def orphan() -> Iterator[int]:
    """The pid of a process of a node whose first process has ended."""
    done = subprocess.run(
        [sys.executable, "-c", NODE],
        env={**os.environ, "ENGINE_COMPARE_NODE": "of-a-test"},
        capture_output=True,
        text=True,
        check=True,
    )
    yield int(done.stdout)
    on_host.stop("of-a-test")


def test_stopping_a_node_ends_what_its_first_process_has_left(orphan: int) -> None:
    on_host.stop("of-another")
    assert runs(orphan)
    started_s = time.monotonic()
    on_host.stop("of-a-test")
    wait_until(lambda: not runs(orphan), 5, "the orphan has ended")
    assert time.monotonic() - started_s < 5


def runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_host_is_a_node_of_one_cluster_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(on_host, "_processes", lambda engine: engine == "dask")
    with pytest.raises(on_host.HostError, match="a node of a dask cluster"):
        on_host.up("ray-worker", head="n0:6379")
