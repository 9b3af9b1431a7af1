"""The live view in a browser: it grows without being loaded anew, and what was chosen stays. Skipped without Chromium."""
from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from netdef.report.training import Pace, TrainingPage
from netdef.solvers import events as e
from netdef.solvers.rundir import RunDirectory
from netdef.solvers.solver import Solver

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

from netdef.report import serve  # noqa: E402
from netdef.report.board import Board  # noqa: E402
from netdef.report.runserver import RunServer  # noqa: E402

CONTRAST = Path(__file__).with_name("contrast.js").read_text("utf-8")
WAIT = 20.0  # seconds for what should take two


def until(found: Any, what: str) -> None:
    """Wait until ``found()``."""
    end = time.monotonic() + WAIT
    while not found():
        assert time.monotonic() < end, what
        time.sleep(0.05)


class Window:
    """What the tests ask of the page."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser = browser
        browser.get_log("browser")
        browser.get(url)
        self.js("window.loadedOnce = true")

    def js(self, text: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.browser.execute_script(text, *arguments)

    def text(self, css: str) -> str:
        """The text of the first element that a selector finds; empty without one."""
        return self.js("return document.querySelector(arguments[0])?.textContent ?? ''", css)

    def number(self, css: str) -> int:
        """How many elements there are."""
        return self.js("return document.querySelectorAll(arguments[0]).length", css)

    def check(self) -> None:
        """It was not loaded anew, has no message in the console, and is not wider than the window."""
        assert self.js("return window.loadedOnce === true")
        assert self.browser.get_log("browser") == []
        assert self.js("return document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture
def every(monkeypatch):
    """Each tenth iteration is measured."""
    monkeypatch.setattr(Pace, "__call__", lambda self, iteration: iteration in self.ends or iteration % 10 == 0)


def test_the_page_grows_while_it_trains(browser, tmp_path, every):
    """The training waits, in a listener, for the page to have shown what came."""
    server = RunServer()
    steps: list[Any] = []
    window: list[Window] = []

    def look(event: e.Event) -> None:
        if not isinstance(event, e.Updated):
            return
        if event.iter == 25:
            window.append(Window(browser, server.url))
            until(lambda: window[0].text("#now").startswith("iteration 20"), "the first frames")
            until(lambda: window[0].text("#live") == "training", "the state")
            window[0].js("[...document.querySelectorAll('g.node')].find((g) => g.getAttribute('aria-label').startsWith('score'))"
                         ".dispatchEvent(new MouseEvent('click', {bubbles: true}))")
        elif event.iter == 65:
            until(lambda: window[0].text("#now").startswith("iteration 60"), "more frames")
            steps.append((window[0].text("#layer-name"), window[0].js("return document.getElementById('slider').max")))
            window[0].js("document.getElementById('earlier').click()")
            steps.append(window[0].text("#now").split(":")[0])
        elif event.iter == 105:
            until(lambda: window[0].js("return document.getElementById('slider').max") == "10", "frames to 100")
            steps.append(window[0].text("#now").split(":")[0])
        elif event.iter == 405:
            until(lambda: 15 < int(window[0].js("return document.getElementById('slider').max")) < 32, "of 41 frames some stay")
            steps.append(window[0].text("#now").split(":")[0])

    with Solver("builtin:mlp", seed=2, overrides=["display=10", "max_iter=420"]) as solver, \
            RunDirectory(solver, tmp_path / "run") as run:
        run.begin(["netdef"])
        page = TrainingPage(solver, None, "a test", False, run.folder, live=True)
        solver.listen(look)
        server.begin(run.folder)
        solver.solve()
        page.write([], run.folder)
    server.close()
    until(lambda: window[0].text("#live").startswith("finished after 420 iterations; netdef board"), "the end")
    assert steps == [("score", "6"), "iteration 50", "iteration 50", "iteration 40"], "what was chosen stays, or the one before"
    assert window[0].text("#layer-name") == "score" and window[0].number("#config details") == 2
    window[0].check()


def test_a_server_that_is_gone_is_said(browser, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with open(run / "metrics.jsonl", "w") as file:
        from netdef.solvers.alive import hold

        hold(file)
        server = RunServer()
        server.begin(run)
        window = Window(browser, server.url)
        until(lambda: window.text("#live").startswith("training"), "the state")
        server.close(linger=False)
        until(lambda: window.text("#live") == "connection lost; trying again", "the loss")
    browser.get_log("browser")


def test_the_board_shows_runs_over_each_other(browser, tmp_path):
    for name, rate in (("one", 0.05), ("two", 0.01)):
        with Solver("builtin:mlp", seed=2, overrides=["display=10", "max_iter=60", f"base_lr={rate}"]) as solver, \
                RunDirectory(solver, tmp_path / name) as run:
            run.begin(["netdef"])
            solver.solve()
    bound = serve.bind()
    server = serve.Server(serve.app(Board([tmp_path]).routes(), bound.getsockname()[1]), bound)
    window = Window(browser, server.url)
    until(lambda: window.text("#live") == "2 runs", "the list")
    assert window.number("#runs tbody tr") == 2 and "60 / 60" in window.text("#runs tbody tr")
    lines = window.number("#charts .chart:first-child svg path.line:not(.swatch path)")
    window.js("document.getElementById('tick-0').click()")
    assert 0 < window.number("#charts .chart:first-child svg path.line:not(.swatch path)") < lines
    with open(tmp_path / "two/metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"kind": "train", "iter": 70, "loss": 0.5, "smoothed_loss": 0.5}\n')
    until(lambda: "70 / 60" in window.text("#runs tbody"), "a record more")
    assert window.js("return document.getElementById('tick-0').checked") is False, "what was chosen stays"
    window.check()
    for mode in ("dark", "light"):
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": mode}]})
        seen, bad = window.js(CONTRAST)
        assert seen > 30 and bad == [], mode
    window.js("document.getElementById('run-1').click()")
    until(lambda: window.text("#live").startswith("finished"), "the page of the run")
    assert window.number("g.node") == 7 and window.number("#panel .histogram") >= 1
    assert window.text("#findings").rstrip().endswith("newest snapshot.")
    assert browser.get_log("browser") == []
    server.close()
