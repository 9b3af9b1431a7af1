from __future__ import annotations

import pytest

from netdef.config import prototxt
from netdef.config.bind import bind
from netdef.config.load import parse_text_message
from netdef.errors import Collector, ConfigErrors, FieldError

IP = """layer {
  name: "ip1"
  type: "InnerProduct"
  inner_product_param {
    %s
  }
}
"""


def errors_of(text: str, message: str = "NetParameter", file: str = "net.prototxt") -> list[str]:
    with pytest.raises(FieldError) as caught:
        parse_text_message(text, file, message)
    return [str(caught.value)]


def test_the_message_of_the_design():
    text = "\n" * 111 + IP % "num_ouptut: 500"
    assert errors_of(text, file="configs/lenet/net.prototxt") == [
        "configs/lenet/net.prototxt:116:5: error: layer 'ip1' (InnerProduct): no field 'num_ouptut' in "
        "inner_product_param; did you mean 'num_output'?\n"
        "      num_ouptut: 500\n"
        "      ^~~~~~~~~~"]


@pytest.mark.parametrize(("inside", "message"), [
    ('num_output: "abc"', """net.prototxt:5:17: error: layer 'ip1' (InnerProduct): inner_product_param.num_output: \
expected an integer, got "abc"
      num_output: "abc"
                  ^~~~~"""),
    ("num_output: -1", """net.prototxt:5:17: error: layer 'ip1' (InnerProduct): inner_product_param.num_output: \
expected an integer from 0 to 4294967295, got -1
      num_output: -1
                  ^~"""),
    ("num_output: 1 num_output: 2", """net.prototxt:5:19: error: layer 'ip1' (InnerProduct): \
inner_product_param.num_output is given twice, first in line 5
      num_output: 1 num_output: 2
                    ^~~~~~~~~~"""),
    ("weight_filler {} weight_filler {}", """net.prototxt:5:22: error: layer 'ip1' (InnerProduct): \
inner_product_param.weight_filler is given twice, first in line 5
      weight_filler {} weight_filler {}
                       ^~~~~~~~~~~~~"""),
    ('weight_filler: "xavier"', """net.prototxt:5:20: error: layer 'ip1' (InnerProduct): \
inner_product_param.weight_filler: expected a block { ... }, got "xavier"
      weight_filler: "xavier"
                     ^~~~~~~~"""),
    ("num_output { a: 1 }", """net.prototxt:5:16: error: layer 'ip1' (InnerProduct): \
inner_product_param.num_output: expected an integer, got a block { ... }
      num_output { a: 1 }
                 ^"""),
    ("num_output: [1, 2]", """net.prototxt:5:17: error: layer 'ip1' (InnerProduct): \
inner_product_param.num_output: expected one value, got a list
      num_output: [1, 2]
                  ^~~~~~"""),
    ("weight_filler { tpe: 1 }", """net.prototxt:5:21: error: layer 'ip1' (InnerProduct): \
no field 'tpe' in inner_product_param.weight_filler; did you mean 'type'?
      weight_filler { tpe: 1 }
                      ^~~"""),
    ("weight_filler { variance_norm: FAN_ON }", """net.prototxt:5:36: error: layer 'ip1' (InnerProduct): \
inner_product_param.weight_filler.variance_norm: expected one of FAN_IN, FAN_OUT, AVERAGE, got FAN_ON; \
did you mean 'FAN_IN'?
      weight_filler { variance_norm: FAN_ON }
                                     ^~~~~~"""),
    ("bottom: \"data\"", """net.prototxt:5:5: error: layer 'ip1' (InnerProduct): \
no field 'bottom' in inner_product_param; 'bottom' is a field of the layer itself
      bottom: "data"
      ^~~~~~"""),
    ("mean_file: \"m\"", """net.prototxt:5:5: error: layer 'ip1' (InnerProduct): \
no field 'mean_file' in inner_product_param; 'mean_file' is a field of transform_param
      mean_file: "m"
      ^~~~~~~~~"""),
])
def test_field_errors(inside, message):
    assert errors_of(IP % inside) == [message]


@pytest.mark.parametrize(("text", "kind", "message"), [
    ('nme: "x"', "NetParameter", """net.prototxt:1:1: error: no field 'nme' in the net; did you mean 'name'?
  nme: "x"
  ^~~"""),
    ("base_lr: 1", "NetParameter", """net.prototxt:1:1: error: no field 'base_lr' in the net; is this file a solver?
  base_lr: 1
  ^~~~~~~"""),
    ("layer {} bottom: 'x'", "NetParameter", """net.prototxt:1:10: error: no field 'bottom' in the net; \
'bottom' is a field of a layer; is a bracket closed too early?
  layer {} bottom: 'x'
           ^~~~~~"""),
    ("layer {}", "SolverParameter", """net.prototxt:1:1: error: no field 'layer' in the solver; is this file a net?
  layer {}
  ^~~~~"""),
    ("base_lr: 0.1\nbase_lr: 0.2", "SolverParameter", """net.prototxt:2:1: error: base_lr is given twice, \
first in line 1
  base_lr: 0.2
  ^~~~~~~"""),
    ("layer { name: 'c' type: 'Convolution' num_output: 3 }", "NetParameter", """net.prototxt:1:39: error: \
layer 'c' (Convolution): no field 'num_output' in layer; 'num_output' is a field of convolution_param
  layer { name: 'c' type: 'Convolution' num_output: 3 }
                                        ^~~~~~~~~~"""),
    ("layer { typ: 'ReLU' }", "NetParameter", """net.prototxt:1:9: error: a layer without a name: \
no field 'typ' in layer; did you mean 'type'?
  layer { typ: 'ReLU' }
          ^~~"""),
    ("layer: 3", "NetParameter", """net.prototxt:1:8: error: layer: expected a block { ... }, got 3
  layer: 3
         ^"""),
    ("layer { name: 'c' type: 'Clip' clip_param { min: 0 } }", "NetParameter", """net.prototxt:1:32: error: \
layer 'c' (Clip): clip_param needs the field 'max'
  layer { name: 'c' type: 'Clip' clip_param { min: 0 } }
                                 ^~~~~~~~~~"""),
    ("layer { bottom: ['a', b] }", "NetParameter", """net.prototxt:1:23: error: a layer without a name: bottom: \
expected a string in quotes, got b; write "b"
  layer { bottom: ['a', b] }
                        ^"""),
])
def test_errors_of_whole_files(text, kind, message):
    assert errors_of(text, kind) == [message]


def test_several_mistakes_are_reported_together_and_the_rest_is_bound():
    node = prototxt.read('nme: "x"\nname: "n"\nlayer { name: "a" bottom: [1, "b"] tip: 1 }\nlayer { name: 3 }', "f")
    errors = Collector()
    net = bind(node, "NetParameter", errors).message
    assert [str(e.where) for e in errors.found] == ["f:1:1", "f:3:28", "f:3:36", "f:4:15"]
    assert net.name == "n" and list(net.layer[0].bottom) == ["b"] and len(net.layer) == 2
    with pytest.raises(ConfigErrors) as caught:
        bind(node, "NetParameter")
    assert str(caught.value).endswith("\n4 errors")


def test_a_bad_value_and_a_good_one_after_it_are_one_field_given_twice():
    errors = Collector()
    bind(prototxt.read("max_iter: x\nmax_iter: 3", "f"), "SolverParameter", errors)
    assert [e.message.split("; ")[0] for e in errors.found] == [
        "max_iter: expected an integer, got x", "max_iter is given twice, first in line 1"]


def test_values_lists_and_presence():
    net = parse_text_message("""
        state { phase: TEST stage: "a", stage: "b" level: -1 }
        layer { loss_weight: [1, .5f] loss_weight: 2 relu_param {} phase: 1
                blobs { double_data: 0.1 shape { dim: [2, 3] } } }
        force_backward: true
    """, "f", "NetParameter").message
    assert net.state.phase == 1 and list(net.state.stage) == ["a", "b"] and net.state.level == -1
    layer = net.layer[0]
    assert list(layer.loss_weight) == [1, 0.5, 2] and layer.HasField("relu_param") and layer.phase == 1
    assert list(layer.blobs[0].double_data) == [0.1] and list(layer.blobs[0].shape.dim) == [2, 3]
    assert net.force_backward is True and not net.HasField("name")


def test_old_nets_bind():
    net = parse_text_message('layers { name: "c" type: CONVOLUTION blobs_lr: 1 blobs_lr: 2 } '
                             'layers { layer { name: "d" type: "data" } }', "f", "NetParameter").message
    assert net.layers[0].blobs_lr[1] == 2 and net.layers[1].layer.type == "data"
