"""Board: the runs of some folders as a list with their curves over each other, and each run on a page of its own."""
from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from netdef.errors import NetdefError, did_you_mean
from netdef.report.filmfile import FILM
from netdef.report.live import RunView
from netdef.report.numbers import Plain
from netdef.report.page import render
from netdef.report.serve import tagged
from netdef.solvers.metrics import METRICS
from netdef.solvers.rundir import RUN

DEEPEST = 4  # folders between one that is given and a run in it
MOST_RUNS = 500


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's directory."""
    return any((folder / name).is_file() for name in (RUN, METRICS, FILM))


def find_runs(places: Sequence[Path]) -> list[Path]:
    """The runs that are meant: each place is one, a file in one, or a folder in which they lie. No run comes twice."""
    found: dict[str, Path] = {}
    for place in places:
        for folder in _runs_in(place.parent if place.is_file() else place):
            found.setdefault(os.path.realpath(folder), folder)
    return list(found.values())[:MOST_RUNS]


def _runs_in(top: Path) -> list[Path]:
    if is_run(top):
        return [top]
    found: list[Path] = []
    depth = len(top.parts)
    for name, folders, _ in os.walk(top):
        here = Path(name)
        if here != top and is_run(here):
            found.append(here)
            folders.clear()
        elif len(here.parts) - depth >= DEEPEST:
            folders.clear()
        folders[:] = sorted(f for f in folders if not f.startswith("."))
    return sorted(found, key=lambda p: [(0, int(x), "") if x.isdecimal() else (1, 0, x) for x in p.parts])


def check_places(places: Sequence[Path]) -> None:
    """Raise NetdefError for a place that is not there, or in which no run lies."""
    for place in places:
        if not place.exists():
            near = sorted(p.name for p in place.parent.iterdir()) if place.parent.is_dir() else []
            raise NetdefError(f"no file or directory '{place}'", hint=did_you_mean(place.name, near))
        if not find_runs([place]):
            raise NetdefError(f"no run lies here: a run's directory holds {METRICS} or {RUN}", where=str(place),
                              hint="`netdef train` makes one under runs/")


class Board:
    """The runs of some places; new ones appear as they come. A run keeps its number, by which its page is called."""

    def __init__(self, places: Sequence[Path]) -> None:
        self.places = list(places)
        self.views: dict[Path, RunView] = {}

    def update(self) -> list[tuple[int, RunView]]:
        """The runs with their numbers, read anew where they changed; those that are gone are left out."""
        for folder in find_runs(self.places):
            self.views.setdefault(folder, RunView(folder))
        there = [(number, view) for number, view in enumerate(self.views.values()) if is_run(view.folder)]
        for _, view in there:
            view.update()
        return there

    def data(self) -> str:
        """The list as JSON: ``{"runs": [status | {"id", "curves"}]}``."""
        runs: list[Plain] = [view.status() | {"id": number, "curves": view.curves()} for number, view in self.update()]
        return json.dumps({"runs": runs}, allow_nan=False, separators=(",", ":"))

    def routes(self) -> list[tuple[str, Any]]:
        """For ``serve.app``."""
        def listed(request: Any) -> Any:
            stamp = [(number, view.version) for number, view in self.update()]
            return tagged(request, stamp, self.data)

        return [("/", lambda request: _html(index_page())), ("/data", listed),
                ("/run/{number:int}/", self._page), ("/run/{number:int}/data", self._data)]

    def _view(self, request: Any) -> RunView | None:
        number = int(request.path_params["number"])
        if number >= len(self.views):
            self.update()
        views = list(self.views.values())
        return views[number] if number < len(views) and is_run(views[number].folder) else None

    def _page(self, request: Any) -> Any:
        return _missing() if self._view(request) is None else _html(live_page())

    def _data(self, request: Any) -> Any:
        view = self._view(request)
        return _missing() if view is None else data_of(view, request)


def data_of(view: RunView, request: Any) -> Any:
    """The answer to a page that asks for its run's data, with ``key`` and ``since`` as ``live.py`` has them."""
    key = request.query_params.get("key", "")
    since = request.query_params.get("since", "")
    after = int(since) if since.isdecimal() and len(since) < 16 else -1
    return tagged(request, (view.update(), key, after), lambda: view.data(key, after))


def live_page() -> str:
    """The page of one run: the report page with a script that asks for its data."""
    return render(None, _asset("live.js"))


def index_page() -> str:
    """The page of all runs."""
    text = _asset("board.html")
    script = "\n".join(map(_asset, ("format.js", "charts.js", "board.js")))
    for name, part in {"STYLE": _asset("report.css") + _asset("board.css"), "SCRIPT": script}.items():
        before, _, after = text.partition(f"@@{name}@@")
        text = before + part + after
    return text


def _asset(name: str) -> str:
    return (files("netdef.report") / "assets" / name).read_text(encoding="utf-8")


def _html(text: str) -> Any:
    from starlette.responses import HTMLResponse

    return HTMLResponse(text)


def _missing() -> Any:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse("no such run\n", 404)
