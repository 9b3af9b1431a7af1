"""The page in a browser: headless Chromium, driven by selenium. Skipped where either is absent."""
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netdef.debug.compare import differences
from netdef.debug.dump import run
from netdef.debug.recording import Recording
from netdef.report.collect import Run, page_data
from netdef.report.meter import frame_of
from netdef.report.page import render, write_page

STILL = {"name": "prefers-reduced-motion", "value": "reduce"}  # colours are what they will be at once
CONTRAST = Path(__file__).with_name("contrast.js")


class Page:
    """One page in the window."""

    def __init__(self, browser: Any, path: Path) -> None:
        self.browser = browser
        browser.get_log("browser")
        browser.get(path.as_uri())

    def js(self, text: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.browser.execute_script(text, *arguments)

    def texts(self, css: str) -> list[str]:
        """The texts of all elements that a selector finds."""
        return self.js("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", css)

    def text(self, css: str) -> str:
        """The text of the first of them."""
        return self.texts(css)[0]

    def shown(self, css: str) -> bool:
        """Whether an element can be seen."""
        return bool(self.js("return document.querySelector(arguments[0]).checkVisibility()", css))

    def press(self, *keys: str) -> None:
        """Keys, to whatever has the focus."""
        from selenium.webdriver.common.action_chains import ActionChains

        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()

    def focused(self) -> str:
        """What a screen reader would say of the focused element."""
        return self.js("const e = document.activeElement; return e.getAttribute('aria-label') || e.textContent")

    def check(self) -> None:
        """No message in the console, and nothing wider than the window."""
        assert self.browser.get_log("browser") == []
        assert self.js("return document.documentElement.scrollWidth <= innerWidth && document.body.scrollWidth <= innerWidth")


@pytest.fixture
def keys(browser) -> Any:
    """Names of keys."""
    from selenium.webdriver.common.keys import Keys

    return Keys


@pytest.fixture
def dark(browser) -> Iterator[None]:
    """The window's user prefers dark colours."""
    wish = {"name": "prefers-color-scheme", "value": "dark"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [STILL, wish]})
    yield
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [STILL]})


def test_draws_150_layers(browser, deep):
    page = Page(browser, deep)
    assert len(page.texts("#drawing g.node")) == 150
    edges = page.js("return [...document.querySelectorAll('#drawing path.edge')].map((e) => [e.getAttribute('class'), "
                    "parseFloat(getComputedStyle(e).strokeWidth), getComputedStyle(e).stroke])")
    flowing = [e for e in edges if "stop" not in e[0]]
    assert len(edges) > 170 and len({e[2] for e in flowing}) > 2 and max(e[1] for e in flowing) > 4
    assert page.js("return document.querySelectorAll('#drawing circle.mark').length") == len(edges) - len(flowing) == 2
    assert page.text("#title") == "chain" and page.js("return document.title").startswith("chain")
    assert page.js("""
      const boxes = [...document.querySelectorAll('g.node rect.box')].map((b) => b.getBoundingClientRect());
      const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
      return boxes.filter((a, i) => boxes.some((b, k) => k > i && meet(a, b))).length""") == 0
    page.check()


def test_the_slider_moves_and_the_numbers_change(browser, deep, keys):
    page = Page(browser, deep)
    seen = []
    page.js("document.getElementById('slider').focus()")
    page.press(keys.HOME)
    for _ in range(4):
        seen.append((page.text("#now"), page.text("#panel"), page.js("return document.getElementById('slider').value")))
        page.press(keys.ARROW_RIGHT)
    assert [s[0].split(":")[0] for s in seen] == [f"iteration {i}" for i in range(4)]
    assert len({s[1] for s in seen}) == 4 and [s[2] for s in seen] == ["0", "1", "2", "3"]
    page.js("document.getElementById('earlier').click()")
    assert page.text("#now").startswith("iteration 3")
    page.check()


def test_the_keyboard_is_enough(browser, deep, keys):
    page = Page(browser, deep)
    page.press(keys.TAB)
    assert page.focused() == "Skip to the chosen layer"
    for _ in range(30):
        page.press(keys.TAB)
        if page.js("return document.activeElement.classList.contains('node')"):
            break
    assert page.focused().startswith(page.text("#layer-name") + ", ")
    outline = page.js("return getComputedStyle(document.activeElement.querySelector('.box')).strokeWidth")
    assert outline == "4px", "the focus must be seen"
    page.press(keys.HOME, keys.ARROW_DOWN, keys.ARROW_DOWN)
    assert page.focused().startswith("relu0, ReLU") and page.text("#layer-name") == "relu0"
    assert page.text("#said").startswith("relu0, ReLU"), "a screen reader hears what was chosen"
    page.press(keys.END)
    assert page.text("#layer-name") == "loss"
    assert page.js("""
      const [box, seen] = [document.activeElement, document.getElementById('drawing')].map((e) => e.getBoundingClientRect());
      return box.top >= seen.top - 1 && box.bottom <= seen.bottom + 1"""), "the chosen box is scrolled into sight"
    page.press(keys.ARROW_UP, keys.ARROW_UP)
    assert page.text("#layer-name") not in ("loss", "ip")
    page.check()


def test_why_a_gradient_stops_shows_on_focus(browser, deep, keys):
    page = Page(browser, deep)
    page.press(keys.TAB)  # a window without focus tells its elements nothing
    page.js("document.querySelector('circle.mark').focus()")
    assert "No gradient from conv0 down to data" in page.text("#tip") and page.shown("#tip")
    page.js("document.activeElement.blur()")
    assert not page.shown("#tip")


def test_the_table_says_the_same(browser, deep):
    page = Page(browser, deep)
    page.js("document.getElementById('as-table').click()")
    assert len(page.texts("#table tbody tr")) == 150 and not page.shown("#drawing")
    page.js("[...document.querySelectorAll('#table button')].find((b) => b.textContent === 'conv3').click()")
    assert page.text("#layer-name") == "conv3" and page.text("#table tr[aria-current=true] th") == "conv3"
    page.check()


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("table", [False, True])
def test_contrast(browser, broken, request, mode, table):
    if mode == "dark":
        request.getfixturevalue("dark")
    page = Page(browser, broken)
    assert page.js("return matchMedia('(prefers-color-scheme: dark)').matches") == (mode == "dark")
    if table:
        page.js("document.getElementById('as-table').click()")
    seen, bad = page.js(CONTRAST.read_text("utf-8"))
    assert seen > 50 and bad == []


@pytest.fixture(scope="module")
def broken(browser, chain, page_of, tmp_path_factory) -> Path:
    """The page of a training that fails."""
    from netdef.report.film import Film
    from netdef.solvers.solver import Solver

    folder = tmp_path_factory.mktemp("broken")
    page_of(chain(12), folder, 1)
    with Solver(str(folder / "solver.prototxt"), overrides=["base_lr=1e30"], seed=1) as solver, np.errstate(all="ignore"):
        film = Film(solver, lambda iteration: True)
        solver.listen(film)
        solver.step(2)
        write_page(page_data(solver.net.plan, [film.run("A")], "broken"), folder / "page.html")
    return folder / "page.html"


def test_what_is_not_finite_stands_out(browser, broken):
    page = Page(browser, broken)
    assert "learning rate" in page.text("#findings") and "Try:" in page.text("#findings")
    assert page.text("#now") == "iteration 1: loss NaN"
    assert page.js("return document.querySelectorAll('g.node.bad').length") > 3
    assert page.js("return document.querySelectorAll('path.edge.broken').length") > 3
    page.js("document.getElementById('earlier').click()")
    assert page.js("return document.querySelectorAll('#drawing path.edge.broken').length") == 0
    page.check()


def test_two_runs_side_by_side(browser, chain, page_of, tmp_path):
    page_of(chain(12), tmp_path, 1)
    seen: dict[str, list[Recording]] = {"A": [], "B": []}
    plans = []
    for label, change in (("A", ()), ("B", ("base_lr=0.02",))):
        def note(net, recording, label=label):
            seen[label].append(recording)
            plans.append(net.plan)
        run(str(tmp_path / "solver.prototxt"), note, iterations=3, seed=1, overrides=change)
    found = [(a.iteration, differences(plans[0], a, b)) for a, b in zip(seen["A"], seen["B"], strict=True)]
    runs = [Run(label, f"run {label}", [frame_of(plans[0], r) for r in rs]) for label, rs in seen.items()]
    write_page(page_data(plans[0], runs, "", found), tmp_path / "page.html")
    page = Page(browser, tmp_path / "page.html")
    assert page.text("#now").startswith("iteration 1: A loss")
    assert page.js("return document.querySelector('g.node.first').getAttribute('aria-label')").startswith("conv0, Convolution")
    assert "First difference" in page.text("#findings") and "conv0: param conv0 0 data differs" in page.text("#findings")
    assert page.text("#layer-name") == "conv0" and len(page.texts("#panel .arrays.pair .array")) >= 4
    a, b = page.texts("#panel .arrays.pair .array dl")[:2]
    assert a != b or "≠" in page.text("#panel")
    page.js("document.getElementById('earlier').click()")
    assert "No layer differs" not in page.text("#findings") or page.js("return document.querySelector('g.node.first')") is None
    page.js("document.querySelectorAll('#sides button')[1].click()")
    assert page.js("return document.querySelectorAll('#sides button')[1].getAttribute('aria-pressed')") == "true"
    page.check()


def test_names_that_are_html_are_text(browser, chain, page_of, tmp_path):
    evil = "</script><img src=x onerror=alert(1)>"
    page = Page(browser, page_of(chain(8, name=evil).replace('name: "relu0"', f'name: "{evil}"'), tmp_path, 1))
    assert page.text("#title") == evil and page.js("return document.images.length") == 0
    page.js("document.getElementById('as-table').click()")
    assert evil in page.texts("#table tbody button") and page.js("return document.images.length") == 0
    page.check()


def test_colour_filters_are_painted(browser, chain, page_of, tmp_path):
    page = Page(browser, page_of(chain(8, channels=3), tmp_path, 1))
    kinds = page.js("return [...document.querySelectorAll('#panel .pictures canvas')].map((c) => [c.width, c.height, "
                    "new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size])")
    assert len(kinds) > 4 and all(colours > 2 for _, _, colours in kinds)


def test_an_empty_page_shows_what_it_is_given(browser, deep, data_of, tmp_path):
    """As a live view does: more frames of the same net, and what was chosen stays."""
    (tmp_path / "page.html").write_text(render(None))
    page = Page(browser, tmp_path / "page.html")
    data = data_of(deep)
    frames = data["runs"][0]["frames"]
    data["runs"][0]["frames"] = frames[:2]
    page.js("window.netdefReport.show(JSON.parse(arguments[0]))", json.dumps(data))
    assert page.text("#now").startswith("iteration 1")
    page.js("[...document.querySelectorAll('g.node')][7].dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    chosen = page.text("#layer-name")
    data["runs"][0]["frames"] = frames
    page.js("window.netdefReport.show(JSON.parse(arguments[0]))", json.dumps(data))
    assert page.text("#now").startswith("iteration 9") and page.text("#layer-name") == chosen
    page.check()
