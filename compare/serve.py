"""Serves the page of a run on this machine: its progress while it is measured, then its report.

It reads the append-only records and writes nothing.  While a run is measured, it analyses nothing
either, because that would take CPU time from the engines.
"""

import asyncio
import json
import math
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import jinja2
import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from compare.analysis.analysis import analyse
from compare.errors import UsageError
from compare.records.live import LiveRun
from compare.records.store import RunFolder, StoreError
from compare.report.chart_script import script_source
from compare.report.outcome import heading, outcome
from compare.report.page import report_page
from compare.report.plots import write_plots

HOST = "127.0.0.1"
_EVERY_S = 1.0
_NICENESS = 19
"""The lowest priority: the measured engines come first, and readers wait."""
_POLICY = "Content-Security-Policy"
_HEADERS = {
    _POLICY: "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class _Served:
    """The run of a folder, as the handlers read it."""

    def __init__(self, run_dir: Path) -> None:
        self._folder = RunFolder(run_dir)
        self._live = LiveRun(self._folder)
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("compare.report"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self._report: Response | None = None
        self._state: dict[str, Any] = {}
        self._read_s = -math.inf
        """When the state was read last."""
        self._page: Response | None = None
        """Of the state; many readers cost no more than one."""
        self._writing: asyncio.Task[None] | None = None

    def write_report(self) -> None:
        """Write the report of a run that has ended; it takes some seconds."""
        analysis = analyse(self._folder.read())
        with tempfile.TemporaryDirectory() as folder:
            plots = Path(folder)
            write_plots(analysis, plots)
            report = report_page(analysis, plots)
        # The script of the report stands in the page, and is allowed by its hash.
        own = _HEADERS[_POLICY].replace("script-src 'self'", f"script-src {script_source()}")
        self._report = HTMLResponse(report, headers={**_HEADERS, _POLICY: own})

    def state(self) -> dict[str, Any]:
        """What the live page shows."""
        self._live.update()
        plan = self._live.plan
        return {
            "finished": self._live.finished,
            "report": self._report is not None,
            "done": len(self._live.sessions),
            "planned": len(plan.sessions),
            "lines": [
                f"{heading(plan, session)}: {outcome(session, records)}"
                for session, records in self._live.sessions
            ],
        }

    async def page(self, _: Request) -> Response:
        """The report, or the progress of a run as long as there is none."""
        state = self._progress()
        if self._report is not None:
            return self._report
        if self._page is None:
            page = self._templates.get_template("live.html.jinja").render(
                plan=self._live.plan, state=state
            )
            self._page = HTMLResponse(page, headers=_HEADERS)
        return self._page

    def _progress(self) -> dict[str, Any]:
        """The state, read at most once in a while, however many ask for it.

        The report is begun as soon as the run has ended, and nobody waits for it.
        """
        now_s = asyncio.get_running_loop().time()
        if now_s - self._read_s >= _EVERY_S:
            self._read_s = now_s
            if (state := self.state()) != self._state:
                self._state, self._page = state, None
        state = self._state
        if state["finished"] and not state["report"] and self._writing is None:
            self._writing = asyncio.create_task(asyncio.to_thread(self.write_report))
        return state

    async def events(self, request: Request) -> EventSourceResponse:
        """A server-sent event whenever a session has ended."""
        ending = anyio.Event()
        return EventSourceResponse(
            self._changes(request, ending),
            headers=_HEADERS,
            shutdown_event=ending,
            shutdown_grace_period=_EVERY_S,
        )

    async def _changes(
        self, request: Request, ending: anyio.Event
    ) -> AsyncIterator[dict[str, str]]:
        known = None
        while not ending.is_set() and not await request.is_disconnected():
            state = self._progress()
            if state != known:
                known = state
                yield {"data": json.dumps(state)}
            with anyio.move_on_after(_EVERY_S):
                await ending.wait()

    def script(self, _: Request) -> Response:
        """The script of the live page; the report contains its own."""
        text = self._templates.get_template("live.js").render()
        return Response(text, media_type="text/javascript", headers=_HEADERS)


def application(run_dir: Path) -> Starlette:
    """The web application for the run in this folder; the report of a finished one is ready then.

    Raises:
        StoreError: the folder holds no run.
    """
    served = _Served(run_dir)
    if served.state()["finished"]:
        served.write_report()
    return Starlette(
        routes=[
            Route("/", served.page),
            Route("/events", served.events),
            Route("/live.js", served.script),
        ],
        # A page of another site could otherwise read the run through a name that leads here.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
    )


def serve(run_dir: Path, port: int) -> None:
    """Serve the run until Ctrl-C.

    Raises:
        UsageError: the folder holds no run, or the port is taken.
    """
    try:
        app = application(run_dir)
    except StoreError as error:
        raise UsageError(str(error)) from error
    config = uvicorn.Config(app, host=HOST, port=port, log_level="warning", access_log=False)
    try:
        listening = config.bind_socket()
    except SystemExit as error:
        raise UsageError(
            f"port {port} of {HOST} cannot be used; choose another with --port"
        ) from error
    listening.listen()  # so that nobody who reads the address comes too early
    os.nice(_NICENESS)
    address = f"http://{HOST}:{listening.getsockname()[1]}"
    print(f"{run_dir} is served at {address}; Ctrl-C ends it", flush=True)  # noqa: T201
    uvicorn.Server(config).run(sockets=[listening])
