"""SVG files: well formed, complete, self-contained, the same for the same net."""
from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from netdef.report.drawing import plan_to_draw
from netdef.report.netgraph import graph_of
from netdef.report.scene import scene_of
from netdef.report.svg import svg_of

ROOT = Path(__file__).resolve().parents[2]
NS = "{http://www.w3.org/2000/svg}"


def drawn(net, phase="TRAIN"):
    g = graph_of(plan_to_draw(net, phase).plan)
    return g, svg_of(scene_of(g))


@pytest.mark.parametrize("net", ["lenet", "resnet50", "rnn_digits", "ssd_bccd"])
def test_every_layer_and_arrow_is_there(net):
    g, text = drawn(f"builtin:{net}")
    root = ET.fromstring(text)
    assert root.tag == f"{NS}svg" and root.get("role") == "img"
    assert root.find(f"{NS}title").text and len(root.find(f"{NS}desc").text) > 100
    layers = [e.get("data-name") for e in root.iter(f"{NS}g") if e.get("class") == "layer"]
    assert layers == [p.name for p in g.parts()]
    assert all(name in root.find(f"{NS}desc").text for name in layers)
    assert len([e for e in root.iter(f"{NS}g") if e.get("class") == "edge"]) == len(g.arrows)
    assert all(e.find(f"{NS}title").text for e in root.iter(f"{NS}g"))
    shown = {e.text for e in root.iter(f"{NS}text")}
    assert {p.name for p in g.parts() if len(p.name) < 20} <= shown


def test_it_needs_nothing_else_and_knows_dark_pages():
    _, text = drawn("builtin:lenet")
    assert not re.search(r"<script|<image|href|url\(|@import", text)
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert "prefers-color-scheme:dark" in text
    styles = set(re.findall(r'class="([^"]+)"', text))
    rules = re.search("<style>(.*)</style>", text)[1]
    named = {name for group in styles for name in group.split()} - {"box", "layer", "edge", "legend", "netdef-net"}
    assert not [name for name in named if f".netdef-net .{name}{{" not in rules], "styles without a rule"


def test_stops_and_their_reasons(graph):
    text = svg_of(scene_of(graph("""
        layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 3 } }
        layer { name: "same" type: "Power" bottom: "ip" top: "same" propagate_down: false }
        layer { name: "loss" type: "EuclideanLoss" bottom: "same" bottom: "ip" }""")))
    root = ET.fromstring(text)
    (stop,) = [e for e in root.iter(f"{NS}g") if e.find(f"{NS}path") is not None and e.find(f"{NS}path").get("class") == "stop"
               and e.get("class") == "edge"]
    assert stop.get("data-name") == "ip to same" and "propagate_down: false [net.prototxt:4]" in stop.find(f"{NS}title").text


def test_names_that_are_no_xml(graph):
    g = graph(r"""layer { name: "a<b>&\"c\"$x_1$\001" type: "Input" top: "t" input_param { shape { dim: 1 } } }""")
    root = ET.fromstring(svg_of(scene_of(g)))
    assert 'a<b>&"c"$x_1$\ufffd' in [e.text for e in root.iter(f"{NS}text")]


def test_the_picture_in_the_docs():
    """After a change: ``netdef draw configs/lenet/net.prototxt --out docs/lenet.svg``, and look at it."""
    _, text = drawn(str(ROOT / "configs/lenet/net.prototxt"))
    assert (ROOT / "docs/lenet.svg").read_text(encoding="utf-8") == text
