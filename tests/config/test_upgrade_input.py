from __future__ import annotations

import logging

import pytest

from netdef.config.load import parse_text_message
from netdef.config.located import Located
from netdef.config.upgrade import Report, upgrade_net
from netdef.errors import FieldError


def net(text: str) -> Located:
    return parse_text_message(text, "n.prototxt", "NetParameter")


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING, "netdef")
    return lambda: [r.getMessage() for r in caplog.records]


def test_input_dim(warnings):
    old = net('name: "n"\ninput: "a"\ninput_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4\nlayer { name: "l" }')
    new = upgrade_net(old)
    first = new.message.layer[0]
    assert (first.name, first.type, list(first.top)) == ("input", "Input", ["a"])
    assert [list(s.dim) for s in first.input_param.shape] == [[1, 2, 3, 4]]
    assert not new.message.input and not new.message.input_dim and new.message.layer[1].name == "l"
    assert warnings() == [
        "n.prototxt:2:8: warning: 'input' is upgraded to an Input layer named 'input'\n  input: \"a\"\n         ^~~"]
    assert str(new.span_of("layer", 0)) == "n.prototxt:2:8"
    assert new.span_of("layer", 0).note == "upgraded from input"
    assert str(new.span_of("layer", 0, "input_param", "shape", 0)) == "n.prototxt:3:12"
    assert str(new.span_of("layer", 1, "name")) == "n.prototxt:4:15"
    assert list(old.message.input) == ["a"] and len(old.message.layer) == 1  # the old one is left alone


def test_input_shape_and_several_inputs():
    new = upgrade_net(net('input: "a" input: "b" input_shape { dim: 1 dim: 2 } input_shape { dim: 3 }'))
    assert [list(s.dim) for s in new.message.layer[0].input_param.shape] == [[1, 2], [3]]
    assert list(new.message.layer[0].top) == ["a", "b"]
    new = upgrade_net(net('input: ["a", "b"] input_dim: [1, 2, 3, 4, 5, 6, 7, 8]'))
    assert [list(s.dim) for s in new.message.layer[0].input_param.shape] == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_input_without_a_shape_is_dropped(warnings):
    new = upgrade_net(net('input: "a" layer { name: "l" }'))
    assert [m.name for m in new.message.layer] == ["l"] and not new.message.input
    assert "says nothing and is dropped" in warnings()[0]


@pytest.mark.parametrize(("text", "message"), [
    ('input: "a" input_dim: 1', """n.prototxt:1:23: error: 1 inputs need 4 input_dim, got 1; \
input_shape takes any number of dimensions
  input: "a" input_dim: 1
                        ^"""),
    ('input: ["a", "b"] input_shape { dim: 1 }', """n.prototxt:1:19: error: 2 inputs, but 1 input_shape; \
give one input_shape for each input
  input: ["a", "b"] input_shape { dim: 1 }
                    ^~~~~~~~~~~"""),
])
def test_inputs_that_do_not_fit(text, message):
    with pytest.raises(FieldError) as caught:
        upgrade_net(net(text))
    assert str(caught.value) == message


def test_batch_norm(warnings):
    old = net('layer { name: "b" type: "BatchNorm"\n param { lr_mult: 0 } param { name: "v" lr_mult: 2 } param {} }\n'
              'layer { type: "BatchNorm" param { lr_mult: 1 } }\nlayer { type: "Scale" param {} param {} param {} }')
    new = upgrade_net(old).message
    assert [(p.lr_mult, p.decay_mult) for p in new.layer[0].param] == [(0, 0)] * 3
    assert new.layer[0].param[1].name == "v" and new.layer[1].param[0].lr_mult == 1
    assert new.layer[2].param[0].lr_mult == 1
    assert warnings() == ["n.prototxt:2:50: warning: layer 'b' (BatchNorm): its three param are statistics, their "
                          "lr_mult and decay_mult are taken as 0\n"
                          "   param { lr_mult: 0 } param { name: \"v\" lr_mult: 2 } param {} }\n" + " " * 51 + "^"]


def test_batch_norm_as_it_should_be_is_left_alone(warnings):
    old = net('layer { type: "BatchNorm" ' + "param { lr_mult: 0 decay_mult: 0 }" * 3 + " }")
    assert upgrade_net(old) is old and warnings() == []


def test_transformations_in_the_data_layer_warn(warnings):
    upgrade_net(net('layer { name: "d" type: "Data" data_param { source: "x" scale: 0.5 } }'))
    assert warnings() == [
        "n.prototxt:1:64: warning: layer 'd' (Data): data_param.scale has no effect, as in Caffe; "
        "did you mean transform_param { scale: ... }?\n"
        '  layer { name: "d" type: "Data" data_param { source: "x" scale: 0.5 } }\n' + " " * 65 + "^~~"]


def test_every_change_is_in_the_report():
    report = Report()
    upgrade_net(net('input: "a" layer { name: "b" type: "BatchNorm" param { lr_mult: 0 } param {} param {} }'), report)
    assert [(c.weight, c.text) for c in report.changes][:2] == [
        (2, "'input' without input_shape or input_dim says nothing and is dropped"),
        (2, "layer 'b' (BatchNorm): its three param are statistics, their lr_mult and decay_mult are taken as 0")]
    assert [c.weight for c in report.changes][2:] == [0] * 5
