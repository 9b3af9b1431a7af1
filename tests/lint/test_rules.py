"""Every rule: fires on what is broken in its way, with place, reason and advice, and is silent beside it."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.config import schema
from netdef.lint.rules import RULES
from netdef.lint.run import lint

XAVIER = 'weight_filler { type: "xavier" }'
SIGMOID = 'layer { name: "act" type: "Sigmoid" bottom: "ip1" top: "ip1" }'
RELU = 'layer { name: "relu" type: "ReLU" bottom: "ip1" top: "ip1" }'
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }'
IP = 'layer { name: "%s" type: "InnerProduct" bottom: "%s" top: "%s" inner_product_param { num_output: 3 ' + XAVIER + " } }"
BN = 'layer { name: "bn" type: "BatchNorm" bottom: "ip1" top: "ip1" %s } '
SCALE = 'layer { name: "sc" type: "Scale" bottom: "ip1" top: "ip1" scale_param { %s } }'
FROZEN = "param { lr_mult: 0 } param { lr_mult: 0 }"


def through(layers):
    """A net in which these layers change ip1 before the scores are made of it."""
    return {"act": layers}


IMAGES = '''
layer { name: "data" type: "%s" top: "data" top: "label" include { phase: TRAIN } transform_param { crop_size: 24 %s }
  %s }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST } transform_param { crop_size: 24 %s }
  data_param { source: "test_lmdb" batch_size: 8 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 %s
  weight_filler { type: "msra" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "score" type: "InnerProduct" bottom: "conv" top: "score" inner_product_param { num_output: 5
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" }
'''
TRAIN = 'data_param { source: "train_lmdb" batch_size: 8 }'
LIST = 'image_data_param { source: "%s" batch_size: 8 }'


def images(kind="Data", train="", options=TRAIN, test="", conv=""):
    """A small convolutional net whose data are not here."""
    return {"text": IMAGES % (kind, train, options, test, conv)}


NETS = [  # a rule, and the parts of a net on which it alone fires
    ("zero-weights", {"filler1": ""}),
    ("zero-weights", {"filler1": 'weight_filler { type: "constant" value: 0.1 }', "filler2": "", "act": SIGMOID}),
    ("needs-weights", {"filler1": "", "filler2": "", "act": RELU + IP.replace(XAVIER, "") % ("mid", "ip1", "mid"),
                       "last": ('bottom: "ip1" top: "score"', 'bottom: "mid" top: "score"')}),
    ("zero-scale", through(BN % "" + SCALE % "filler { value: 0 } bias_term: true")
     | {"filler1": "bias_term: false " + XAVIER}),
    ("frozen-random", {"ip1": FROZEN}),
    ("no-gradient", {"more": IP % ("side", "ip1", "side") + 'layer { name: "q" type: "Silence" bottom: "side" }'}),
    ("no-loss-counts", {"loss": LOSS.replace('top: "loss"', 'top: "loss" loss_weight: 0')}),
    ("linear-pair", {"act": ""}),
    ("softmax-twice", {"loss": 'layer { name: "p" type: "Softmax" bottom: "score" top: "p" }' + LOSS.replace('"score"', '"p"')}),
    ("scores-as-probabilities", {"loss": LOSS.replace("SoftmaxWithLoss", "MultinomialLogisticLoss")}),
    ("relu-on-scores", {"more": 'layer { name: "r" type: "ReLU" bottom: "score" top: "score" }'}),
    ("dropout-before-loss", {"more": 'layer { name: "r" type: "Dropout" bottom: "score" top: "score" }'}),
    ("swapped-labels", images(options=TRAIN) | {"swap": True}),
    ("one-class", {"classes": 1, "loss": LOSS}),
    ("top-k-too-large", {"more": 'layer { name: "a" type: "Accuracy" bottom: "score" bottom: "label" top: "a" '
                                 'include { phase: TEST } accuracy_param { top_k: 3 } }'}),
    ("bias-before-batch-norm", through(BN % "" + SCALE % "bias_term: true")),
    ("batch-norm-untrained", through(BN % "batch_norm_param { use_global_stats: true }" + SCALE % "bias_term: true")),
    ("batch-norm-of-the-batch", through(BN % "batch_norm_param { use_global_stats: false }" + SCALE % "bias_term: true")
     | {"filler1": "bias_term: false " + XAVIER}),
    ("batch-norm-without-scale", through(BN % "" + RELU)
     | {"filler1": "bias_term: false " + XAVIER}),
    ("mirror-in-test", images(test="mirror: true")),
    ("test-on-train", images(options=TRAIN.replace("train_lmdb", "test_lmdb"))),
    ("transform-differs", images(train="scale: 0.00390625")),
    ("transform-differs", images(test="mean_value: 100")),
    ("unshuffled", images("ImageData", options=LIST % "list.txt")),
    ("unshuffled", images(options='data_param { source: "folder:pictures" batch_size: 8 }')),
    ("mean-units", images(train="scale: 0.0039 mean_value: 0.485", test="scale: 0.0039 mean_value: 0.485")),
    ("mean-channels", images(train="mean_value: 1 mean_value: 2", test="mean_value: 1 mean_value: 2")),
    ("transform-ignored", images(options='data_param { source: "train_lmdb" batch_size: 8 scale: 0.0039 }')),
    ("filler-field-ignored", {"filler1": 'weight_filler { type: "xavier" std: 0.1 }'}),
    ("bias-filler-ignored", {"filler1": XAVIER + "bias_term: false bias_filler { value: 1 }"}),
    ("options-of-another-type", {"ip1": "convolution_param { kernel_size: 3 }"}),
    ("dead-end", {"more": 'layer { name: "r" type: "TanH" bottom: "score" top: "spare" }'}),
    ("window-skips", images(conv="stride: 4")),
    ("unnormalised-loss", {"loss": LOSS.replace('top: "loss"', 'top: "loss" loss_param { normalization: NONE }')}),
    ("more-classes-than-scores", {"text": '''
layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "builtin:mnist10k/test" batch_size: 10 } }
layer { name: "score" type: "InnerProduct" bottom: "data" top: "score" inner_product_param { num_output: 9
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" }'''}),
    ("picture-as-label", images() | {"last": ('bottom: "score" bottom: "label"', 'bottom: "score" bottom: "data"')}),
    ("label-as-picture", images() | {"last": ('"Convolution" bottom: "data"', '"Convolution" bottom: "label"')}),
    ("batch-norm-of-one", {"text": '''
layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "builtin:spiral/train" batch_size: 1 } }
layer { name: "bn" type: "BatchNorm" bottom: "data" top: "bn" }
layer { name: "score" type: "InnerProduct" bottom: "bn" top: "score" inner_product_param { num_output: 3
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" }'''}),
    ("in-place-on-input", {"text": '''
layer { name: "d" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "r" type: "Power" bottom: "data" top: "data" power_param { scale: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }'''}),
]
ALSO = {  # what else is true of such a net
    "needs-weights": {"linear-pair"}, "swapped-labels": {"no-gradient"}, "label-as-picture": {"dead-end"},
    "picture-as-label": {"dead-end"}, "one-class": {"more-classes-than-scores"}}


@pytest.fixture
def write(net):
    """The net of a row above."""

    def make(parts):
        parts = dict(parts)
        if parts.pop("swap", False):
            parts["last"] = ('bottom: "score" bottom: "label"', 'bottom: "label" bottom: "score"')
        old, new = parts.pop("last", ("", ""))
        path = net(**parts)
        path.write_text(path.read_text().replace(old, new) if old else path.read_text())
        return path

    return make


@pytest.mark.parametrize("rule, parts", NETS, ids=[f"{i}-{name}" for i, (name, _) in enumerate(NETS)])
def test_fires_alone(write, rule, parts):
    path = write(parts)
    found = lint([str(path)]).findings
    assert {f.rule for f in found} - ALSO.get(rule, set()) == {rule}, "\n".join(map(str, found))
    first = next(f for f in found if f.rule == rule)
    assert first.span.file == str(path) and first.span.line > 1 and first.span.text
    assert first.do and first.why == RULES[rule].why and len(first.why) > 40
    assert f": {rule}: " in str(first) and "why: " in str(first) and "do:  " in str(first)
    assert lint([str(path)], ignore=[rule, *ALSO.get(rule, ())]).findings == []


SOLVERS = [
    ("rate-never-drops", {"lr_policy": '"step"', "gamma": "0.1", "stepsize": "1000"}),
    ("rate-never-drops", {"lr_policy": '"multistep"', "gamma": "0.1", "stepvalue": "500\nstepvalue: 1000"}),
    ("rate-never-drops", {"warmup_iter": "1000"}),
    ("step-order", {"lr_policy": '"multistep"', "gamma": "0.1", "stepvalue": "500\nstepvalue: 400"}),
    ("rate-grows", {"lr_policy": '"step"', "gamma": "10", "stepsize": "100"}),
    ("nothing-moves", {"base_lr": "0"}),
    ("nothing-moves", {"clip_gradients": "0"}),
    ("momentum-too-large", {"momentum": "1"}),
    ("adam-momentum", {"type": '"Adam"', "momentum": None, "base_lr": "0.001"}),
    ("adam-rate", {"type": '"Adam"', "base_lr": "0.1"}),
    ("never-tested", {"test_iter": None, "test_interval": None}),
    ("never-tested", {"test_interval": "2000"}),
    ("test-coverage", {"test_iter": "2"}),
    ("test-coverage", {"test_iter": "4"}),
    ("solver-field-ignored", {"gamma": "0.1"}),
    ("solver-field-ignored", {"momentum2": "0.99"}),
    ("solver-field-ignored", {"regularization_type": '"L1"'}),
    ("snapshot-prefix", {"snapshot_prefix": '"net.prototxt/x"'}),
]


@pytest.mark.parametrize("rule, fields", SOLVERS, ids=[f"{i}-{name}" for i, (name, _) in enumerate(SOLVERS)])
def test_solver_fires_alone(solver, rules_of, monkeypatch, rule, fields):
    path = solver(fields)
    monkeypatch.chdir(path.parent)
    assert rules_of(path.name) == [rule]


def test_solver_batch_norm(solver, rules_of):
    parts = through(BN % "" + SCALE % "bias_term: true") | {"filler1": "bias_term: false " + XAVIER}
    path = solver({"iter_size": "4"}, **parts)
    text = (path.parent / "net.prototxt").read_text()
    assert rules_of(path) == []
    (path.parent / "net.prototxt").write_text(text.replace("batch_size: 90", "batch_size: 4"))
    assert rules_of(path) == ["batch-norm-and-iter-size"]


@pytest.mark.parametrize("diagonal, fires", [(0, True), (1, False)])
def test_infogain(net, tmp_path, rules_of, diagonal, fires):
    blob = schema.new("BlobProto")
    blob.shape.dim.extend((1, 1, 3, 3))
    blob.data.extend(np.where(np.eye(3), diagonal, 0.5).ravel().tolist())
    (tmp_path / "h.binaryproto").write_bytes(blob.SerializeToString())
    path = net(loss='layer { name: "loss" type: "InfogainLoss" bottom: "score" bottom: "label" '
                    'infogain_loss_param { source: "h.binaryproto" } }')
    assert rules_of(path) == (["infogain-diagonal"] if fires else [])


def test_every_rule_is_tested():
    elsewhere = {"infogain-diagonal", "batch-norm-and-iter-size", "lint-comment", "deploy-options", "deploy-order",
                 "deploy-weights", "deploy-input"}
    assert {name for name, _ in (*NETS, *SOLVERS)} | elsewhere == set(RULES)
    assert len(RULES) >= 15


HEALTHY = [
    {}, {"filler2": ""}, {"act": SIGMOID}, {"filler1": "", "act": SIGMOID},
    {"filler1": "bias_filler { value: 0.1 }"}, 
    {"act": RELU.replace('top: "ip1"', 'top: "ip1" relu_param { negative_slope: 0.1 }'), "filler1": ""},
    {"act": RELU + 'layer { name: "d" type: "Dropout" bottom: "ip1" top: "ip1" }'},
    {"classes": 1, "loss": 'layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "score" bottom: "label" }'},
    {"more": LOSS.replace("loss", "monitor").replace('top: "monitor"', 'top: "monitor" loss_weight: 0')},
    {"more": 'layer { name: "p" type: "Softmax" bottom: "score" top: "p" include { phase: TEST } }'},
    through(BN % "" + SCALE % "bias_term: true") | {"filler1": "bias_term: false " + XAVIER},
    {"act": "", "filler1": XAVIER, "text": None, "ip1": FROZEN},  # one of the pair does not learn: no linear-pair
    images(train="mirror: true"), images("ImageData", options=LIST.replace("batch_size", "shuffle: true batch_size") % "l"),
]


@pytest.mark.parametrize("parts", HEALTHY, ids=range(len(HEALTHY)))
def test_silent(net, rules_of, parts):
    expected = ["frozen-random"] if "ip1" in parts else []
    assert rules_of(net(**parts)) == expected


@pytest.mark.parametrize("fields", [
    {}, {"type": '"Adam"', "base_lr": "0.01", "momentum2": "0.999"}, {"type": '"AdaGrad"', "momentum": None, "delta": "1e-6"},
    {"type": '"RMSProp"', "base_lr": "0.005", "momentum": None, "rms_decay": "0.98"}, {"type": '"Nesterov"'},
    {"iter_size": "2"}, {"weight_decay": "0.001", "clip_gradients": "1", "regularization_type": '"L1"'},
    {"lr_policy": '"step"', "gamma": "0.1", "stepsize": "500"}, {"lr_policy": '"poly"', "power": "1"},
    {"lr_policy": '"multistep"', "gamma": "0.1", "stepvalue": "500\nstepvalue: 800"}, {"test_iter": "6"},
    {"snapshot_prefix": '"some/new/folder/x"'}], ids=str)
def test_silent_solver(solver, rules_of, monkeypatch, fields):
    path = solver(fields)
    monkeypatch.chdir(path.parent)
    assert rules_of(path) == []


def test_one_reader_that_tells_outputs_apart(net, rules_of):
    """Beside a layer that begins equal, another that does not: the gradient of each unit is another one."""
    side = IP % ("side", "ip1", "side") + LOSS.replace("loss", "aside").replace('"score"', '"side"')
    equal = {"filler1": 'weight_filler { value: 0.1 }', "filler2": "", "act": SIGMOID}
    assert rules_of(net(**equal)) == ["zero-weights"]
    assert rules_of(net(more=side, **equal)) == []


def test_a_net_that_does_not_say_its_phase(net, solver, rules_of):
    """The mirror of a net without rules may be there for TRAIN alone, unless a solver tests it."""
    text = """
layer { name: "d" type: "Data" top: "data" top: "label" transform_param { mirror: true }
  data_param { source: "builtin:spiral/train" batch_size: 90 } }
layer { name: "score" type: "InnerProduct" bottom: "data" top: "score" inner_product_param { num_output: 3
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }"""
    assert rules_of(net(text)) == []
    assert rules_of(solver({"test_iter": "3"}, text), ignore=["test-coverage"]) == ["mirror-in-test"]


def test_a_policy_that_is_not_known(solver):
    found = lint([str(solver({"lr_policy": '"stepearly"', "gamma": "0.1"}))]).findings
    assert [f.rule for f in found] == ["config"] and "unknown policy 'stepearly'" in found[0].what
    found = lint([str(solver({"lr_policy": '"step"', "gamma": "0.1"}))]).findings
    assert "stepsize: missing" in found[0].what


def test_weights_are_said_to_come(solver, rules_of, net):
    zero = {"filler1": ""}
    assert rules_of(net(**zero), loaded=True) == []
    assert rules_of(solver({"weights": '"trained.caffemodel"'}, **zero)) == []
    assert rules_of(solver({}, **zero)) == ["zero-weights"]
