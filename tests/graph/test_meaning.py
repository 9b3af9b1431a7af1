from __future__ import annotations

import pytest

from netdef.config.load import parse_text_message
from netdef.graph.meaning import differences_of


def found(a, b, message="LayerParameter"):
    made = differences_of(*(parse_text_message(t, f"{n}.prototxt", message) for n, t in (("a", a), ("b", b))))
    return [(d.path, d.a, d.b) for d in made]


@pytest.mark.parametrize(("a", "b"), [
    ("relu_param { negative_slope: 0 }", ""), ("", "relu_param {}"), ("convolution_param { num_output: 2 }",
     "convolution_param { num_output: 2 bias_term: true group: 1 stride: 1 pad: 0 weight_filler { type: 'constant' } }"),
    ("convolution_param { kernel_size: 3 }", "convolution_param { kernel_h: 3 kernel_w: 3 }"),
    ("convolution_param { kernel_size: 3 stride: 2 }", "convolution_param { kernel_size: [3, 3] stride: [2, 2] engine: CAFFE }"),
    ("pooling_param { kernel_size: 2 stride: 2 }", "pooling_param { kernel_h: 2 kernel_w: 2 stride_h: 2 stride_w: 2 pool: MAX }"),
    ("param { lr_mult: 1 }", ""), ("param { lr_mult: 2 } param { lr_mult: 1 }", "param { lr_mult: 2 decay_mult: 1 }"),
    ("type: 'SoftmaxWithLoss'", "type: 'SoftmaxWithLoss' loss_weight: 1")])
def test_the_same(a, b):
    assert found(a, b) == [] and found(b, a) == []


@pytest.mark.parametrize(("a", "b", "wanted"), [
    ("type: 'A'", "type: 'B'", ("type", '"A"', '"B"')),
    ("convolution_param { kernel_size: 3 }", "convolution_param { kernel_h: 3 kernel_w: 5 }",
     ("convolution_param.kernel_size", "3", "3, 5")),
    ("pooling_param { pool: AVE }", "", ("pooling_param.pool", "AVE", "MAX")),
    ("param { lr_mult: 1 } param { lr_mult: 2 }", "", ("param[1].lr_mult", "2", "1")),
    ("include { phase: TEST }", "", ("include", "1 given", "0 given")),
    ("type: 'SoftmaxWithLoss'", "type: 'SoftmaxWithLoss' loss_weight: 0.5", ("loss_weight", "1", "0.5")),
    ("include { phase: TEST }", "include { phase: TRAIN }", ("include[0].phase", "TEST", "TRAIN"))])
def test_different(a, b, wanted):
    assert found(a, b) == [wanted]


def test_both_places():
    (d,) = differences_of(parse_text_message("base_lr: 1", "a.prototxt", "SolverParameter"),
                          parse_text_message("max_iter: 0\nbase_lr: 2", "b.prototxt", "SolverParameter"))
    assert str(d) == "base_lr: 1 -> 2  [a.prototxt:1:10 -> b.prototxt:2:10]"
