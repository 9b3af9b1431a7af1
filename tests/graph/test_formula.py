"""Gradients taken from docstrings: every type that has one is found, and options choose among cases."""
from __future__ import annotations

import inspect
import textwrap

import pytest

from netdef.config.load import parse_text_message
from netdef.graph.build import survey
from netdef.graph.formula import Gradients
from netdef.layers import registry

TYPES = {name: cls for name, cls in registry.layer_types().items() if cls.__module__.startswith("netdef.layers.")}


def layer_of(text, type_, phase="TRAIN"):
    plan = survey(parse_text_message(text, "net.prototxt", "NetParameter"), phase).plan
    return [n for n in plan.description.layers if n.type == type_][-1].layer


def gradients(type_, options="", phase="TRAIN"):
    text = ('layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }'
            f'layer {{ name: "l" type: "{type_}" bottom: "x" top: "y" {options} }}')
    return Gradients(layer_of(text, type_, phase))


@pytest.mark.parametrize("type_, options, phase, formula", [
    ("ReLU", "", "TRAIN", "dx = dy where x > 0, else negative_slope * dy"),
    ("Pooling", "pooling_param { pool: MAX kernel_size: 2 }", "TRAIN", "dx = dy for the first such x in scan order, else 0"),
    ("Pooling", "pooling_param { pool: AVE kernel_size: 2 }", "TRAIN", "dx = dy / s"),
    ("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }", "TRAIN", "dx = dy for that x, else 0"),
    ("Dropout", "", "TRAIN", "dx = m * dy / (1 - ratio)"),
    ("Dropout", "", "TEST", "dx = dy"),
    ("BatchNorm", "", "TRAIN", "dx = (dy - mean(dy) - y * mean(dy * y)) / sqrt(v + eps)"),
    ("BatchNorm", "", "TEST", "dx = dy / sqrt(v + eps)"),
    ("BatchNorm", "batch_norm_param { use_global_stats: true }", "TRAIN", "dx = dy / sqrt(v + eps)"),
    ("Flatten", "", "TRAIN", "dx = dy, in another shape"),
    ("SPP", "spp_param { pyramid_height: 2 }", "TRAIN", "dx is the sum of what the levels send down"),
    ("GroupNorm", "group_norm_param { group: 1 }", "TRAIN", "Gradients as LayerNorm's"),
])
def test_of_a_bottom(type_, options, phase, formula):
    assert gradients(type_, options, phase).of_bottom(0) == formula


def test_of_params():
    scale = gradients("Scale", "scale_param { bias_term: true }")
    assert scale.of_param("scale") == "ds[c] = sum of dy * x"
    assert scale.of_param("bias").startswith("db[c] = sum of dy over o and i")
    assert gradients("PReLU").of_param("slope") == "da_c += sum of dy * min(x, 0) over the channel"


def test_bottoms_with_names_of_their_own():
    text = ('layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 3 } } }'
            'layer { name: "l" type: "EuclideanLoss" bottom: "x" bottom: "t" }')
    found = Gradients(layer_of(text, "EuclideanLoss"))
    assert found.of_bottom(0) == "da = w (a - b) / N"
    assert found.of_bottom(1) == "db = -da, with the loss weight w"


WITHOUT = {"Python", "LSTMUnit"}  # theirs is said in words, or is what a user writes


@pytest.mark.parametrize("name", TYPES)
def test_every_type_says_its_gradient(name):
    """A new layer that differentiates a bottom writes ``dx = ...`` into its Formula, so that --backward can show it."""
    example = textwrap.dedent(inspect.getdoc(TYPES[name]).split("Example::\n", 1)[1])
    layer = layer_of(example, name)
    found = Gradients(layer)
    if name not in WITHOUT:
        assert all(found.of_bottom(i) for i in range(len(layer.spec.message.bottom)) if layer.differentiates(i))
        assert all(found.of_param(p) for p in layer.param_names if p not in layer.statistics)
