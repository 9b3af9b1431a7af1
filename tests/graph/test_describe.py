"""Which layers are kept, who makes and reads what, and what is said when that fails."""
from __future__ import annotations

import pytest

DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }\n'


def ip(name, bottom, top=None, extra=""):
    return (f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{top or name}" '
            f'inner_product_param {{ num_output: 4 }} {extra} }}\n')


def relu(name, blob, top=None):
    return f'layer {{ name: "{name}" type: "ReLU" bottom: "{blob}" top: "{top or blob}" }}\n'


def names(plan):
    return [s.node.name for s in plan.steps]


def test_layers_run_in_file_order_and_outputs_are_sorted(built):
    plan = built(DATA + ip("z", "data") + ip("a", "data") + ip("m", "data"))
    assert names(plan) == ["data", "z", "a", "m"]
    assert plan.description.outputs == ("a", "m", "z")
    assert plan.description.inputs == ("data",)


@pytest.mark.parametrize("rules, state, kept", [
    ("", {}, True),
    ("include { phase: TRAIN }", {"phase": "TRAIN"}, True),
    ("include { phase: TRAIN }", {"phase": "TEST"}, False),
    ("exclude { phase: TRAIN }", {"phase": "TRAIN"}, False),
    ("exclude { phase: TRAIN }", {"phase": "TEST"}, True),
    ("include { min_level: 2 }", {"level": 1}, False),
    ("include { min_level: 2 }", {"level": 2}, True),
    ("include { max_level: 2 }", {"level": 3}, False),
    ("include { stage: 'a' stage: 'b' }", {"stages": ["a"]}, False),
    ("include { stage: 'a' stage: 'b' }", {"stages": ["a", "b", "c"]}, True),
    ("include { not_stage: 'a' }", {"stages": ["a"]}, False),
    ("include { not_stage: 'a' }", {}, True),
    ("include { phase: TRAIN } include { stage: 'x' }", {"phase": "TEST", "stages": ["x"]}, True),
    ("include { phase: TRAIN stage: 'x' }", {"phase": "TRAIN"}, False),
    ("exclude { stage: 'x' } exclude { stage: 'y' }", {"stages": ["y"]}, False),
])
def test_rules(built, rules, state, kept):
    plan = built(DATA + ip("a", "data", extra=rules), **state)
    assert ("a" in names(plan)) == kept


def test_net_state_is_merged_and_stages_add_up(built):
    text = "state { phase: TRAIN level: 3 stage: 'own' }\n" + DATA
    state = built(text, stages=["mine"]).description.state
    assert (state.phase, state.level, state.stages) == ("TRAIN", 3, ("own", "mine"))
    state = built(text, phase="TEST", level=0).description.state
    assert (state.phase, state.level) == ("TEST", 0)


def test_layer_phase_sets_behaviour_not_membership(built):
    plan = built(DATA + 'layer { name: "d" type: "Dropout" bottom: "data" top: "d" phase: TEST }', phase="TRAIN")
    assert plan.steps[1].node.spec.phase == "TEST"


def test_both_kinds_of_rules(message_of):
    assert message_of(DATA + ip("a", "data", extra="include { } exclude { }")) == (
        "net.prototxt:2:103: error: layer 'a' (InnerProduct): has both include and exclude rules; keep one kind\n"
        '  layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" inner_product_param { num_output: 4 } '
        "include { } exclude { } }\n" + " " * 115 + "^~~~~~~").replace(":2:103:", ":2:114:")


def test_in_place_makes_a_new_version_of_the_blob(built):
    plan = built(DATA + ip("a", "data") + relu("r1", "a") + ip("b", "a"))
    versions = [v for v in plan.description.values if v.blob == "a"]
    assert [v.maker for v in versions] == [1, 2]
    assert versions[1].replaces == versions[0].id
    assert versions[1].readers == ((3, 0),)


def test_unknown_bottom(message_of):
    assert message_of(DATA + relu("r", "dato", "r")) == (
        "net.prototxt:2:40: error: layer 'r' (ReLU): bottom 'dato' is made by no layer before it (phase TEST); "
        "did you mean 'data'?\n"
        '  layer { name: "r" type: "ReLU" bottom: "dato" top: "r" }\n' + " " * 41 + "^~~~~~")


def test_unknown_bottom_that_stands_behind(message_of):
    text = message_of(DATA + relu("r", "late", "r") + ip("late", "data"))
    assert "layer 'late' makes it, but stands behind at net.prototxt:3:1; layers run in the order of the file" in text


def test_unknown_bottom_of_a_layer_left_out(message_of):
    text = message_of(DATA + ip("a", "data", extra="include { phase: TRAIN }") + relu("r", "a", "r"))
    assert ("layer 'a' at net.prototxt:2:1 makes it, but is left out here: no include rule matches: "
            "it is for phase TRAIN") in text


def test_two_makers_of_one_blob(message_of):
    text = message_of(DATA + ip("a", "data", "x") + ip("b", "data", "x"))
    assert text.startswith("net.prototxt:3:60: error: layer 'b' (InnerProduct): top 'x' is already made by layer 'a' "
                           "(InnerProduct) at net.prototxt:2:60; give it another name\n")


def test_in_place_on_a_blob_that_another_layer_read(message_of):
    text = message_of(DATA + ip("a", "data") + ip("b", "a") + relu("r", "a"))
    assert ("layer 'r' (ReLU): works in place on 'a', which layer 'b' (InnerProduct) at net.prototxt:3:1 reads too and "
            "would find changed in backward; give the top a name of its own, or put the in-place layer first") in text


def test_unknown_type(message_of):
    text = message_of('layer { name: "r" type: "Relu" top: "x" }')
    assert text.startswith("net.prototxt:1:25: error: layer 'r': unknown layer type 'Relu'; did you mean 'ReLU'?\n")


def test_arity(message_of):
    text = message_of(DATA + 'layer { name: "r" type: "ReLU" bottom: "data" bottom: "data" top: "r" }')
    assert text.startswith("net.prototxt:2:55: error: layer 'r' (ReLU): expected 1 bottom, got 2\n")
    text = message_of(DATA + 'layer { name: "r" type: "ReLU" bottom: "data" }')
    assert text.startswith("net.prototxt:2:1: error: layer 'r' (ReLU): expected 1 top, got 0\n")


def test_loss_weight_once_a_top(message_of):
    text = message_of(DATA + 'layer { name: "r" type: "ReLU" bottom: "data" top: "r" loss_weight: 1 loss_weight: 2 }')
    assert "expected one loss_weight a top (1), got 2" in text


def test_same_name_twice(message_of):
    text = message_of(DATA + ip("a", "data", "x") + ip("a", "x", "y"))
    assert "layer 'a' (InnerProduct): a layer with params of this name stands at net.prototxt:2:1" in text


def test_layers_without_params_may_share_a_name(built):
    loss = 'layer {{ name: "loss" type: "EuclideanLoss" bottom: "data" bottom: "data" top: "{}" }}\n'
    assert names(built(DATA + loss.format("a") + loss.format("b"), phase="TRAIN")) == ["data", "loss", "loss"]


def test_a_loss_makes_its_missing_top(built):
    plan = built(DATA + 'layer { name: "l" type: "EuclideanLoss" bottom: "data" bottom: "data" }', phase="TRAIN")
    assert list(plan.losses.values()) == [1.0]
    assert plan.description.outputs == ()


def test_five_mistakes_of_five_kinds_in_one_run(message_of):
    text = message_of('''
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" inner_product_param { num_ouptut: 4 } }
layer { name: "ip2" type: "InnerProduct" bottom: "data" top: "ip2" inner_product_param { num_output: many } }
layer { name: "r" type: "Relu" bottom: "data" top: "r" }
layer { name: "ip3" type: "InnerProduct" bottom: "dta" top: "ip3" inner_product_param { num_output: 2 } }
layer { name: "sum" type: "Eltwise" bottom: "data" bottom: "data2" top: "sum" }
layer { name: "small" type: "Input" top: "small" input_param { shape { dim: 5 } } }
layer { name: "sum2" type: "Eltwise" bottom: "data" bottom: "small" top: "sum2" }
''')
    assert "no field 'num_ouptut' in inner_product_param; did you mean 'num_output'?" in text
    assert "net.prototxt:4:" in text
    assert "unknown layer type 'Relu'" in text
    assert "bottom 'dta' is made by no layer before it" in text
    assert "bottom 'data2' is made by no layer before it" in text
    assert "layer 'sum2' (Eltwise)" in text
    assert "bottom 1 'small' has shape (5,), made by layer 'small' (Input) at net.prototxt:8:1" in text
    assert text.endswith("6 errors"), text
