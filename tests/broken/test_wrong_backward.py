"""Layers with a mistake in their backward pass: check names the layer, the blob and the mistake, and its case replays."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.debug.netcheck import check
from netdef.debug.replay import replay
from netdef.layers import registry
from netdef.layers.base import Inferred, Layer, between, exactly
from netdef.layers.convolution import Convolution
from netdef.layers.inner_product import InnerProduct


class Unary(Layer):
    """Base of the broken functions of one value."""

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])


class TanHNoSquare(Unary):
    """tanh with the derivative 1 - y."""

    def forward(self, ctx, bottoms, params, tops):
        np.tanh(bottoms[0].data, out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        bottoms[0].diff[...] = tops[0].diff * (1 - tops[0].data)


class ScaledTanHNoSquare(Unary):
    """1.7159 tanh(2x/3) with the derivative often printed: 1.7159 * 2/3 * (1 - tanh(2x/3))."""

    def forward(self, ctx, bottoms, params, tops):
        tops[0].data[...] = 1.7159 * np.tanh(2 / 3 * bottoms[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        t = np.tanh(2 / 3 * bottoms[0].data)
        bottoms[0].diff[...] = tops[0].diff * 1.7159 * 2 / 3 * (1 - t)


class WrongSign(Unary):
    """cos with the derivative +sin."""

    def forward(self, ctx, bottoms, params, tops):
        np.cos(bottoms[0].data, out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        bottoms[0].diff[...] = tops[0].diff * np.sin(bottoms[0].data)


class NoFactor(Unary):
    """x^2 with the derivative x."""

    def forward(self, ctx, bottoms, params, tops):
        np.square(bottoms[0].data, out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        bottoms[0].diff[...] = tops[0].diff * bottoms[0].data


class PassedOn(Unary):
    """A sigmoid that hands its gradient on unchanged."""

    def forward(self, ctx, bottoms, params, tops):
        tops[0].data[...] = 1 / (1 + np.exp(-bottoms[0].data))

    def backward(self, ctx, tops, params, bottoms, need):
        bottoms[0].diff[...] = tops[0].diff


class Forgotten(Unary):
    """Has no gradient at all."""

    def forward(self, ctx, bottoms, params, tops):
        np.exp(bottoms[0].data, out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        bottoms[0].diff[...] = 0


class MeanLossNoN(Layer):
    """A mean over the batch whose gradient lacks 1/N."""

    bottoms = exactly(1)
    tops = between(1, 1)
    is_loss = True

    def infer(self, bottom_shapes):
        return Inferred(tops=[()])

    def forward(self, ctx, bottoms, params, tops):
        tops[0].data[...] = np.square(bottoms[0].data).sum() / len(bottoms[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        bottoms[0].diff[...] = 2 * bottoms[0].data * tops[0].diff


class TransposedWeights(InnerProduct):
    """The gradient of square weights, transposed."""

    def backward(self, ctx, tops, params, bottoms, need):
        super().backward(ctx, tops, params, bottoms, need)
        params[0].diff[...] = params[0].diff.T.copy()


class FlippedKernel(Convolution):
    """The gradient of the kernel turned by 180 degrees."""

    def backward(self, ctx, tops, params, bottoms, need):
        super().backward(ctx, tops, params, bottoms, need)
        params[0].diff[...] = params[0].diff[..., ::-1, ::-1].copy()


class OneTapWrong(Convolution):
    """One element of the kernel's gradient is wrong by a tenth."""

    def backward(self, ctx, tops, params, bottoms, need):
        super().backward(ctx, tops, params, bottoms, need)
        params[0].diff[0, 0, 1, 2] *= 1.1


class BiasForgotten(InnerProduct):
    """Learns no bias."""

    def backward(self, ctx, tops, params, bottoms, need):
        super().backward(ctx, tops, params, bottoms, need)
        params[1].diff[...] = 0


IMAGE = '''layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 2 dim: 6 dim: 6 } } }
layer { name: "pre" type: "Convolution" bottom: "x" top: "pre" convolution_param { num_output: 2 kernel_size: 1
  weight_filler { type: "xavier" } } }
'''
VECTOR = '''layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 5 } } }
layer { name: "pre" type: "InnerProduct" bottom: "x" top: "pre" inner_product_param { num_output: 5
  weight_filler { type: "xavier" } } }
'''
CONV = "convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: \"xavier\" } }"
IP = "inner_product_param { num_output: 5 weight_filler { type: \"xavier\" } }"

CASES = [
    (TanHNoSquare, VECTOR, "", "bottom 0", "1 - y where 1 - y^2 belongs"),
    (ScaledTanHNoSquare, VECTOR, "", "bottom 0", "a (1 - y) where a (1 - y^2) belongs, a = 1.144"),
    (WrongSign, VECTOR, "", "bottom 0", "the sign is wrong"),
    (NoFactor, VECTOR, "", "bottom 0", "a factor 2 is missing"),
    (PassedOn, VECTOR, "", "bottom 0", "passed on unchanged"),
    (Forgotten, VECTOR, "", "bottom 0", "it is missing (all zero)"),
    (MeanLossNoN, VECTOR, "", "bottom 0", "the division by the batch size (1/N) is missing"),
    (TransposedWeights, VECTOR, IP, "param 0 (weights)", "it is transposed"),
    (FlippedKernel, IMAGE, CONV, "param 0 (weights)", "the kernel is flipped"),
    (OneTapWrong, IMAGE, CONV, "param 0 (weights)", ""),
    (BiasForgotten, VECTOR, IP, "param 1 (bias)", "it is missing (all zero)"),
]


@pytest.fixture(autouse=True)
def registered():
    for cls, *_ in CASES:
        registry.register(cls.__name__)(cls)
    yield
    for cls, *_ in CASES:
        registry._types.pop(cls.__name__)


@pytest.mark.parametrize("cls, before, options, what, mistake", CASES, ids=[c[0].__name__ for c in CASES])
def test_the_right_layer_and_mistake(tmp_path, cls, before, options, what, mistake):
    path = tmp_path / "net.prototxt"
    path.write_text(f'{before}layer {{ name: "culprit" type: "{cls.__name__}" bottom: "pre" top: "culprit" {options} }}\n')
    report = check(str(path), case_file=tmp_path / "case.npz")
    assert not report.ok
    assert {w.layer for w in report.layers} == {"culprit"}, str(report)
    found = next(w for w in report.layers if w.what == what)
    assert mistake in found.mistake
    assert "net.prototxt:4:" in str(found)
    again = replay(tmp_path / "case.npz")
    assert [w.layer for w in again] and all(w.layer == "culprit" for w in again)


def test_the_one_wrong_tap_is_named(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(f'{IMAGE}layer {{ name: "c" type: "OneTapWrong" bottom: "pre" top: "c" {CONV} }}\n')
    found = check(str(path)).layers[0]
    assert found.index == (0, 0, 1, 2)
    assert found.analytic / found.numeric == pytest.approx(1.1, rel=1e-3)


def test_from_a_blob_only_what_lies_below_is_checked(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(f'{VECTOR}layer {{ name: "c" type: "WrongSign" bottom: "pre" top: "c" }}\n')
    assert check(str(path), start="pre").ok
    assert not check(str(path), start="c").ok


def test_the_smallest_case_has_one_item(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(f'{VECTOR}layer {{ name: "c" type: "WrongSign" bottom: "pre" top: "c" }}\n')
    check(str(path), case_file=tmp_path / "case.npz")
    with np.load(tmp_path / "case.npz") as case:
        assert case["bottom/0"].shape == (1, 5)
