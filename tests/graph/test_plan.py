"""Where gradients flow, where they are added up, where they stop, and which in-place layers are refused."""
from __future__ import annotations

import pytest

DATA = '''layer { name: "data" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
'''


def ip(name, bottom, extra="", n=4):
    return (f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{name}" '
            f'inner_product_param {{ num_output: {n} }} {extra} }}\n')


def unary(type_, name, bottom, top=None, extra=""):
    return f'layer {{ name: "{name}" type: "{type_}" bottom: "{bottom}" top: "{top or name}" {extra} }}\n'


def loss(bottom, name="loss", extra=""):
    return f'layer {{ name: "{name}" type: "SoftmaxWithLoss" bottom: "{bottom}" bottom: "label" top: "{name}" {extra} }}\n'


def step(plan, name):
    return next(s for s in plan.steps if s.node.name == name)


def backward(plan):
    return [plan.steps[i].node.name for i in plan.backward_order]


def test_a_plain_chain(built):
    plan = built(DATA + ip("a", "data") + unary("ReLU", "r", "a", "a") + ip("b", "a") + loss("b"), phase="TRAIN")
    assert backward(plan) == ["loss", "b", "r", "a"]
    assert step(plan, "a").need == ((False,), (True, True))
    assert step(plan, "b").need == ((True,), (True, True))
    assert step(plan, "loss").need.bottoms == (True, False)


def test_nothing_runs_without_a_loss(built):
    assert backward(built(DATA + ip("a", "data"), phase="TRAIN")) == []


def test_force_backward_reaches_the_data(built):
    plan = built("force_backward: true\n" + DATA + ip("a", "data") + loss("a"), phase="TRAIN")
    assert step(plan, "a").need.bottoms == (True,)
    assert step(plan, "loss").need.bottoms == (True, False)


def test_frozen_layers_pass_gradients_only_to_those_that_learn(built):
    frozen = "param { lr_mult: 0 } param { lr_mult: 0 }"
    plan = built(DATA + ip("a", "data") + ip("b", "a", frozen) + loss("b"), phase="TRAIN")
    assert step(plan, "b").need == ((True,), (False, False))
    plan = built(DATA + ip("a", "data", frozen) + ip("b", "a") + loss("b"), phase="TRAIN")
    assert backward(plan) == ["loss", "b"]
    assert "frozen: lr_mult is 0" in str(step(plan, "a").reason)


def test_propagate_down_false_stops_and_true_forces(built):
    plan = built(DATA + ip("a", "data") + ip("b", "a", "propagate_down: false") + loss("b"), phase="TRAIN")
    assert backward(plan) == ["loss", "b"]
    plan = built(DATA + ip("a", "data", "propagate_down: true") + loss("a"), phase="TRAIN")
    assert step(plan, "a").need.bottoms == (True,)


def test_propagate_down_true_where_there_is_no_gradient(message_of):
    text = message_of(DATA + ip("a", "data") + loss("a", extra="propagate_down: true propagate_down: true"),
                      phase="TRAIN")
    assert ("layer 'loss' (SoftmaxWithLoss): propagate_down: true asks for a gradient by bottom 1 'label', which this "
            "type does not give") in text


def test_side_branches_without_a_loss_do_not_run(built):
    accuracy = 'layer { name: "acc" type: "Accuracy" bottom: "a" bottom: "label" top: "acc" }\n'
    plan = built(DATA + ip("a", "data") + ip("side", "a") + accuracy + loss("a"), phase="TRAIN")
    assert backward(plan) == ["loss", "a"]
    assert str(step(plan, "side").reason) == "leads to no loss"


def test_fan_out_is_summed_over_the_edges_that_give_a_gradient(built):
    plan = built(DATA + ip("a", "data") + ip("b", "a") + ip("c", "a") + unary("Silence", "s", "a", "").replace('top: "s"', "")
                 .replace('top: ""', "") + loss("b") + loss("c", "loss2"), phase="TRAIN")
    a = next(v.id for v in plan.description.values if v.blob == "a")
    assert plan.sums[a] == ((2, 0), (3, 0))
    assert plan.description.split_name(a, 1) == "a_a_0_split_1"


def test_a_loss_weight_counts_as_a_use(built):
    plan = built(DATA + 'layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" loss_weight: 0.5 '
                 "inner_product_param { num_output: 4 } }\n" + loss("a"), phase="TRAIN")
    a = next(v.id for v in plan.description.values if v.blob == "a")
    assert plan.uses(a) == [None, (2, 0)]
    assert plan.losses[a] == 0.5


def test_shared_params_have_one_owner(built):
    shared = 'param { name: "w" lr_mult: 2 } param { name: "b" }'
    plan = built(DATA + ip("a", "data", shared, 3) + ip("b", "a", 'param { name: "w" } param { name: "b" decay_mult: 0 }', 3)
                 + loss("b"), phase="TRAIN")
    assert [p.owner for p in plan.params] == [0, 1, 0, 1]
    assert plan.params[2].lr_mult == 2
    assert plan.params[1].decay_mult == 0


def test_sharing_mistakes_name_both_places(message_of):
    shared = 'param { name: "w" }'
    text = message_of(DATA + ip("a", "data", shared) + ip("b", "a", shared, 5) + loss("b"), phase="TRAIN")
    assert ("layer 'b' (InnerProduct): param 'w' has shape (5, 4), but layer 'a' (InnerProduct) at net.prototxt:3:1 "
            "shares it with shape (4, 3); the shapes must be equal; share_mode: PERMISSIVE asks for equal counts only") in text
    text = message_of(DATA + ip("a", "data", 'param { name: "w" lr_mult: 1 }', 3)
                      + ip("b", "a", 'param { name: "w" lr_mult: 2 }', 3) + loss("b"), phase="TRAIN")
    assert "has lr_mult 2, but layer 'a' (InnerProduct) at net.prototxt:3:1 shares it with lr_mult 1" in text


def test_permissive_sharing_wants_equal_counts(built):
    plan = built(DATA + ip("a", "data", 'param { name: "w" }', 4)
                 + ip("b", "a", 'param { name: "w" share_mode: PERMISSIVE }', 3) + loss("b"), phase="TRAIN")
    assert plan.params[2].owner == 0


def test_too_many_param_entries(message_of):
    text = message_of(DATA + ip("a", "data", "param { } param { } param { }"))
    assert "layer 'a' (InnerProduct): has 2 params, but 3 param entries are written" in text


def test_dropout_in_place_after_relu_in_place_is_safe(built):
    built(DATA + ip("a", "data") + unary("ReLU", "r", "a", "a") + unary("Dropout", "d", "a", "a") + loss("a"),
          phase="TRAIN")


@pytest.mark.parametrize("phase, refused", [("TRAIN", True), ("TEST", False)])
def test_dropout_in_place_after_sigmoid_in_place(built, message_of, phase, refused):
    text = DATA + ip("a", "data") + unary("Sigmoid", "s", "a", "a") + unary("Dropout", "d", "a", "a") + loss("a")
    if refused:
        message = message_of(text, phase=phase)
        assert ("layer 'd' (Dropout): works in place on 'a', but the gradient of layer 's' (Sigmoid) at "
                "net.prototxt:4:1 needs that blob as it was; give the top a name of its own") in message
    else:
        built(text, phase=phase)


def test_layers_that_cannot_work_in_place(message_of):
    text = message_of(DATA + ip("a", "data") + 'layer { name: "p" type: "Eltwise" bottom: "a" bottom: "data" top: "a" }')
    assert "Eltwise cannot work in place on 'a'" in text or "expected" in text


def test_label_gradients_stop_with_a_warning(built, caplog):
    plan = built(DATA + ip("a", "data") + ip("t", "data", n=1)
                 + 'layer { name: "l" type: "SoftmaxWithLoss" bottom: "a" bottom: "t" top: "l" }', phase="TRAIN")
    assert backward(plan) == ["l", "a"]
    assert "gives no gradient by bottom 1 't', though a layer below it learns" in caplog.text


def test_render_plan_answers_the_beginner(built):
    from netdef.graph.render import render_description, render_plan, render_shapes, render_summary

    plan = built(DATA + ip("a", "data") + ip("b", "a") + ip("c", "a", "propagate_down: false") + loss("b")
                 + loss("c", "loss2"), phase="TRAIN")
    text = render_plan(plan)
    assert "forward:  data -> a -> b -> c -> loss -> loss2" in text
    assert "backward: loss2 -> loss -> c -> b -> a" in text
    assert "a = b (a_a_0_split_0)" in text
    assert "a -> c (bottom 0): propagate_down: false [" in text
    assert "2x4" in render_shapes(plan.shapes)
    assert "leads" not in render_description(plan.description)
    assert "params         56" in render_summary(plan)
