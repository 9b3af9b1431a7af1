"""Boxes and arrows of a net: in-place layers, gradients and where they stop, splits, costs, what is missing."""
from __future__ import annotations

import pytest

HEAD = """
name: "n"
layer { name: "in" type: "Input" top: "data" top: "label" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } shape { dim: 2 } } }
"""
NET = HEAD + """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "arg" type: "ArgMax" bottom: "ip" top: "arg" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def arrow(graph, reader, bottom=0):
    (found,) = [a for a in graph.arrows if (a.reader, a.bottom) == (reader, bottom)]
    return found


def test_layers_in_boxes(graph):
    g = graph(NET)
    assert [[p.name for p in b.parts] for b in g.boxes] == [["in"], ["conv", "relu"], ["ip"], ["arg"], ["loss"]]
    conv, relu = g.boxes[1].parts
    assert (conv.type, conv.options, conv.shape, conv.kind) == ("Convolution", "3x3/2 pad 1, 4", "2x4x4x4", "convolution")
    assert conv.params == 4 * 27 + 4 and conv.macs == 2 * 4 * 16 * 27 and conv.learns == "learns" and conv.backward
    assert conv.phase == "TRAIN" and conv.where == "net.prototxt:5" and relu.kind == "activation"
    assert g.params == 112 + 5 * 64 + 5 and g.macs == conv.macs + 2 * 64 * 5
    assert [(o.blob, o.shape, o.readers) for o in g.boxes[0].outs] == [("data", "2x3x8x8", 1), ("label", "2", 1)]
    assert g.boxes[-1].outs[0].loss_weight == 1


def test_in_place_layers_apart(graph):
    g = graph(NET, stacked=False)
    assert [b.parts[0].name for b in g.boxes] == ["in", "conv", "relu", "ip", "arg", "loss"]
    assert arrow(g, "relu").source == g.boxes[1].key and arrow(g, "ip").source == g.boxes[2].key


def test_which_arrows_carry_gradients(graph):
    g = graph(NET)
    assert arrow(g, "ip").flows and arrow(g, "loss").flows and arrow(g, "loss").reason == ""
    assert [(a.flows, a.stops) for a in (arrow(g, "conv"), arrow(g, "loss", 1))] == [(False, False)] * 2
    assert arrow(g, "conv").reason == "nothing below learns"
    assert not arrow(g, "arg").flows and not arrow(g, "arg").stops, "it leads to no loss: nothing stops there"
    assert g.trains and not graph(NET.replace("SoftmaxWithLoss", "Accuracy")).trains


@pytest.mark.parametrize("line, reason", [
    ('bottom: "conv" top: "ip" propagate_down: false', "propagate_down: false [net.prototxt:8]"),
    ('bottom: "conv" top: "ip"', ""),
])
def test_where_a_gradient_stops(graph, line, reason):
    g = graph(NET.replace('bottom: "conv" top: "ip"', line))
    found = arrow(g, "ip")
    assert found.reason == reason and found.stops == bool(reason) and found.flows != found.stops


def test_a_layer_that_differentiates_nothing_stops_gradients(graph):
    net = NET.replace('bottom: "ip" bottom: "label"', 'bottom: "ip" bottom: "arg"')
    g = graph(net.replace('type: "ArgMax"', 'type: "ArgMax"'))
    assert arrow(g, "arg").stops and "does not differentiate" in arrow(g, "arg").reason


def test_a_gradient_that_stops_within_a_box(graph):
    g = graph(NET.replace('bottom: "conv" top: "conv"', 'bottom: "conv" top: "conv" propagate_down: false'))
    assert g.boxes[1].parts[1].stop == "propagate_down: false [net.prototxt:7]"
    assert graph(NET).boxes[1].parts[1].stop == ""


def test_splits_have_the_names_that_caffe_gives(graph):
    g = graph(NET, splits=True)
    (split,) = [b for b in g.boxes if b.parts[0].type == "Split"]
    assert split.parts[0].name == "ip_ip_0_split" and split.parts[0].index == -1
    assert [a.blob for a in g.arrows if a.source == split.key] == ["ip_ip_0_split_0", "ip_ip_0_split_1"]
    assert len(g.boxes) == len(graph(NET).boxes) + 1


SAVED = HEAD + """
layer { name: "data_in_0_split" type: "Split" bottom: "data" top: "data_in_0_split_0" top: "data_in_0_split_1" }
layer { name: "r" type: "ReLU" bottom: "data_in_0_split_0" top: "data_in_0_split_0" }
layer { name: "sum" type: "Eltwise" bottom: "data_in_0_split_0" bottom: "data_in_0_split_1" top: "sum" }
"""


def test_splits_of_a_saved_net_are_left_out(graph):
    g = graph(SAVED)
    assert [[p.name for p in b.parts] for b in g.boxes] == [["in"], ["r"], ["sum"]]
    assert (arrow(g, "r").blob, arrow(g, "sum", 1).source, arrow(g, "sum").source) == ("data", "0", g.boxes[1].key)
    assert [b.parts[0].type for b in graph(SAVED, splits=True).boxes] == ["Input", "Split", "ReLU", "Eltwise"]
    mine = SAVED.replace('name: "data_in_0_split"', 'name: "mine"')
    assert "mine" in [p.name for p in graph(mine).parts()], "one that somebody wrote is a layer as any other"


def test_in_place_on_one_of_several_tops_is_no_part_of_the_box(graph):
    net = HEAD + """
    layer { name: "cut" type: "Slice" bottom: "data" top: "a" top: "b" slice_param { slice_point: 1 } }
    layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
    layer { name: "sum" type: "Concat" bottom: "a" bottom: "b" top: "c" }
    """
    assert [len(b.parts) for b in graph(net).boxes] == [1, 1, 1, 1]


def test_in_place_with_a_bottom_from_further_down_would_be_a_circle(graph):
    net = HEAD + """
    layer { name: "a" type: "Power" bottom: "data" top: "a" }
    layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { global_pooling: true } }
    layer { name: "f" type: "Flatten" bottom: "pool" top: "f" }
    layer { name: "scale" type: "Scale" bottom: "a" bottom: "f" top: "a" scale_param { axis: 0 } }
    """
    g = graph(net)
    numbers = {b.key: i for i, b in enumerate(g.boxes)}
    assert all(numbers[a.source] < numbers[a.target] for a in g.arrows)
    assert [p.name for p in g.boxes[numbers[arrow(g, "scale", 1).target]].parts] == ["scale"]


def test_unknown_types_and_shapes(graph):
    g = graph(HEAD + """
    layer { name: "odd" type: "Nonsense" bottom: "data" top: "odd" }
    layer { name: "after" type: "ReLU" bottom: "odd" top: "after" }
    """)
    odd = g.boxes[1].parts[0]
    assert odd.kind == "other" and odd.shape == "" and odd.params is None and "not known here" in odd.assumed
    assert g.unknown == 2 and arrow(g, "after").shape == ""
