"""Drawings as files: PNG and DOT, endings, and which mistakes still leave something to draw."""
from __future__ import annotations

import io
import sys

import pytest

from netdef.errors import NetdefError
from netdef.report.boxes import Look
from netdef.report.dot import dot_of
from netdef.report.drawing import plan_to_draw, write_drawing
from netdef.report.netgraph import graph_of
from netdef.report.scene import Scene, scene_of

IN = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
NET = IN + """
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "say \\"$a_{$\\"" type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "x" }
"""


@pytest.mark.parametrize("rankdir", ["tb", "lr"])
def test_png(graph, rankdir):
    pytest.importorskip("matplotlib")
    image = pytest.importorskip("PIL.Image")
    from netdef.report.png import write_png

    scene = scene_of(graph(NET), Look(rankdir))
    file = io.BytesIO()
    write_png(scene, file)
    picture = image.open(file).convert("RGB")
    assert picture.size == pytest.approx((2 * scene.width, 2 * scene.height), abs=2)
    assert len(picture.getcolors(1 << 24)) > 20


def test_a_large_png_is_painted_smaller():
    pytest.importorskip("matplotlib")
    from netdef.report.png import MOST_PIXELS, MOST_SIDE, scale_of

    assert scale_of(Scene("", "", 500, 100_000, "tb", ())) * 100_000 <= MOST_SIDE
    assert 20_000**2 * scale_of(Scene("", "", 20_000, 20_000, "tb", ())) ** 2 <= MOST_PIXELS * 1.001


def test_without_matplotlib(graph, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(NetdefError, match="matplotlib, which is not installed.*\n?.*svg"):
        write_drawing(graph(NET), tmp_path / "a.png")
    assert [p.name for p in tmp_path.iterdir()] == ["net.prototxt"]


def test_dot(graph):
    text = dot_of(graph(NET), Look("lr", costs=True))
    assert text.startswith('digraph "" {\n  rankdir=LR;') and text.endswith("}\n")
    assert r'"1" [label="ip: InnerProduct 3\nsay \"$a_{$\": ReLU\n12 params, 18 macs 100%"' in text
    assert '"1" -> "3" [label="ip 2x3", style=solid' in text
    assert '"0" -> "3" [label="x 2x3", style=dashed, color="#77818d", tooltip="nothing below learns"]' in text
    assert "2x3" not in dot_of(graph(NET), Look(shapes=False))


def test_endings(graph, tmp_path):
    for name in ("a.svg", "a.SVG", "a.dot", "a.gv"):
        write_drawing(graph(NET), tmp_path / name)
        assert (tmp_path / name).read_text().startswith("<svg" if name.lower().endswith("svg") else "digraph")
    for name in ("a.pdf", "a", "svg"):
        with pytest.raises(NetdefError, match="expected a name that ends in .svg"):
            write_drawing(graph(NET), tmp_path / name)


def survey(tmp_path, text, phase="TRAIN"):
    (tmp_path / "n.prototxt").write_text(text)
    return plan_to_draw(str(tmp_path / "n.prototxt"), phase)


@pytest.mark.parametrize("change, said", [
    (("num_output: 3", "num_ouptut: 3"), "num_ouptut"),
    (("num_output: 3", "num_output: 3 axis: 7"), "axis"),
    (('type: "ReLU" bottom: "ip"', 'type: "ReLU" bottom: "ip" bottom: "x"'), "expected 1 bottom, got 2"),
])
def test_mistakes_that_are_set_aside(tmp_path, change, said):
    found = survey(tmp_path, NET.replace(*change))
    assert said in str(found.set_aside[0]) and len(list(graph_of(found.plan).parts())) == 4


@pytest.mark.parametrize("text, said", [
    (NET.replace('bottom: "ip" bottom: "x"', 'bottom: "ip" bottom: "label"'), "'label'"),
    (IN + IN.replace('"in"', '"again"'), "top 'x' is already made"),
    (IN.replace("layer {", "layer { include { phase: TEST }"), "no layer"),
    ("base_lr: 0.1", "is this file a solver"),
])
def test_what_leaves_nothing_to_draw(tmp_path, text, said):
    with pytest.raises(NetdefError, match=said):
        survey(tmp_path, text)


def _whole(path):
    """The TRAIN phase, or the TEST phase where only that is a whole net."""
    try:
        return plan_to_draw(str(path), "TRAIN").plan
    except NetdefError:
        return plan_to_draw(str(path), "TEST").plan


@pytest.mark.slow
def test_published_nets(shared):
    """Every net that somebody published can be drawn, in one phase at least."""
    failed, n = [], 0
    for path in sorted((shared / "prototxt").glob("*.prototxt")):
        if "layer" not in path.read_text(errors="replace") or "net_param" in path.read_text(errors="replace"):
            continue  # solvers and label maps
        n += 1
        try:
            plan = _whole(path)
            scene_of(graph_of(plan), Look("lr", costs=True))
        except NetdefError as e:
            failed.append(f"{path.name}: {e}")
    assert n > 150 and failed == []
