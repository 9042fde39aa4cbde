"""A host serves its resource usage to the other hosts of a cluster."""

import http.server
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from deploy import host_usage


@pytest.fixture
def port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        free_port: int = bound.getsockname()[1]
        return free_port


@pytest.fixture
def page() -> Iterator[str]:
    """The URL of a page that answers, as that of a live daemon does."""
    handler = http.server.SimpleHTTPRequestHandler
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_host_serves_its_usage(port: int, page: str) -> None:
    with host_usage.served(alive=page, port=port):
        before = host_usage.of("127.0.0.1", port)
        until_s = time.process_time() + 0.3
        while time.process_time() < until_s:
            pass
        after = host_usage.of("127.0.0.1", port)
    assert before is not None
    assert after is not None
    assert before.host == socket.gethostname()
    assert before.versions["torch"]
    assert before.boot_id == after.boot_id
    assert after.sent_bytes >= before.sent_bytes
    if before.cpu_s is not None and after.cpu_s is not None:
        assert after.cpu_s - before.cpu_s > 0.25


def test_the_usage_of_a_host_that_does_not_answer_is_none(port: int) -> None:
    assert host_usage.of("127.0.0.1", port) is None


def test_the_health_page_answers_200_when_the_daemon_is_alive(port: int, page: str) -> None:
    with (
        host_usage.served(alive=page, port=port),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/alive", timeout=5) as answer,
    ):
        assert answer.status == 200


def test_the_health_page_answers_503_when_the_daemon_is_dead(port: int) -> None:
    with host_usage.served(alive="http://127.0.0.1:9/", port=port):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/alive", timeout=5)
        assert refused.value.code == 503
        refused.value.close()
