"""Every inverse: of what a layer makes, an input is found that gives the same; and what has no inverse says so."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.probe.alone import Alone
from netdef.probe.inverses import TABLE, NoInverse, OutOfRange, Wanted, undo
from netdef.runtime.net import Net

NET = "layers:\n  - data: {{Input: {{shape: {{dim: {shape}}}}}}}\n  - y: {{{layer}}}\n"
FILLED = "weight_filler: {type: gaussian, std: 0.7}, bias_filler: {type: uniform, min: -1, max: 1}"
RNG = np.random.default_rng(11)
IMAGE, ROW = (1, 3, 4, 4), (1, 6)
# layer, shape of the bottom, what goes in (None: normal values)
CASES = [
    ("Flatten: {}", IMAGE, None), ("Reshape: {shape: {dim: [0, -1, 2]}}", IMAGE, None), ("Dropout: {}", ROW, None),
    ("Split: {}", ROW, None), ("Permute: {order: [0, 2, 3, 1]}", IMAGE, None), ("Reorg: {stride: 2}", (1, 4, 4, 4), None),
    ("ShuffleChannel: {group: 2}", (1, 4, 2, 2), None),
    ("BatchNorm: {}", IMAGE, None), ("Scale: {bias_term: true, filler: {type: uniform, min: 1, max: 2}}", IMAGE, None),
    ("Bias: {filler: {type: uniform, min: 1, max: 2}}", IMAGE, None), ("BN: {}", IMAGE, None),
    ("Sigmoid: {}", ROW, None), ("TanH: {}", ROW, None), ("ScaledTanH: {}", ROW, None), ("SymmetricSigmoid: {}", ROW, None),
    ("ReLU: {}", ROW, None), ("ReLU: {negative_slope: 0.1}", ROW, None), ("PReLU: {}", IMAGE, None), ("ReLU6: {}", ROW, 5),
    ("ELU: {alpha: 0.5}", ROW, None), ("Clip: {min: -1, max: 1}", ROW, None), ("HardSigmoid: {}", ROW, None),
    ("AbsVal: {}", ROW, None), ("BNLL: {}", ROW, None), ("Power: {power: 3, scale: 2, shift: 1}", ROW, None),
    ("Power: {power: 1, scale: 2, shift: 1}", ROW, None), ("Power: {power: 0.5, shift: 9}", ROW, None),
    ("Power: {power: 2}", ROW, None), ("Power: {power: -1, shift: 9}", ROW, None),
    ("Exp: {base: 2, scale: 0.5, shift: 1}", ROW, None), ("Exp: {}", ROW, None), ("Log: {shift: 9}", ROW, None),
    ("Log: {base: 10, scale: 2, shift: 19}", ROW, None), ("Softmax: {}", ROW, None), ("Softmax: {}", IMAGE, None),
    (f"InnerProduct: {{num_output: 4, {FILLED}}}", ROW, None), (f"InnerProduct: {{num_output: 9, {FILLED}}}", IMAGE, None),
    (f"InnerProduct: {{num_output: 6, {FILLED}}}", ROW, None),
    (f"InnerProduct: {{num_output: 8, transpose: true, {FILLED}}}", ROW, None),
    (f"InnerProduct: {{num_output: 3, axis: 2, {FILLED}}}", IMAGE, None),
    (f"Convolution: {{num_output: 2, kernel_size: 3, {FILLED}}}", IMAGE, None),
    (f"Convolution: {{num_output: 5, kernel_size: 3, stride: 2, pad: 1, {FILLED}}}", IMAGE, None),
    (f"Convolution: {{num_output: 5, kernel_size: 1, {FILLED}}}", IMAGE, None),
    (f"Convolution: {{num_output: 2, kernel_size: 1, {FILLED}}}", IMAGE, None),
    (f"Convolution: {{num_output: 4, kernel_size: 3, group: 2, {FILLED}}}", (1, 2, 4, 4), None),
    (f"DepthwiseConvolution: {{num_output: 3, kernel_size: 3, {FILLED}}}", IMAGE, None),
    (f"ConvolutionDepthwise: {{num_output: 3, kernel_size: 3, {FILLED}}}", IMAGE, None),
    (f"Deconvolution: {{num_output: 2, kernel_size: 3, stride: 2, {FILLED}}}", IMAGE, None),
    ("Interp: {height: 6, width: 6}", IMAGE, None), ("Pad: {pad: 1, value: 3}", IMAGE, None),
    ("Tile: {axis: 1, tiles: 2}", IMAGE, None),
    ("Upsample: {scale: 2}", IMAGE, None), ("Im2col: {kernel_size: 2}", IMAGE, None),
    ("Pooling: {pool: AVE, kernel_size: 2, stride: 2}", IMAGE, None),
]
BY_MORE_BOTTOMS = {"Crop"}


@pytest.fixture
def layer(tmp_path):
    """``layer("Sigmoid: {}", shape)``: the step of a net of this one layer."""

    def make(text, shape):
        (tmp_path / "net.yaml").write_text(NET.format(shape=list(shape), layer=text))
        net = Net(tmp_path / "net.yaml", dtype="float64", seed=3)
        for blob in net.params.get("y", ()) if text.startswith(("BatchNorm", "BN")) else ():
            blob.data[...] = RNG.uniform(0.5, 2, blob.shape)
        return net.steps[1]

    return make


@pytest.mark.parametrize("text, shape, size", CASES, ids=[f"{c[0][:40]} {c[1]}" for c in CASES])
def test_there_and_back(layer, text, shape, size):
    run = layer(text, shape)
    x = RNG.standard_normal(shape) if size is None else RNG.uniform(-1, size, shape)
    alone = Alone(run.node, run.params)
    y = alone.forward(x)
    wanted = Wanted(run.node, run.params, y, shape)
    again = undo(wanted)
    assert again.shape == shape and alone.forward(again) == pytest.approx(y, rel=1e-8, abs=1e-8)
    assert wanted.how


def test_every_inverse_has_a_case():
    assert {c[0].split(":")[0] for c in CASES} | BY_MORE_BOTTOMS == set(TABLE)


def test_by_conjugate_gradients(layer, monkeypatch):
    """A convolution too large for a matrix gives the same smallest input."""
    from netdef.probe import inverses

    run = layer(f"Convolution: {{num_output: 2, kernel_size: 3, {FILLED}}}", IMAGE)
    y = Alone(run.node, run.params).forward(RNG.standard_normal(IMAGE))
    by_matrix = undo(Wanted(run.node, run.params, y, IMAGE))
    monkeypatch.setattr(inverses, "DENSE_MOST", 0)
    wanted = Wanted(run.node, run.params, y, IMAGE)
    assert undo(wanted) == pytest.approx(by_matrix, abs=1e-8) and "CGLS" in wanted.how


@pytest.mark.parametrize("text, shape, said", [
    ("Pooling: {pool: MAX, kernel_size: 2, stride: 2}", IMAGE, "MAX and STOCHASTIC keep one value"),
    ("LRN: {}", IMAGE, "divides by its neighbours"), ("Power: {power: 0}", ROW, "constant"), ("Swish: {}", ROW, "two inputs"),
    ("PReLU: {filler: {value: 0}}", IMAGE, "3 slopes are not above 0"), ("ReLU: {negative_slope: -1}", ROW, "negative slope"),
    ("Scale: {filler: {value: 0}}", IMAGE, "factors are 0"), ("MVN: {}", IMAGE, "mean and variance are lost"),
    ("ELU: {alpha: 0}", ROW, "alpha 0 is not above 0"), ("Normalize: {}", IMAGE, "the length is lost"),
    ("BatchNorm: {use_global_stats: false}", IMAGE, "the batch's statistics")])
def test_no_inverse(layer, text, shape, said):
    run = layer(text, shape)
    y = Alone(run.node, run.params).forward(RNG.standard_normal(shape))
    with pytest.raises(NoInverse, match=said) as error:
        undo(Wanted(run.node, run.params, y, shape))
    assert "layer 'y'" in str(error.value) and "--method gradient" in str(error.value) and "net.yaml:3" in str(error.value)


@pytest.mark.parametrize("text, bad", [("Sigmoid: {}", 1.0), ("Sigmoid: {}", 1.2), ("TanH: {}", -1.0), ("ReLU: {}", -0.5),
                                       ("ELU: {}", -1.5), ("Exp: {}", 0.0), ("AbsVal: {}", -1.0), ("BNLL: {}", 0.0),
                                       ("Clip: {min: 0, max: 1}", 3.0), ("ReLU6: {}", 7.0), ("HardSigmoid: {}", 1.5),
                                       ("Power: {power: 2}", -1.0), ("Softmax: {}", 0.0), ("TanH: {}", float("nan"))])
def test_out_of_range(layer, text, bad):
    run = layer(text, ROW)
    y = np.array([[0.1, 0.2, 0.3, bad, 0.2, 0.2]])
    with pytest.raises(OutOfRange, match=r"expected wanted values within .* at \(3,\)") as error:
        undo(Wanted(run.node, [], y, ROW))
    assert "--clip 0.001" in str(error.value)
    wanted = Wanted(run.node, [], y, ROW, clip=0.001)
    assert np.isfinite(undo(wanted)).all() and "1 clipped" in wanted.how


def test_probabilities_must_add_up(layer):
    run = layer("Softmax: {}", ROW)
    with pytest.raises(OutOfRange, match="add up to 1, got 0.6"):
        undo(Wanted(run.node, [], np.full(ROW, 0.1), ROW))


def test_the_constant_of_a_softmax(layer):
    run = layer("Softmax: {}", ROW)
    assert undo(Wanted(run.node, [], np.full(ROW, 1 / 6), ROW, constant=2.5)) == pytest.approx(np.full(ROW, 2.5))
