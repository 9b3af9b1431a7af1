"""Shapes: given inputs, who made what, sizes that no machine could hold."""
from __future__ import annotations

import netdef

NET = '''
layer { name: "in" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "a" top: "ip" inner_product_param { num_output: 4 } }
'''


def shapes(plan):
    return {v.blob: plan.shapes.values[v.id] for v in plan.description.values}


def test_inputs_replace_written_shapes(built):
    plan = built(NET, inputs={"a": (7, 5)})
    assert shapes(plan) == {"a": (7, 5), "b": (2,), "ip": (7, 4)}
    assert netdef.Net(plan).blobs["ip"].data.shape == (7, 4)


def test_inputs_may_stand_for_shapes_that_are_not_written(built):
    plan = built('layer { name: "in" type: "Input" top: "a" }', inputs={"a": (1, 2)})
    assert shapes(plan) == {"a": (1, 2)}


def test_a_shape_error_names_both_makers(message_of):
    text = message_of(NET + 'layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "ip" top: "sum" }')
    assert text.startswith("net.prototxt:4:")
    assert "layer 'sum' (Eltwise)" in text
    assert "    bottom 0 'a' has shape (2, 3), made by layer 'in' (Input) at net.prototxt:2:1" in text
    assert "    bottom 1 'ip' has shape (2, 4), made by layer 'ip' (InnerProduct) at net.prototxt:3:1" in text


def test_a_size_that_no_machine_holds(message_of):
    text = message_of('layer { name: "in" type: "Input" top: "a" input_param { shape { dim: 4000000 dim: 4000000 } } }')
    assert "more than fit in memory" in text


def test_an_unknown_filler_is_found_before_anything_runs(message_of):
    text = message_of(NET.replace("num_output: 4", 'num_output: 4 weight_filler { type: "msraa" }'))
    assert text.startswith("net.prototxt:3:121: error: layer 'ip' (InnerProduct): unknown filler type 'msraa'; "
                           "did you mean 'msra'?\n")


def test_nothing_is_said_twice_behind_an_error(message_of):
    text = message_of(NET.replace("num_output: 4", "") + 'layer { name: "r" type: "ReLU" bottom: "ip" top: "r" }')
    assert text.count("error:") == 1
