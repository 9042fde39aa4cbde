"""Calls a slow HTTP service of this machine.  A task waits and computes nothing: a tenth of a core.

Start the service first, in another terminal: python docs/jobs/call_service.py
"""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from urllib.request import urlopen

cpus = 0.1
ADDRESS = ("127.0.0.1", 8765)


def inputs() -> list[int]:
    return list(range(40))


def run(number: int) -> str:
    with urlopen(f"http://{ADDRESS[0]}:{ADDRESS[1]}/{number}", timeout=30) as answer:
        return str(answer.read().decode())


class Service(BaseHTTPRequestHandler):
    """Answers after a fifth of a second."""

    def do_GET(self) -> None:
        sleep(0.2)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"answer to {self.path}".encode())


if __name__ == "__main__":
    ThreadingHTTPServer(ADDRESS, Service).serve_forever()
