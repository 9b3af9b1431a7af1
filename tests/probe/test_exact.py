"""Inversion layer by layer, end to end."""
from __future__ import annotations

import resource

import numpy as np
import pytest

from netdef.errors import NetdefError
from netdef.probe.exact import invert_exactly
from netdef.probe.inverses import NoInverse, OutOfRange
from netdef.probe.space import Space
from netdef.probe.subject import Probe

W = "weight_filler: {type: gaussian, std: 0.3}, bias_filler: {type: uniform, min: -0.2, max: 0.2}"
MLP = f"""
layers:
  - data: {{Input: {{shape: {{dim: [4, 1, 6, 6]}}}}}}
  - ip1: {{InnerProduct: {{num_output: 20, {W}}}}}
  - s1: {{Sigmoid: {{}}, top: ip1}}
  - ip2: {{InnerProduct: {{num_output: 8, {W}}}, bottom: ip1}}
  - t2: {{TanH: {{}}, top: ip2}}
  - drop: {{Dropout: {{}}, bottom: ip2, top: ip2}}
  - score: {{InnerProduct: {{num_output: 4, {W}}}, bottom: ip2}}
  - prob: {{Softmax: {{}}}}
"""
CONV = f"""
layers:
  - data: {{Input: {{shape: {{dim: [1, 3, 8, 8]}}}}}}
  - c1: {{Convolution: {{num_output: 3, kernel_size: 1, {W}}}}}
  - r1: {{ReLU: {{negative_slope: 0.2}}, top: c1}}
  - c2: {{Convolution: {{num_output: 4, kernel_size: 3, stride: 2, pad: 1, {W}}}, bottom: c1}}
  - scale: {{Scale: {{bias_term: true, filler: {{type: uniform, min: 1, max: 2}}}}}}
  - flat: {{Flatten: {{}}}}
  - out: {{InnerProduct: {{num_output: 10, {W}}}}}
"""
BRANCHES = f"""
layers:
  - data: {{Input: {{shape: {{dim: [1, 5]}}}}}}
  - a: {{InnerProduct: {{num_output: 5, {W}}}, bottom: data}}
  - sum: {{Eltwise: {{}}, bottom: [a, data]}}
"""
LARGE = """
layers:
  - data: {Input: {shape: {dim: [1, 10000]}}}
  - ip1: {InnerProduct: {num_output: 10000, weight_filler: {type: gaussian, std: 0.01}}}
  - relu1: {ReLU: {negative_slope: 0.1}, top: ip1}
  - ip2: {InnerProduct: {num_output: 2000, weight_filler: {type: gaussian, std: 0.01}}, bottom: ip1}
  - tanh2: {TanH: {}, top: ip2}
  - ip3: {InnerProduct: {num_output: 10, weight_filler: {type: gaussian, std: 0.1}}, bottom: ip2}
  - prob: {Softmax: {}}
"""


def probe_of(net, blob=None):
    return Probe(*net, blob=blob, scores=False, dtype="float64")


@pytest.mark.parametrize("text, blob", [(MLP, "score"), (MLP, "prob"), (MLP, "ip2"), (CONV, "out"), (CONV, "c1")])
def test_what_a_net_gives_can_be_had_again(net_of, text, blob):
    probe = probe_of(net_of(text), blob)
    wanted = probe.forward(np.random.default_rng(0).random((1, *probe.shape)))[0]
    made = invert_exactly(probe, wanted)
    assert made.values.shape == probe.shape and made.largest < 1e-9 and made.relative < 1e-9
    assert made.outputs == pytest.approx(wanted, abs=1e-9)
    assert [u.layer for u in made.layers] == [run.name for run in reversed(probe.net.steps[1:])]
    assert max(u.relative for u in made.layers) < 1e-9
    assert str(made).splitlines()[0].split() == ["layer", "type", "undone", "by", "residual", "relative", "time"]
    assert str(made).splitlines()[-1].startswith("residual |f(x) - wanted|: largest")


def test_wanted_values_that_nothing_gave(net_of):
    """Fewer outputs than units below: any scores can be had."""
    probe = probe_of(net_of(CONV))
    assert invert_exactly(probe, np.arange(10.0) - 5).largest < 1e-9


def test_within_the_pixels(net_of):
    """Of the many inputs one is found that is a picture, where there is one."""
    probe = probe_of(net_of(MLP), "ip1")
    space = Space.plain((1, 6, 6), 0, 1, True)
    wanted = probe.forward(np.random.default_rng(1).uniform(0.3, 0.7, (1, 1, 6, 6)))[0]
    plain, inside = invert_exactly(probe, wanted), invert_exactly(probe, wanted, space)
    assert inside.largest < 1e-9 and inside.values.min() >= 0 and inside.values.max() <= 1
    assert plain.values.min() < 0 and "within limits" in inside.layers[-1].how


def test_more_outputs_than_inputs(net_of):
    """The nearest input, and a residual that says how near."""
    probe = probe_of(net_of(f"layers:\n  - data: {{Input: {{shape: {{dim: [1, 3]}}}}}}\n"
                            f"  - y: {{InnerProduct: {{num_output: 7, {W}}}}}\n"))
    wanted = np.random.default_rng(2).standard_normal(7)
    made = invert_exactly(probe, wanted)
    weights, bias = (b.data for b in probe.net.params["y"])
    best = np.linalg.lstsq(weights, wanted - bias, rcond=None)[0]
    assert made.values == pytest.approx(best) and made.relative > 0.1 and made.layers[0].how.startswith("nearest of 7x3")


def test_a_layer_that_makes_more_than_it_reads(net_of):
    """Its outputs are not free: of the inputs above that give what is wanted, the one that is taken may be none of them."""
    wide = CONV.replace("num_output: 3, kernel_size: 1", "num_output: 4, kernel_size: 1")
    made = invert_exactly(probe_of(net_of(wide)), np.arange(10.0) - 5)
    by_layer = {u.layer: u for u in made.layers}
    assert made.relative > 0.01 and by_layer["c1"].relative > 0.01  # and the table says which layer it is
    assert max(u.relative for u in made.layers if u.layer != "c1") < 1e-9


def test_mistakes(net_of):
    probe = probe_of(net_of(MLP))
    with pytest.raises(OutOfRange, match="layer 'prob' .* got 1.2 at"):
        invert_exactly(probe, np.array([1.2, -0.1, -0.05, -0.05]))
    assert invert_exactly(probe, np.array([1.2, -0.1, -0.05, -0.05]), clip=0.01).relative < 1
    with pytest.raises(NetdefError, match="expected 4 wanted values, for a blob of .4,. an item, got 3"):
        invert_exactly(probe, np.ones(3))
    with pytest.raises(NoInverse, match="blob 'data' is read by 'a', 'sum': the layers are no chain"):
        invert_exactly(probe_of(net_of(BRANCHES, name="branches")), np.ones(5))


@pytest.mark.slow
def test_10000_units(tmp_path):
    """Docs: some 40 seconds and 2 GB; the residual is what matters here."""
    (tmp_path / "large.yaml").write_text(LARGE)
    probe = Probe(tmp_path / "large.yaml", scores=False, dtype="float64")
    wanted = np.random.default_rng(0).dirichlet(np.ones(10))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = invert_exactly(probe, wanted)
    assert made.values.shape == (10000,) and made.relative < 1e-8 and made.largest < 1e-8, str(made)
    assert made.layers[-1].how == "exact of 10000x10000, LU"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB: nothing but W and its factors is held
    assert peak <= max(before, 3_000_000)
