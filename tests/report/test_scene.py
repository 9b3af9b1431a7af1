"""Scenes: every text within its box, nothing beyond the edges, tooltips that say it all."""
from __future__ import annotations

import pytest

from netdef.report.boxes import SMALL, Look, clipped, cut, share, short, text_width
from netdef.report.drawing import plan_to_draw
from netdef.report.netgraph import graph_of
from netdef.report.scene import Group, Rect, Text, scene_of

WIDTHS = {"title": 14, "name": 12}
LONG = "a_very_long_name_of_a_layer/with/a/path/and_a_number_1234567890_behind_it"
NET = f"""
layer {{ name: "in" type: "Input" top: "data" input_param {{ shape {{ dim: 16 dim: 3 dim: 224 dim: 224 }} }} }}
layer {{ name: "{LONG}" type: "Convolution" bottom: "data" top: "other/name" convolution_param {{
  num_output: 64 kernel_h: 13 kernel_w: 15 stride: 2 pad_h: 6 pad_w: 7 group: 1 dilation: 2 }} }}
layer {{ name: "{LONG}_bn" type: "BatchNorm" bottom: "other/name" top: "other/name"
  batch_norm_param {{ use_global_stats: false }} }}
layer {{ name: "层" type: "ReLU" bottom: "other/name" top: "other/name" }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "other/name" bottom: "other/name" }}
"""


def texts_with_boxes(scene):
    """Every text in a box with that box, or with the row that it stands in."""
    found = []

    def walk(group, box):
        rects = [i for i in group.items if isinstance(i, Rect) and i.height > 5]
        box = rects[0] if rects else box
        for item in group.items:
            if isinstance(item, Group):
                walk(item, box)
            elif isinstance(item, Text) and box is not None and item.style != "label":
                found.append((item, box))

    for group in scene.groups:
        if group.role == "box":
            walk(group, None)
    return found


def extent(text):
    width = text_width(text.text, WIDTHS.get(text.style, SMALL))
    return (text.x - width, text.x) if text.end else (text.x, text.x + width)


@pytest.mark.parametrize("rankdir", ["tb", "lr"])
@pytest.mark.parametrize("costs", [False, True])
def test_texts_fit(graph, rankdir, costs):
    scene = scene_of(graph(NET), Look(rankdir, costs=costs))
    texts = texts_with_boxes(scene)
    assert len(texts) >= 10
    for text, box in texts:
        left, right = extent(text)
        assert box.x <= left and right <= box.x + box.width and box.y < text.y < box.y + box.height, text.text
    for group in scene.groups:
        for item in group.items:
            if isinstance(item, Text):
                left, right = extent(item)
                assert left >= 0 and right <= scene.width and 0 < item.y < scene.height, item.text


def test_widths_are_those_of_a_font():
    """DejaVu's letters are as wide as those of other monospaced fonts, or wider."""
    font = pytest.importorskip("matplotlib.font_manager")
    paths = pytest.importorskip("matplotlib.textpath")
    for text in ("conv1/3x3_reduce", "mmmmmmmmmmmmmmmm", "WWWWWWWWWWWWWWWWWWWWWWWW"):
        width, _, _ = paths.text_to_path.get_text_width_height_descent(
            text, font.FontProperties(family="DejaVu Sans Mono", size=10), ismath=False)
        assert width <= text_width(text, 10) <= 1.1 * width + 2


def test_labels_of_a_box_are_apart(graph):
    net = """layer { name: "in" type: "Input" top: "data" top: "a_long_label" top: "x" input_param { shape { dim: 1 dim: 2 } } }
             layer { name: "s" type: "Silence" bottom: "x" bottom: "data" bottom: "a_long_label" }"""
    (box,) = [g for g in scene_of(graph(net)).groups if g.key == "in" and g.role == "box"]
    labels = sorted((t for t in box.items if isinstance(t, Text) and t.y == min(i.y for i in box.items if isinstance(i, Text))),
                    key=lambda t: t.x)
    assert len(labels) == 3
    assert all(extent(a)[1] < b.x for a, b in zip(labels, labels[1:], strict=False))


def test_what_tooltips_say(graph):
    scene = scene_of(graph(NET.replace('bottom: "data" top', 'propagate_down: false bottom: "data" top')))
    tips = {g.key: g.tooltip for g in scene.groups}
    assert tips[LONG].splitlines()[:2] == [f"{LONG} (Convolution) 13x15/2 pad 6x7 dilation 2, 64", "makes 16x64x106x105"]
    assert "37,504 params, which learn" in tips[LONG] and "multiply-adds, 100% of the net's" in tips[LONG]
    assert "backward runs" in tips[LONG] and tips[LONG].endswith("phase TRAIN, net.prototxt:3")
    assert tips[f"data to {LONG}"] == (f"in → {LONG}, bottom 0: data 16x3x224x224\n"
                                       "no gradient: propagate_down: false [net.prototxt:3]")
    assert tips["other/name to loss"].endswith("a gradient flows back")


def test_a_stop_is_said_and_described(graph):
    net = NET.replace('type: "EuclideanLoss"', 'type: "EuclideanLoss" propagate_down: true propagate_down: false')
    scene = scene_of(graph(net))
    tips = [g.tooltip for g in scene.groups if g.key == "other/name to loss"]
    assert sum("the gradient stops here: propagate_down: false [net.prototxt:8]" in t for t in tips) == 1
    assert "Gradients stop at: other/name to loss: propagate_down: false" in scene.description


def test_without_a_legend_or_shapes(graph):
    full, bare = scene_of(graph(NET)), scene_of(graph(NET), Look(shapes=False), legend=False)
    assert not [g for g in bare.groups if g.role == "legend"] and bare.height < full.height
    labels = [i.text for g in bare.groups for i in g.items if isinstance(i, Text)]
    assert labels == ["data", "other/name", "loss, weight 1"]


def test_numbers():
    assert [short(n) for n in (0, 950, 999, 12345, 999_600, 1_640_000, 3_860_000_000)] == [
        "0", "950", "999", "12.3k", "1M", "1.64M", "3.86G"]
    assert [share(1, n) for n in (1, 8, 30, 10**6)] == ["100%", "12%", "3.3%", "<0.1%"]
    assert clipped("abcdefghij", 6) == "abc…ij" and cut("abc, defgh", 5) == "abc…" and clipped("abc", 3) == cut("abc", 3) == "abc"


def test_a_shipped_net_of_many_branches():
    scene = scene_of(graph_of(plan_to_draw("builtin:googlenet", "TRAIN").plan))
    assert scene.width < 1600, "branches stand close together"
    for text, box in texts_with_boxes(scene):
        left, right = extent(text)
        assert box.x <= left and right <= box.x + box.width
