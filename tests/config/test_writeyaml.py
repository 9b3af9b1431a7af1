from __future__ import annotations

import pytest

from netdef.config import schema, write
from netdef.config.load import parse_text_message
from netdef.errors import ConfigError

NET = """name: "n"
layer { name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: [1, 3] } shape { dim: 1 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c" param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 20 kernel_size: [3, 5] weight_filler { type: "gaussian" std: 0.01 }
    bias_filler { type: "constant" value: 0.1 } engine: CAFFE } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" relu_param {} }
layer { name: "end" type: "Silence" bottom: "c" include { phase: TEST stage: "No" } }
"""


def net():
    return parse_text_message(NET, "f", "NetParameter").message


def test_long_form():
    assert write.to_yaml(net()) == """name: "n"
layers:
  - name: in
    type: Input
    top: [x, "y"]
    input_param: {shape: [{dim: [1, 3]}, {dim: 1}]}
  - name: c
    type: Convolution
    bottom: x
    top: c
    param: [{lr_mult: 1}, {lr_mult: 2, decay_mult: 0}]
    convolution_param:
      num_output: 20
      kernel_size: [3, 5]
      weight_filler: {type: gaussian, std: 0.01}
      bias_filler: {type: constant, value: 0.1}
      engine: CAFFE
  - name: r
    type: ReLU
    bottom: c
    top: c
    relu_param: {}
  - name: end
    type: Silence
    bottom: c
    include: {phase: TEST, stage: "No"}
"""


def test_short_form():
    assert write.to_yaml(net(), short=True) == """name: "n"
layers:
  - in: {Input: {shape: [{dim: [1, 3]}, {dim: 1}]}, top: [x, "y"]}
  - c:
      Convolution:
        num_output: 20
        kernel_size: [3, 5]
        weight_filler: {type: gaussian, std: 0.01}
        bias_filler: {type: constant, value: 0.1}
        engine: CAFFE
      bottom: x
      param: [{lr_mult: 1}, {lr_mult: 2, decay_mult: 0}]
  - r: {ReLU: {}, top: c, relu_param: {}}
  - end: {Silence: {}, include: {phase: TEST, stage: "No"}}
"""


def test_layers_that_have_no_short_form_stay_long():
    message = parse_text_message('layer { type: "ReLU" } layer { name: "include" type: "ReLU" } '
                                 'layer { name: "a" type: "relu" top: "a" } layer { name: "b" bottom: "z" }',
                                 "f", "NetParameter").message
    assert write.to_yaml(message, short=True) == """layers:
  - type: ReLU
  - name: include
    type: ReLU
  - a: {type: relu, bottom: []}
  - name: b
    bottom: z
"""


def test_empty_messages():
    assert write.to_yaml(schema.new("BlobProto")) == "{}\n"


def test_nets_of_2014_are_refused():
    message = parse_text_message("layers {}", "f", "NetParameter").message
    with pytest.raises(ConfigError, match="cannot be written as YAML; upgrade it first"):
        write.to_yaml(message)
