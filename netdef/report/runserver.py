"""The live view of `netdef train --serve`: the page of one run, from its directory, while it is being trained."""
from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from netdef.report.board import data_of, live_page
from netdef.report.live import RunView
from netdef.report.serve import LOOPBACK, Server, app, bind, need_packages

LATELY = 5.0  # seconds since a page asked last, within which somebody is looking


class RunServer:
    """Takes the port at once, serves from ``begin(folder)`` on, in a daemon thread, and ends with ``close``.

    Raises NetdefError where the port is taken or the packages are missing.
    """

    def __init__(self, port: int = 0) -> None:
        need_packages()
        self._socket = bind(port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{LOOPBACK}:{self.port}/"
        self.server: Server | None = None
        self._asked = 0.0
        self._told_end = False

    def begin(self, folder: Path, label: str = "") -> None:
        """Serve the run in a directory."""
        from starlette.responses import HTMLResponse

        view = RunView(folder, label)

        def data(request: Any) -> Any:
            self._asked = time.monotonic()
            answer = data_of(view, request)
            self._told_end = self._told_end or not view.alive
            return answer

        self._told_end = False
        self.server = Server(app([("/", lambda request: HTMLResponse(live_page())), ("/data", data)], self.port), self._socket)

    def close(self, linger: bool = True) -> None:
        """End it; while somebody looks, the last state is told before, which takes two seconds at most."""
        if self.server is None:
            self._socket.close()
            return
        self._told_end = False
        if linger and time.monotonic() - self._asked < LATELY and self._asked:
            self.server.linger(lambda: self._told_end)
            time.sleep(0.1)  # the answer is on its way
        self.server.close()
