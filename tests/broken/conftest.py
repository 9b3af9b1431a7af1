"""Writes small nets with solvers and blames them."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.layers import registry
from netdef.layers.base import Inferred, Layer

MLP = '''
name: "mlp"
layer {{ name: "points" type: "Data" top: "data" top: "label" {transform}
  data_param {{ source: "builtin:spiral/train" batch_size: 90 }} }}
layer {{ name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" {ip1}
  inner_product_param {{ num_output: 16 {filler1} }} }}
layer {{ name: "act1" type: "{act}" bottom: "ip1" top: "ip1" }}
layer {{ name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" {ip2}
  inner_product_param {{ num_output: 16 {filler2} }} }}
layer {{ name: "act2" type: "{act}" bottom: "ip2" top: "ip2" }}
layer {{ name: "score" type: "InnerProduct" bottom: "ip2" top: "score"
  inner_product_param {{ num_output: {classes} {filler3} }} }}
{more}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" {loss} }}
'''
XAVIER = 'weight_filler { type: "xavier" }'
SOLVER = {"base_lr": "0.05", "momentum": "0.9", "lr_policy": '"fixed"', "max_iter": "1000", "random_seed": "3"}


@pytest.fixture
def solver(tmp_path):
    """``solver(net_text, base_lr="0.1", ...)``: the path of a solver file for this net, both in a folder of their own."""

    def write(net, **fields):
        (tmp_path / "net.prototxt").write_text(net)
        lines = [f"{k}: {v}" for k, v in {"net": '"net.prototxt"', **SOLVER, **fields}.items() if v is not None]
        (tmp_path / "solver.prototxt").write_text("\n".join(lines) + "\n")
        return str(tmp_path / "solver.prototxt")

    return write


@pytest.fixture
def mlp(solver):
    """``mlp(filler1=..., solver={...})``: a perceptron on the spiral with some parts of its net replaced."""

    def write(fields=None, **parts):
        usual = {"transform": "", "ip1": "", "ip2": "", "filler1": XAVIER, "filler2": XAVIER, "filler3": XAVIER,
                 "act": "ReLU", "classes": "3", "more": "", "loss": ""}
        return solver(MLP.format(**{**usual, **parts}), **(fields or {}))

    return write


class Elementwise(Layer):
    """y = f(x), with f' for backward: layers as users write them, without a guard against 0."""

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])

    def forward(self, ctx, bottoms, params, tops):
        with np.errstate(all="ignore"):
            tops[0].data[...] = self.f(bottoms[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        with np.errstate(all="ignore"):
            bottoms[0].diff[...] = tops[0].diff * self.slope(bottoms[0].data)


class Reciprocal(Elementwise):
    """1 / x."""

    f = staticmethod(lambda x: 1 / x)
    slope = staticmethod(lambda x: -1 / x**2)


class Logarithm(Elementwise):
    """log x."""

    f = staticmethod(np.log)
    slope = staticmethod(lambda x: 1 / x)


class Root(Elementwise):
    """The square root: fine at 0, its slope is not."""

    f = staticmethod(np.sqrt)
    slope = staticmethod(lambda x: 0.5 / np.sqrt(x))


class Exponential(Elementwise):
    """exp x."""

    f = staticmethod(np.exp)
    slope = staticmethod(np.exp)


@pytest.fixture
def user_layers():
    """The layers above, known by name during a test."""
    classes = (Reciprocal, Logarithm, Root, Exponential)
    for cls in classes:
        registry.register(cls.__name__)(cls)
    yield
    for cls in classes:
        registry._types.pop(cls.__name__)
