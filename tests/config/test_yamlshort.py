from __future__ import annotations

import pytest

from netdef.config import write
from netdef.config.load import parse_text_message
from netdef.errors import Collector, ConfigErrors

LENET = """
name: LeNet
layers:
  - data:  {Data: {source: "builtin:mnist10k/train", batch_size: 64}, top: [data, label], include: {phase: TRAIN}}
  - conv1: {Convolution: {num_output: 20, kernel_size: 5, weight_filler: {type: xavier}}, bottom: data}
  - pool1: {Pooling: {pool: MAX, kernel_size: 2, stride: 2}}
  - ip1:   {InnerProduct: {num_output: 500, weight_filler: {type: xavier}}}
  - relu1: {ReLU: {}, top: ip1}
  - loss:  {SoftmaxWithLoss: {}, bottom: [ip1, label]}
"""


def net(text: str):
    return parse_text_message(text, "net.yaml", "NetParameter").message


def mistakes(text: str) -> str:
    errors = Collector()
    parse_text_message(text, "n.yaml", "NetParameter", errors)
    return "\n".join(str(e) for e in errors.found)


def test_the_example_of_the_design():
    expected = parse_text_message("""
        name: "LeNet"
        layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
                data_param { source: "builtin:mnist10k/train" batch_size: 64 } }
        layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
                convolution_param { num_output: 20 kernel_size: 5 weight_filler { type: "xavier" } } }
        layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
                pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
        layer { name: "ip1" type: "InnerProduct" bottom: "pool1" top: "ip1"
                inner_product_param { num_output: 500 weight_filler { type: "xavier" } } }
        layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip1" bottom: "label" top: "loss" }
    """, "f", "NetParameter").message
    assert net(LENET) == expected


def test_long_and_short_entries_mix():
    made = net("""
layer:
  - {name: in, type: Input, top: x, input_param: {shape: {dim: [1, 2]}}}
  - fc: {InnerProduct: {num_output: 3}, param: [{lr_mult: 1}, {lr_mult: 2}], loss_weight: 1}
  - quiet: {Silence:}
  - last: {type: ReLU, bottom: fc, relu_param: {}}
""")
    fc, quiet, last = made.layer[1:]
    assert (fc.name, fc.type, list(fc.bottom), list(fc.top)) == ("fc", "InnerProduct", ["x"], ["fc"])
    assert [p.lr_mult for p in fc.param] == [1, 2] and list(fc.loss_weight) == [1]
    assert (quiet.type, list(quiet.bottom), list(quiet.top)) == ("Silence", ["fc"], [])
    assert (last.type, list(last.bottom), list(last.top)) == ("ReLU", ["fc"], ["last"])
    assert last.HasField("relu_param")


def test_names_that_look_like_fields_or_values():
    made = net("layers:\n  - name: {ReLU: }\n  - off: {type: No, bottom: 1e3}\n  - {name: x, type: y}\n"
               "  - include: {phase: TEST}\n")
    assert [(m.name, m.type) for m in made.layer] == [("name", "ReLU"), ("off", "No"), ("x", "y"), ("", "")]
    assert list(made.layer[1].bottom) == ["1e3"] and made.layer[3].include[0].phase == 1


def test_empty_lists_mean_none():
    made = net("layers:\n  - a: {ReLU: {}}\n  - b: {ReLU: {}, bottom: [], top: []}\n")
    assert list(made.layer[1].bottom) == [] and list(made.layer[1].top) == []
    assert list(made.layer[0].bottom) == [] and list(made.layer[0].top) == ["a"]


def test_anchors_and_merges():
    made = net("""
layers:
  - a: {InnerProduct: &ip {num_output: 3, weight_filler: {type: xavier}}}
  - b: {InnerProduct: *ip}
  - c: {InnerProduct: {<<: *ip, num_output: 4}}
""")
    assert [m.inner_product_param.num_output for m in made.layer] == [3, 3, 4]
    assert made.layer[2].inner_product_param.weight_filler.type == "xavier"


def test_the_nets_of_a_solver_are_expanded_too():
    made = parse_text_message("net_param: {layers: [a: {ReLU: {}}]}\ntest_net_param: [{layers: [b: {ReLU: {}}]}]\n",
                              "s.yaml", "SolverParameter").message
    assert made.net_param.layer[0].type == "ReLU" and made.test_net_param[0].layer[0].name == "b"


def test_the_place_of_what_is_filled_in():
    located = parse_text_message(LENET, "net.yaml", "NetParameter")
    pool = located.child("layer", 2)
    assert str(pool.span_of("bottom", 0)) == "net.yaml:6:5"
    assert pool.span_of("bottom", 0).note == "the top of 'conv1', since no bottom is given"
    assert pool.span_of("top", 0).note == "the layer's name, since no top is given"
    assert str(pool.span) == "net.yaml:6:5" and str(pool.span_of("type")) == "net.yaml:6:13"
    assert str(pool.span_of("pooling_param", "stride")) == "net.yaml:6:58"


@pytest.mark.parametrize(("layers", "message"), [
    ("- a: {top: b}", """n.yaml:2:3: error: layer 'a': no type; it stands beside the other fields, \
as in {ReLU: {}, top: ip1}
  - a: {top: b}
    ^"""),
    ("- a:", """n.yaml:2:3: error: layer 'a': no type; it stands beside the other fields, as in {ReLU: {}, top: ip1}
  - a:
    ^"""),
    ("- a: {ReLU: {}, TanH: {}}", """n.yaml:2:17: error: layer 'a': two types: 'ReLU' and 'TanH'
  - a: {ReLU: {}, TanH: {}}
                  ^~~~"""),
    ("- a: {ReLU: {}, transfrom_param: {}}", """n.yaml:2:17: error: layer 'a' (ReLU): no field 'transfrom_param' in \
layer; did you mean 'transform_param'?
  - a: {ReLU: {}, transfrom_param: {}}
                  ^~~~~~~~~~~~~~~"""),
    ("- a: {ReLU: {negative_slop: 1}}", """n.yaml:2:14: error: layer 'a' (ReLU): no field 'negative_slop' in \
relu_param; did you mean 'negative_slope'?
  - a: {ReLU: {negative_slop: 1}}
               ^~~~~~~~~~~~~"""),
    ("- a: {ReLU: {negative_slope: 1}, relu_param: {}}", """n.yaml:2:7: error: layer 'a' (ReLU): relu_param is given \
twice, first in line 2
  - a: {ReLU: {negative_slope: 1}, relu_param: {}}
        ^~~~"""),
    ("- a: {Convoluton: {num_output: 1}}", """n.yaml:2:7: error: layer 'a': no options are known for the type \
'Convoluton'; did you mean 'Convolution'?
  - a: {Convoluton: {num_output: 1}}
        ^~~~~~~~~~"""),
    ("- a: {Silence: {bottom: 1}}", """n.yaml:2:17: error: layer 'a': 'bottom' is no option of the type 'Silence'; \
it stands beside 'Silence', not in it
  - a: {Silence: {bottom: 1}}
                  ^~~~~~"""),
    ("- a: {EuclideanLoss: {normalization: NONE}}", """n.yaml:2:23: error: layer 'a': 'normalization' is no option of \
the type 'EuclideanLoss'; it stands in loss_param, beside 'EuclideanLoss'
  - a: {EuclideanLoss: {normalization: NONE}}
                        ^~~~~~~~~~~~~"""),
    ("- a: {SoftmaxWithLoss: {ignore_label: 1}}", """n.yaml:2:25: error: layer 'a' (SoftmaxWithLoss): no field \
'ignore_label' in softmax_param; 'ignore_label' is a field of loss_param
  - a: {SoftmaxWithLoss: {ignore_label: 1}}
                          ^~~~~~~~~~~~"""),
    ("- a: {Input: {}, top: [x, y]}\n- b: {ReLU: {}}", """n.yaml:3:3: error: layer 'b': no bottom, and the layer \
before, 'a', has 2 tops (x, y); say which blob it reads, as in bottom: data
  - b: {ReLU: {}}
    ^"""),
    ("- a: {Silence: {}}\n- b: {ReLU: {}}", """n.yaml:3:3: error: layer 'b': no bottom, and the layer before, 'a', \
has no tops; say which blob it reads, as in bottom: data
  - b: {ReLU: {}}
    ^"""),
])
def test_mistakes(layers, message):
    assert mistakes(f"layers:\n{layers}\n") == message


def test_mistakes_of_short_entries_and_fields_come_together():
    with pytest.raises(ConfigErrors) as caught:
        net("nme: x\nlayers:\n- a: {top: b}\n- b: {ReLU: {slope: 1}}\n")
    assert len(caught.value.errors) == 3


def test_expanding_and_shortening_again():
    assert net(write.to_yaml(net(LENET), short=True)) == net(LENET)
