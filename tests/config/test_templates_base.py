from __future__ import annotations

import pytest

from netdef.config.load import load_net
from netdef.errors import NetdefError

BASE = """name: small
let: {classes: 10, hidden: 20}
layers:
  - data: {Data: {source: a, batch_size: 1}, top: [data, label], include: {phase: TRAIN}}
  - data: {Data: {source: b, batch_size: 1}, top: [data, label], include: {phase: TEST}}
  - ip1: {InnerProduct: {num_output: "${hidden}", weight_filler: {type: xavier}, axis: 1}, bottom: data}
  - relu1: {ReLU: {negative_slope: 0.1}, top: ip1}
  - ip2: {InnerProduct: {num_output: "${classes}"}}
  - loss: {SoftmaxWithLoss: {}, bottom: [ip2, label]}
"""


@pytest.fixture
def changed(tmp_path, monkeypatch):
    """``changed(text)``: the net that a text with the base BASE makes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BASE)

    def make(text):
        (tmp_path / "net.yaml").write_text("base: base.yaml\n" + text)
        return load_net("net.yaml").message

    return make


def layer(net, name, index=0):
    return [m for m in net.layer if m.name == name][index]


def test_nothing_changed(changed, tmp_path):
    assert changed("") == load_net("base.yaml").message


def test_fields_are_merged(changed):
    net = changed("name: other\nforce_backward: true\nlayers:\n  - ip1: {InnerProduct: {num_output: 7, axis: }}\n"
                  "  - {name: ip2, inner_product_param: {bias_term: false}, top: score}\n")
    assert net.name == "other" and net.force_backward and len(net.layer) == 6
    p = layer(net, "ip1").inner_product_param
    assert p.num_output == 7 and p.weight_filler.type == "xavier" and not p.HasField("axis")
    assert layer(net, "ip2").inner_product_param.num_output == 10 and list(layer(net, "ip2").top) == ["score"]
    assert list(layer(net, "ip1").bottom) == ["data"]


def test_the_names_of_the_base_are_set(changed, caplog):
    net = changed("let: {classes: 3, other: 5}\n"
                  "layers:\n  - ip1: {InnerProduct: {num_output: \"${classes + other + hidden}\"}}\n")
    assert layer(net, "ip2").inner_product_param.num_output == 3
    assert layer(net, "ip1").inner_product_param.num_output == 28
    assert "is not used" not in caplog.text
    changed("let: {clases: 3}\n")
    assert "'clases' is not used" in caplog.text and "did you mean 'classes'" in caplog.text


def test_a_changed_type_takes_its_options_along(changed):
    relu = layer(changed("layers:\n  - relu1: {ELU: {alpha: 0.5}}\n"), "relu1")
    assert relu.type == "ELU" and relu.elu_param.alpha == 0.5 and not relu.HasField("relu_param")
    assert list(relu.top) == ["ip1"]


def test_layers_of_one_name_are_told_apart_by_phase(changed):
    net = changed("layers:\n  - data: {Data: {source: mine}, include: {phase: TEST}}\n  - data: {data_param: {batch_size: 9}}\n")
    assert [(m.data_param.source, m.data_param.batch_size) for m in net.layer[:2]] == [("a", 9), ("mine", 9)]


def test_positions_and_removal(changed):
    net = changed("""layers:
  - {after: ip1, layers: [{bn: {BatchNorm: {}, top: "${previous}"}}, {more: {ReLU: {}}}]}
  - {before: loss, layers: [{prob: {Softmax: {}}}]}
  - {replace: relu1, layers: [{tanh: {TanH: {}, top: ip1}}]}
  - {remove: [ip2, "lo*"]}
""")
    assert [m.name for m in net.layer] == ["data", "data", "ip1", "bn", "more", "tanh", "prob"]
    assert list(layer(net, "bn").top) == ["ip1"] and list(layer(net, "more").bottom) == ["ip1"]
    assert list(layer(net, "prob").bottom) == ["ip2"]


def test_repeats_change_several(changed):
    net = changed("layers:\n  - {repeat: {i: 1..2}, layers: [{\"ip${i}\": {param: {lr_mult: 0}}}]}\n")
    assert [m.param[0].lr_mult for m in net.layer if m.param] == [0, 0]


@pytest.mark.parametrize(("text", "part"), [
    ("  - relu2: {ReLU: {}}\n", "net.yaml:3:5: error: no layer 'relu2' in the base base.yaml; did you mean 'relu1'?"),
    ("  - quite_new: {ReLU: {}}\n", "a new layer stands in {after: NAME, layers: [...]}"),
    ("  - {remove: lss}\n", "no layer 'lss' in the base base.yaml; did you mean 'loss'?"),
    ("  - {before: q, layers: []}\n", "no layer 'q'"),
    ("  - ip1: {InnerProduct: {num_outptu: 3}}\n", "did you mean 'num_output'?")])
def test_mistakes(changed, text, part):
    with pytest.raises(NetdefError) as caught:
        changed("layers:\n" + text)
    assert part in str(caught.value)


def test_an_error_in_the_base_names_both_files(changed):
    with pytest.raises(NetdefError) as caught:
        changed("let: {classes: many}\n")
    assert str(caught.value).startswith("base.yaml:8:38: error: layer 'ip2'") and "net.yaml:2:16" in str(caught.value)


def test_a_base_in_prototxt(changed, tmp_path):
    (tmp_path / "p.prototxt").write_text('layer { name: "a" type: "Eltwise" bottom: "x" bottom: "y" top: "a" '
                                         'eltwise_param { coeff: 1 coeff: -1 } }')
    (tmp_path / "n.yaml").write_text("base: p.prototxt\nlayers:\n  - a: {Eltwise: {operation: SUM}, bottom: [x, z]}\n")
    made = load_net("n.yaml").message.layer[0]
    assert list(made.bottom) == ["x", "z"] and list(made.eltwise_param.coeff) == [1, -1]
    (tmp_path / "p.prototxt").write_text('layers { name: "a" type: RELU }')
    with pytest.raises(NetdefError, match="syntax of 2014.*convert --upgrade"):
        load_net("n.yaml")
