"""Which layers run as one step, for which use of a net."""
from __future__ import annotations

import pytest

from netdef.graph.fusions import Use, fuse

IN = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 3 dim: 3 } } }\n'
CONV = 'layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 4 kernel_size: 1 } }\n'
LOSS = 'layer {{ name: "loss" type: "EuclideanLoss" bottom: "{}" bottom: "x" top: "loss" }}\n'
TRAIN, ALL, TEST, FROZEN = (Use(frozenset()), Use(None), Use(frozenset(), False), Use(frozenset(), False, True))


def layer(name, kind, bottom="c", top="c", extra=""):
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{top}" {extra} }}\n'


BN, SCALE, RELU = layer("bn", "BatchNorm"), layer("s", "Scale"), layer("r", "ReLU")


@pytest.fixture
def names(built):
    """The fused steps of a net as text."""

    def get(text, use, phase="TRAIN"):
        plan = built(IN + text, phase=phase)
        return [f"{p.name(plan)} ({p.kind})" for p in fuse(plan, use) if len(p.layers) > 1]

    return get


@pytest.mark.parametrize(("behind", "use", "phase", "expected"), [
    (RELU, ALL, "TRAIN", ["c + r (activation)"]),
    (BN + SCALE + RELU, ALL, "TRAIN", ["bn + s + r (norm)"]),
    (BN + RELU, TRAIN, "TRAIN", ["bn + r (norm)"]),
    (BN + SCALE, TRAIN, "TRAIN", ["bn + s (norm)"]),
    (BN + SCALE + RELU, TEST, "TEST", ["bn + s + r (norm)"]),
    (BN + SCALE + RELU, ALL, "TEST", []),  # its gradient needs what lies between; only the convolution's ReLU would do
    (BN + SCALE + RELU, FROZEN, "TEST", ["c + bn + s + r (fold)"]),
    (SCALE + RELU, FROZEN, "TEST", ["c + s + r (fold)"]),
    (SCALE + RELU, TRAIN, "TRAIN", []),
    (BN + SCALE, Use(None, False, True), "TEST", ["bn + s (norm)"]),  # everything is looked at: no other numbers
    (layer("s", "Scale", extra="scale_param { axis: 0 }"), FROZEN, "TEST", []),
    (layer("p", "PReLU"), TRAIN, "TRAIN", []),
])
def test_what_is_fused(names, behind, use, phase, expected):
    assert names(CONV + behind + LOSS.format("c"), use, phase) == expected


def test_what_is_looked_at_is_not_fused(names):
    text = CONV + layer("r", "ReLU", top="r") + LOSS.format("r")
    assert names(text, TRAIN) == ["c + r (activation)"]
    assert names(text, ALL) == [] == names(text, Use(frozenset({"c"})))
    assert names(text, Use(frozenset({"r"}))) == ["c + r (activation)"]


@pytest.mark.parametrize("more", [
    layer("r", "ReLU", top="r") + layer("p", "Power", top="p") + LOSS.format("p"),  # c has two readers
    layer("r", "ReLU", top="r", extra="loss_weight: 1"),  # r is a loss
    layer("q", "Power", "x", "q") + layer("r", "ReLU", top="r") + LOSS.format("r"),  # not neighbours
])
def test_what_others_need_is_not_fused(names, more):
    assert names(CONV + more, TRAIN) == []


def test_a_slope_that_turns_signs_is_not_fused(names):
    """Its backward needs the values from before."""
    for slope, expected in ((0.1, ["c + r (activation)"]), (-0.1, [])):
        relu = layer("r", "ReLU", top="r", extra=f"relu_param {{ negative_slope: {slope} }}")
        assert names(CONV + relu + LOSS.format("r"), TRAIN) == expected


def test_a_loss_between(names):
    assert names(CONV.replace('top: "c"', 'top: "c" loss_weight: 2') + layer("r", "ReLU", top="r") + LOSS.format("r"),
                 TRAIN) == []


def test_eltwise(names):
    both = 'layer { name: "e" type: "Eltwise" bottom: "x" bottom: "c" top: "e" eltwise_param { operation: %s } }\n'
    for operation, expected in (("SUM", ["e + r (activation)"]), ("MAX", ["e + r (activation)"]), ("PROD", [])):
        assert names(CONV + both % operation + layer("r", "ReLU", "e", "e") + LOSS.format("e"), TRAIN) == expected
