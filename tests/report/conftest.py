"""Nets and pages that the tests of the report share."""
from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netdef.report.collect import page_data, picture_size
from netdef.report.film import Film, spread
from netdef.report.page import write_page
from netdef.solvers.solver import Solver

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--window-size=1280,800")
SIZE = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
STILL = {"name": "prefers-reduced-motion", "value": "reduce"}  # colours are what they will be at once
SOLVER = '''
net: "net.prototxt" base_lr: 0.0001 momentum: 0.9 lr_policy: "fixed" max_iter: 10 random_seed: 3 solver_mode: CPU
'''
DATA = '''
name: "{name}"
layer {{ name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {{
  shape {{ dim: 4 dim: {channels} dim: 8 dim: 8 }} shape {{ dim: 4 }}
  data_filler {{ type: "gaussian" }} data_filler {{ type: "constant" value: 1 }} }} }}
'''
CONV = '''
layer {{ name: "conv{i}" type: "Convolution" bottom: "{bottom}" top: "conv{i}" convolution_param {{
  num_output: 4 kernel_size: 3 pad: 1 weight_filler {{ type: "msra" }} }} }}
layer {{ name: "relu{i}" type: "ReLU" bottom: "conv{i}" top: "conv{i}" }}
'''
SUM = '''
layer {{ name: "sum{i}" type: "Eltwise" bottom: "conv{i}" bottom: "{bottom}" top: "sum{i}"
  eltwise_param {{ coeff: 0.7 coeff: 0.7 }} }}
'''
LOSS = '''
layer {{ name: "ip" type: "InnerProduct" bottom: "{bottom}" top: "ip" inner_product_param {{
  num_output: 3 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
'''


def _chain(layers: int, name: str = "chain", channels: int = 4) -> str:
    """A net of so many layers: convolutions with rectifiers, a sum over every second pair, a loss."""
    text, bottom, count, i = DATA.format(name=name, channels=channels), "data", 3, 0
    while count + 2 <= layers:
        text += CONV.format(i=i, bottom=bottom)
        count += 2
        if i and count + 1 <= layers:
            text += SUM.format(i=i, bottom=bottom)
            count += 1
            bottom = f"sum{i}"
        else:
            bottom = f"conv{i}"
        i += 1
    if count < layers:
        text += f'layer {{ name: "last" type: "ReLU" bottom: "{bottom}" top: "{bottom}" }}'
    return text + LOSS.format(bottom=bottom)


def _data_of(page: Path) -> dict[str, Any]:
    """The value inside a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    value: dict[str, Any] = json.loads(found[1])
    return value


@pytest.fixture(scope="session")
def chain() -> Callable[..., str]:
    """``chain(layers)``: the text of a net of so many layers."""
    return _chain


@pytest.fixture(scope="session")
def data_of() -> Callable[[Path], dict[str, Any]]:
    """``data_of(page)``: the value inside a page."""
    return _data_of


@pytest.fixture
def solver_of(tmp_path: Path) -> Callable[..., Path]:
    """Writes a net and its solver, gives the solver's path."""
    def make(net: str, *more: str) -> Path:
        (tmp_path / "net.prototxt").write_text(net)
        (tmp_path / "solver.prototxt").write_text(SOLVER + " ".join(more))
        return tmp_path / "solver.prototxt"

    return make


@pytest.fixture(scope="session")
def page_of() -> Callable[..., Path]:
    """Trains a net for some iterations and writes its page into a folder."""
    def make(net: str, folder: Path, iterations: int) -> Path:
        (folder / "net.prototxt").write_text(net)
        (folder / "solver.prototxt").write_text(SOLVER)
        with Solver(str(folder / "solver.prototxt"), seed=1) as solver:
            wanted = spread(0, iterations)
            film = Film(solver, wanted.__contains__, picture_size(solver.net.plan, len(wanted)))
            solver.listen(film)
            solver.step(iterations)
            write_page(page_data(solver.net.plan, [film.run("A")], "a test"), folder / "page.html")
        return folder / "page.html"

    return make


@pytest.fixture
def graph(tmp_path):
    """``graph(text)``: what a drawing shows of a net given as prototxt text in the file ``net.prototxt``."""
    from netdef.report.drawing import plan_to_draw
    from netdef.report.netgraph import graph_of

    def make(text, phase="TRAIN", **options):
        path = tmp_path / "net.prototxt"
        path.write_text(text, encoding="utf-8")
        return graph_of(plan_to_draw(str(path), phase).plan, **options)

    return make


@pytest.fixture(scope="session")
def deep(page_of: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a net of 150 layers, ten iterations."""
    return page_of(_chain(150), tmp_path_factory.mktemp("deep"), 10)


def _browser_path() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Any]:
    """A window of 1280 x 800 with the page's console at hand."""
    pytest.importorskip("selenium", reason="needs selenium (pip install 'netdef[browser]')")
    chromium, driver = _browser_path(), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs Chromium and chromedriver (apt-get install chromium chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = webdriver.Chrome(options=options, service=Service(driver))
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SIZE)
    window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [STILL]})
    yield window
    window.quit()
