"""Where gradients come from, and where they are stopped: whole answers for small nets, large nets by the second."""
from __future__ import annotations

import logging
import time

import pytest

from netdef.errors import GraphError, UnknownBlob
from netdef.graph.build import build, survey
from netdef.graph.target import Target, resolve
from netdef.graph.why import why
from netdef.graph.whytext import render_why

DATA = '''layer { name: "data" type: "Input" top: "data" top: "label" input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
'''


def ip(name, bottom, extra="", n=4):
    return (f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{name}" '
            f'inner_product_param {{ num_output: {n} }} {extra} }}\n')


def loss(bottom, name="loss", extra=""):
    return f'layer {{ name: "{name}" type: "SoftmaxWithLoss" bottom: "{bottom}" bottom: "label" top: "{name}" {extra} }}\n'


def python(name, module, layer, bottoms, top, extra=""):
    read = " ".join(f'bottom: "{b}"' for b in bottoms)
    return (f'layer {{ name: "{name}" type: "Python" {read} top: "{top}" {extra} '
            f'python_param {{ module: "{module}" layer: "{layer}" }} }}\n')


def add(name, *bottoms):
    read = " ".join(f'bottom: "{b}"' for b in bottoms)
    return f'layer {{ name: "{name}" type: "Eltwise" {read} top: "{name}" }}\n'


RELU = 'layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }\n'
FORK = DATA + ip("a", "data") + RELU + ip("b", "a") + ip("c", "a") + add("sum", "b", "c") + loss("sum")
STOPS = (DATA + ip("a", "data", "param { lr_mult: 0 }") + ip("b", "a", "propagate_down: false") + loss("b")
         + ip("c", "a") + loss("c", "aux", "loss_weight: 0") + loss("a", "late", "include { phase: TEST }")
         + 'layer { name: "best" type: "ArgMax" bottom: "a" top: "best" }\n')
DETECT = '''name: "detect"
layer { name: "input" type: "Python" top: "data" top: "boxes" top: "label"
        python_param { module: "roi_data_layer.layer" layer: "RoIDataLayer" } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 8 kernel_size: 3 } }
layer { name: "rpn_bbox_pred" type: "Convolution" bottom: "conv" top: "rpn_bbox_pred"
        convolution_param { num_output: 36 kernel_size: 1 } }
layer { name: "rpn_loss_bbox" type: "SmoothL1Loss" bottom: "rpn_bbox_pred" bottom: "boxes" top: "rpn_loss_bbox" }
layer { name: "proposal" type: "Python" bottom: "rpn_bbox_pred" top: "rois"
        python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" } }
layer { name: "roi_pool" type: "ROIPooling" bottom: "conv" bottom: "rois" top: "roi_pool"
        roi_pooling_param { pooled_h: 2 pooled_w: 2 } }
layer { name: "score" type: "InnerProduct" bottom: "roi_pool" top: "score" inner_product_param { num_output: 3 } }
layer { name: "loss_cls" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss_cls" }
'''


def test_arrives_by_two_ways_that_are_added_up(answer):
    assert answer("why", FORK, "a") == """\
'a' (2x4) gets a gradient, from loss

params:
  a[0] weights (4x3): lr_mult 1
  a[1] bias (4): lr_mult 1

a gradient arrives:
  from loss (SoftmaxWithLoss), loss_weight 1: 2 paths
    1 by b: loss -> sum -> b -> relu -> 'a'
    1 by c: loss -> sum -> c -> relu -> 'a'

gradients are added up on the way:
  a@relu = b + c"""


def test_nobody_asks_for_the_data(answer):
    assert answer("why", FORK, "data") == """\
'data' (2x3) gets no gradient: nothing at or below it learns, so none is computed

nothing at or below it learns:
  data (Input) has nothing below it [net.prototxt:1:1]

a gradient would arrive, if it were asked for (by propagate_down or force_backward):
  from loss (SoftmaxWithLoss), loss_weight 1: 2 paths
    1 by b: loss -> sum -> b -> relu -> a -> 'data'
    1 by c: loss -> sum -> c -> relu -> a -> 'data'

gradients are added up on the way:
  a@relu = b + c"""


def test_force_backward_asks_for_the_data(answer):
    text = answer("why", "force_backward: true\n" + FORK, "data")
    assert text.startswith("'data' (2x3) gets a gradient, from loss\n")
    frozen = "force_backward: true\n" + DATA + ip("a", "data", "param { lr_mult: 0 }") + loss("a")
    assert "a[0] weights (4x3): lr_mult is 0 [net.prototxt:3:119], but force_backward computes its gradient" in answer(
        "why", frozen, "a[0]")
    overruled = "force_backward: true\n" + DATA + ip("a", "data") + ip("b", "a", "propagate_down: false") + loss("b")
    assert answer("why", overruled, "a").startswith("'a' (2x4) gets a gradient, from loss\n")


def test_stopped_four_ways(answer):
    assert answer("why", STOPS, "a") == """\
'a' (2x4) gets no gradient: every path to a loss is stopped

params:
  a[0] weights (4x3): none, lr_mult is 0 [net.prototxt:2:119]
  a[1] bias (4): lr_mult 1, but no gradient arrives

a gradient is stopped:
  at b, bottom 0 'a': propagate_down: false [net.prototxt:3:115]
    1 path of loss: loss -> b -x 'a'
  at aux (SoftmaxWithLoss): its loss_weight is 0 [net.prototxt:6:97]
    1 path: aux -x c -> 'a'
  at late (SoftmaxWithLoss): left out in phase TRAIN, level 0: no include rule matches: it is for phase TEST \
[net.prototxt:7:1]
    1 path: late -x 'a'

leads to no loss: best (ArgMax)"""


def test_a_loss_left_out_behind_a_layer_left_out(answer):
    rule = "include { stage: 'x' }"
    text = answer("why", DATA + ip("a", "data") + ip("b", "a", rule) + loss("b", extra=rule), "a")
    assert text.startswith("'a' (2x4) gets no gradient: the net has no loss (phase TRAIN, level 0)\n")
    assert "at loss (SoftmaxWithLoss): left out in phase TRAIN, level 0: no include rule matches: it is for stage 'x'" in text


def test_a_frozen_param(answer):
    assert answer("why", DATA + ip("a", "data", "param { } param { lr_mult: 0 }") + loss("a"), "a/bias") == """\
param a[1] bias (4) gets no gradient: it does not learn

params:
  a[1] bias (4): none, lr_mult is 0 [net.prototxt:2:129]

a gradient would arrive, if it learned:
  from loss (SoftmaxWithLoss), loss_weight 1: 1 path
    loss -> (a[1])"""


def test_frozen_all_the_way_down(answer):
    frozen = "param { lr_mult: 0 } param { lr_mult: 0 }"
    text = answer("why", DATA + ip("a", "data", frozen) + ip("b", "a", frozen) + ip("c", "b") + loss("c"), "b")
    assert text.startswith("'b' (2x4) gets no gradient: nothing at or below it learns, so none is computed\n")
    assert """
nothing at or below it learns:
  a[0] weights: lr_mult is 0 [net.prototxt:2:119]
  a[1] bias: lr_mult is 0 [net.prototxt:2:140]
  data (Input) has nothing below it [net.prototxt:1:1]
""" in text


def test_statistics_of_batch_norm(answer):
    norm = 'layer { name: "bn" type: "BatchNorm" bottom: "a" top: "bn" }\n'
    text = answer("why", DATA + ip("a", "data") + norm + loss("bn"), "bn/variance")
    assert "bn[1] variance (4): none, never learned: the layer keeps it itself" in text


def test_shared_params_have_a_path_for_each_use(answer):
    shared = 'param { name: "w" lr_mult: 2 }'
    net = DATA + ip("a", "data", shared, 3) + ip("b", "a", 'param { name: "w" }', 3) + loss("b")
    assert answer("why", net, "w") == """\
param a[0] weights (3x3) gets a gradient, from loss

params:
  a[0] weights (3x3): lr_mult 2
  b[0] weights (3x3): lr_mult 2; its memory is that of a[0] weights, where gradients are added up

a gradient arrives:
  from loss (SoftmaxWithLoss), loss_weight 1: 2 paths
    loss -> (b[0])
    loss -> b -> (a[0])"""
    assert answer("why", net, "b[0]").startswith("param b[0] weights (3x3) gets a gradient, from loss\n")


def test_the_well_known_question_without_python_modules(answer):
    assert answer("why", DETECT, "rpn_bbox_pred") == """\
'rpn_bbox_pred' (?) gets a gradient, from rpn_loss_bbox

params:
  rpn_bbox_pred[0] weights (?): lr_mult 1
  rpn_bbox_pred[1] bias (?): lr_mult 1

a gradient arrives:
  from rpn_loss_bbox (SmoothL1Loss), loss_weight 1: 1 path
    rpn_loss_bbox -> 'rpn_bbox_pred'

a gradient is stopped:
  at proposal, bottom 0 'rpn_bbox_pred': ProposalLayer (Python) passes nothing down; what it makes is taken as constant \
[net.prototxt:8:49]
    1 path of loss_cls: loss_cls -> score -> roi_pool -x proposal -x 'rpn_bbox_pred'
    above it, these pass nothing down either:
      roi_pool, bottom 1 'rois': ROIPooling takes the coordinates of its regions as constant [net.prototxt:10:68]

assumed:
  proposal (Python): rpn.proposal_layer.ProposalLayer is Python code that is not read; its backward is known to do \
nothing [net.prototxt:8:1]"""


def test_py_faster_rcnn(shared):
    name = "rbgirshick+py-faster-rcnn__models__pascal_voc__VGG_CNN_M_1024__faster_rcnn_end2end__train.prototxt"
    plan = survey(str(shared / "prototxt" / name), "TRAIN").plan
    text = render_why(why(plan, resolve(plan, "rpn_bbox_pred")))
    assert text.startswith("'rpn_bbox_pred' (?) gets a gradient, from rpn_loss_bbox\n")
    assert "rpn_loss_bbox -> 'rpn_bbox_pred'" in text
    assert "at proposal, bottom 1 'rpn_bbox_pred': ProposalLayer (Python) passes nothing down" in text
    assert "6 paths of loss_cls, loss_bbox" in text
    assert "roi_pool5, bottom 1 'rois': ROIPooling takes the coordinates of its regions as constant" in text
    assert "loss_cls, bottom 1 'labels': propagate_down: false" in text
    frozen = render_why(why(plan, resolve(plan, "conv1/weights")))
    assert "conv1[0] weights (?): none, lr_mult is 0 [" in frozen


def test_python_code_that_nobody_knows(answer):
    net = DATA + ip("a", "data") + python("mine", "no_such_module", "Mine", ["a"], "m") + loss("m")
    assert answer("why", net, "a") == """\
'a' (2x4): unknown; whatever could reach it passes Python code, which alone knows

params:
  a[0] weights (4x3): lr_mult 1
  a[1] bias (4): lr_mult 1

a gradient arrives:
  from loss (SoftmaxWithLoss), loss_weight 1: 1 path (all through Python code, which alone knows)
    loss -> mine -> 'a'

assumed:
  mine (Python): no_such_module.Mine is Python code that is not read; whether its backward passes a gradient, only it \
knows [net.prototxt:3:1]"""
    stopped = net.replace('top: "m"', 'top: "m" propagate_down: false')
    assert "at mine, bottom 0 'a': propagate_down: false [" in answer("why", stopped, "a")
    passed = answer("why", net.replace('top: "m"', 'top: "m" propagate_down: true'), "a")
    assert passed.startswith("'a' (2x4) gets a gradient, from loss\n")
    assert "it is taken to pass gradients as the config says" in passed


def test_python_code_beside_another_way(answer):
    net = (DATA + ip("a", "data") + python("mine", "no_such_module", "Mine", ["a"], "m") + add("sum", "a", "m")
           + loss("sum"))
    text = answer("why", net, "a")
    assert text.startswith("'a' (2x4) gets a gradient, from loss\n")
    assert "2 paths (1 of them through Python code, which alone knows)" in text


def test_python_code_that_is_there_is_not_taken_at_its_word(answer):
    net = DATA + ip("a", "data") + python("mine", "netdef.layers.python_example", "Times", ["a"], "m") + loss("m")
    text = answer("why", net, "a")
    assert "mine (Python): Python code; whether its backward passes a gradient, only it knows [" in text
    numeric = net.replace('layer: "Times"', 'layer: "Times" numeric_gradient: true')
    assert answer("why", numeric, "a").startswith("'a' (2x4) gets a gradient, from loss\n")


def test_unknown_types_say_what_is_assumed(answer):
    net = DATA + ip("a", "data") + '''
layer { name: "axpy" type: "Axpay" bottom: "a" top: "axpy" param { lr_mult: 2 } axpay_param { x: 1 } }
layer { name: "far" type: "FancyLoss" bottom: "axpy" bottom: "label" top: "far" }
layer { name: "near" type: "FancyLoss" bottom: "label" bottom: "axpy" }
layer { name: "show" type: "Show" bottom: "axpy" propagate_down: false }
'''
    text = answer("why", net, "axpy")
    assert text == """\
'axpy' (?) gets a gradient, from far

params:
  axpy[0] param 0 (?): lr_mult 2

a gradient arrives:
  from far (FancyLoss), loss_weight 1: 1 path
    far -> 'axpy'

a gradient is stopped:
  at near, bottom 1 'axpy': FancyLoss, a type that is not known here, is taken to give none by its bottom 1 \
[net.prototxt:6:64]
    1 path of near: near -x 'axpy'

assumed:
  axpy (Axpay): the type Axpay is not known here: it is taken to pass gradients to all its bottoms, and to have the \
1 param written for it [net.prototxt:4:1]
  far (FancyLoss): the type FancyLoss is not known here: it is taken for a loss that gives gradients by all its bottoms \
but number 1, the labels [net.prototxt:5:1]
  near (FancyLoss): the type FancyLoss is not known here: it is taken for a loss that gives gradients by all its \
bottoms but number 1, the labels [net.prototxt:6:1]
  show (Show): the type Show is not known here: it is taken to pass gradients as its propagate_down says \
[net.prototxt:7:1]

leads to no loss: show (Show)

set aside: 1 mistake in the layers' options, which decide no path; `netdef explain NET` shows them"""


def test_missing_data_hides_shapes_and_nothing_else(answer):
    data = ('layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "no/such/lmdb" '
            'batch_size: 2 } }\n')
    text = answer("why", data + ip("a", "data") + loss("a"), "a[0]")
    assert text.startswith("param a[0] weights (?) gets a gradient, from loss\n")
    text = answer("why", data + ip("a", "data") + loss("a"), "data")
    assert "data (Data): its data are not here (no file 'no/such/lmdb'); the shape of data is unknown" in text


def test_the_graph_itself_must_be_sound(answer):
    with pytest.raises(UnknownBlob, match="bottom 'dta'"):
        answer("why", DATA + ip("a", "dta") + loss("a"), "a")
    with pytest.raises(Exception, match="no field 'lr_mlt' in param"):
        answer("why", DATA + ip("a", "data", "param { lr_mlt: 0 }") + loss("a"), "a")


@pytest.mark.parametrize("name, said", [
    ("aa", r"no blob, layer or param is called 'aa' \(phase TRAIN, level 0\); there are data, label, a, "),
    ("lable", "did you mean 'label'"),
    ("a/wieghts", r"the params of 'a' are a\[0\] weights, a\[1\] bias"),
    ("a[2]", r"the params of 'a' are a\[0\] weights, a\[1\] bias"),
    ("late", "the layer 'late' is left out here .phase TRAIN, level 0.: no include rule matches: it is for phase TEST"),
])
def test_names_that_do_not_exist(answer, name, said):
    with pytest.raises(GraphError, match=said):
        answer("why", STOPS, name)


def test_names_with_slashes(answer):
    net = DATA + ip("rpn/3x3", "data") + loss("rpn/3x3")
    assert answer("why", net, "rpn/3x3/bias").startswith("param rpn/3x3[1] bias (4) gets a gradient, from loss")
    assert answer("why", net, "rpn/3x3").startswith("'rpn/3x3' (2x4) gets a gradient, from loss")


def test_an_in_place_layer_and_its_blob_are_different_questions(answer):
    assert "loss -> sum -> b -> 'relu'" in answer("why", FORK, "relu")
    assert "loss -> sum -> b -> relu -> 'a'" in answer("why", FORK, "a")


def test_a_blob_that_is_a_loss_and_read_on(answer):
    net = DATA + ip("a", "data", "loss_weight: 0.5") + loss("a")
    assert """
a gradient arrives:
  from a (InnerProduct), loss_weight 0.5: 1 path
    'a'
  from loss (SoftmaxWithLoss), loss_weight 1: 1 path
    loss -> 'a'

gradients are added up on the way:
  a = its own loss + loss""" in answer("why", net, "a")


@pytest.mark.parametrize("net", [FORK, STOPS, FORK.replace("num_output: 4 } ", "num_output: 4 } propagate_down: true "),
                                 DATA + ip("a", "data") + ip("b", "data") + loss("a")])
def test_agrees_with_the_plan(tmp_path, net):
    (tmp_path / "net.prototxt").write_text(net)
    plan = build(str(tmp_path / "net.prototxt"), "TRAIN")
    for value in plan.description.values:
        answer = why(plan, Target(value.blob, (value.id,)))
        assert (answer.asked and bool(answer.arrivals)) == (value.id in plan.with_gradient), value.blob
    for param in plan.params:
        answer = why(plan, resolve(plan, f"{plan.description.layers[param.layer].name}[{param.index}]"))
        gets = answer.asked and bool(answer.arrivals)
        assert gets == plan.steps[param.layer].need.params[param.index], param


def residual(blocks):
    text, last = DATA + ip("x0", "data"), "x0"
    for i in range(blocks):
        text += ip(f"f{i}", last) + f'layer {{ name: "r{i}" type: "ReLU" bottom: "f{i}" top: "f{i}" }}\n'
        text += ip(f"g{i}", f"f{i}") + add(f"x{i + 1}", last, f"g{i}")
        last = f"x{i + 1}"
    return text + loss(last)


def test_more_paths_than_can_be_listed(answer):
    text = answer("why", residual(60), "x0")
    assert "from loss (SoftmaxWithLoss), loss_weight 1: 1.15e+18 paths\n" in text
    assert "576,460,752,303,423,488 by x1: loss -> x60 -> x59 -> x58 -> x57 -> ... 51 layers ... -> x5" in text
    assert text.endswith("  ... and 48 more")
    assert len(text) < 4000


def test_a_net_of_150_layers_takes_less_than_a_second(shared, caplog):
    caplog.set_level(logging.ERROR, logger="netdef")
    file = str(shared / "prototxt" / "KaimingHe+deep-residual-networks__prototxt__ResNet-152-deploy.prototxt")
    plan = survey(file, "TRAIN", overrides=["layer.prob.loss_weight=[1]"]).plan
    start = time.perf_counter()
    text = render_why(why(plan, resolve(plan, "conv1")))
    assert time.perf_counter() - start < 1
    assert "from prob (Softmax), loss_weight 1: 1.13e+15 paths" in text
