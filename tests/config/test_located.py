from __future__ import annotations

import pytest

from netdef.config.load import parse_text_message
from netdef.config.located import Located
from netdef.config.schema import new
from netdef.errors import Span

TEXT = """name: "n"
layer {
  name: "a"
  bottom: "x" bottom: "y"
  convolution_param {
    num_output: 3
    kernel_size: [5, 7]
  }
}
layer { name: "b" }
"""
THERE = Span("there", 9, 9)


@pytest.fixture
def net() -> Located:
    return parse_text_message(TEXT, "f", "NetParameter")


def at(span: Span) -> tuple[int, int]:
    return span.line, span.column


def test_span_of_goes_as_deep_as_it_can(net):
    assert at(net.span_of("name")) == (1, 7)
    assert at(net.span_of("layer", 1)) == (10, 1)
    assert at(net.span_of("layer", 1, "name")) == (10, 15)
    assert at(net.span_of("layer", 0, "bottom", 1)) == (4, 23)
    assert at(net.span_of("layer", 0, "bottom")) == (4, 11)
    assert at(net.span_of("layer", 0, "convolution_param", "kernel_size", 1)) == (7, 22)
    assert at(net.span_of("layer", 0, "convolution_param", "stride")) == (5, 3)
    assert at(net.span_of("layer", 0, "relu_param", "negative_slope")) == (2, 1)
    assert at(net.span_of("layer", 7)) == (2, 1)
    assert at(net.span_of("layer", "name")) == (3, 9)
    assert at(net.span_of("state")) == (1, 1)
    assert net.file == "f" and repr(net) == "Located(NetParameter at f:1:1)"


def test_children_are_live(net):
    first, second = net.children("layer")
    second.set("name", "c", THERE)
    assert net.message.layer[1].name == "c"
    assert net.span_of("layer", 1, "name") == THERE
    options = first.child("convolution_param")
    options.append("kernel_size", 9, THERE)
    assert list(net.message.layer[0].convolution_param.kernel_size) == [5, 7, 9]
    assert net.span_of("layer", 0, "convolution_param", "kernel_size", 2) == THERE


def test_a_child_that_was_never_written_has_the_place_of_its_parent(net):
    options = net.child("layer", 1).child("relu_param")
    assert at(options.span) == (10, 1)
    options.set("negative_slope", 0.5, THERE)
    assert net.message.layer[1].relu_param.negative_slope == 0.5
    assert net.span_of("layer", 1, "relu_param", "negative_slope") == THERE


def test_insert_and_remove_move_the_places_along(net):
    layer = Located.bare(new("LayerParameter"), "made")
    layer.set("name", "new", THERE)
    net.insert("layer", 0, layer)
    assert [m.name for m in net.message.layer] == ["new", "a", "b"]
    assert net.span_of("layer", 0, "name") == THERE
    assert at(net.span_of("layer", 1, "bottom", 1)) == (4, 23)
    assert list(net.message.layer[1].bottom) == ["x", "y"]
    net.remove("layer", 1)
    assert [m.name for m in net.message.layer] == ["new", "b"]
    assert at(net.span_of("layer", 1)) == (10, 1)
    net.clear("layer")
    assert not net.has("layer") and at(net.span_of("layer", 0)) == (1, 1)


def test_set_whole_lists_elements_and_messages(net):
    layer = net.child("layer", 0)
    layer.set("bottom", ["p", "q", "r"], THERE)
    assert list(layer.message.bottom) == ["p", "q", "r"]
    assert layer.span_of("bottom", 2) == THERE
    other = Span("other")
    layer.set("bottom", "z", other, index=1)
    assert list(layer.message.bottom) == ["p", "z", "r"]
    assert [layer.span_of("bottom", i) for i in range(3)] == [THERE, other, THERE]
    pooling = new("PoolingParameter")
    pooling.kernel_size = 2
    layer.set("pooling_param", pooling, THERE)
    assert layer.message.pooling_param.kernel_size == 2
    layer.set("pooling_param", Located.bare(new("PoolingParameter"), "made"), THERE)
    assert not layer.message.pooling_param.HasField("kernel_size")
    assert layer.span_of("pooling_param").file == "made"


def test_has(net):
    layer = net.child("layer", 0)
    assert layer.has("bottom") and layer.has("name") and not layer.has("top") and not layer.has("type")


def test_copies_share_nothing(net):
    copy = net.copy()
    copy.child("layer", 0).set("name", "changed", THERE)
    copy.remove("layer", 1)
    assert net.message.layer[0].name == "a" and len(net.children("layer")) == 2
    assert at(net.span_of("layer", 0, "name")) == (3, 9)


def test_bare_messages_have_a_place_everywhere():
    message = new("NetParameter")
    message.layer.add().bottom.append("x")
    bare = Located.bare(message)
    assert str(bare.span_of("layer", 0, "bottom", 0)) == "<memory>:1:1"
    assert str(bare.children("layer")[0].span_of("bottom", 0)) == "<memory>:1:1"
    bare.append("layer", new("LayerParameter"))
    assert len(bare.children("layer")) == 2
