"""A node starts the daemon of its role, and whoever waits for a cluster is told when it is up."""

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import typer
from typer.testing import CliRunner
from typing_extensions import override

from deploy import node, wait_ready
from engines.registry import clusters


class Ended(Exception):  # noqa: N818 - ends the program under test
    """Raised instead of starting a daemon."""


def test_options_after_two_dashes_reach_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, ...]] = []

    def popen(command: list[str], **_: object) -> None:
        started.append(tuple(command))
        raise Ended

    monkeypatch.setattr(subprocess, "Popen", popen)
    # The tests of other modules import from the path as it is.
    monkeypatch.setattr(node, "share_import_path", lambda: None)
    with pytest.raises(Ended):
        node.run("dask-worker", options=["--name", "one"], head="tls://head:8786")
    (command,) = started
    assert "tls://head:8786" in command
    assert command[-2:] == ("--name", "one")


@pytest.fixture
def page() -> Iterator[int]:
    """The port of a page that looks like that of a Spark master with two workers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"aliveworkers": 2}).encode())

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_waiting_for_a_head_ends_when_its_nodes_have_joined(
    page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spark = replace(clusters()["spark"], page=page)
    monkeypatch.setattr(wait_ready, "clusters", lambda: {"spark": spark})
    waiting = typer.Typer()
    waiting.command()(wait_ready.wait)
    done = CliRunner().invoke(waiting, ["spark", "--nodes", "2", "--head", "127.0.0.1"])
    assert done.exit_code == 0, done.output
    assert wait_ready.nodes_up(spark, "127.0.0.1") == 2
