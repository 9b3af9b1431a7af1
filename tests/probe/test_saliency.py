"""Saliency: each method against its definition."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.data.preprocessing import Preprocessing
from netdef.errors import NetdefError
from netdef.probe.saliency import METHODS, baseline_of, explain
from netdef.probe.space import Space
from netdef.probe.subject import Probe

LINEAR = """
layers:
  - data: {Input: {shape: {dim: [1, 2, 3, 3]}}}
  - y: {InnerProduct: {num_output: 2, weight_filler: {type: gaussian, std: 1}}}
"""


@pytest.fixture
def probe(small):
    return Probe(*small, dtype="float64")


X = np.random.default_rng(4).uniform(0, 1, (1, 1, 8, 8))


def test_of_a_linear_net(net_of):
    """The gradient is the weights; every other method is what it makes of weights and values."""
    probe = Probe(*net_of(LINEAR), dtype="float64")
    x = np.random.default_rng(0).standard_normal((1, 2, 3, 3))
    w = probe.net.params["y"][0].data[1].reshape(2, 3, 3)
    base = np.full_like(x, 0.5)
    for method, wanted in (("gradient", w), ("guided", w), ("smooth", w), ("input", w * x[0])):
        made = explain(method, probe, x, (1,))
        assert made.attribution == pytest.approx(wanted) and made.value == pytest.approx(probe.forward(x)[0, 1])
    made = explain("integrated", probe, x, (1,), baseline=base, steps=3)
    assert made.attribution == pytest.approx(w * (x - base)[0]) and abs(made.gap) < 1e-12
    lost = explain("occlusion", probe, x, (1,), size=1, stride=1, baseline=base)
    assert lost.attribution == pytest.approx((w * (x - base)[0]).sum(axis=0)[None])


def test_the_gradient_by_differences(probe):
    made = explain("gradient", probe, X, (2,)).attribution
    for y, x in ((0, 0), (3, 4), (7, 7)):
        moved = X.copy()
        moved[0, 0, y, x] += 1e-6
        assert made[0, y, x] == pytest.approx((probe.forward(moved) - probe.forward(X))[0, 2] / 1e-6, abs=1e-5)


def test_completeness(probe):
    """The more steps, the smaller the gap; the number that is printed is the gap."""
    gaps = [abs(explain("integrated", probe, X, (0,), steps=n).gap) for n in (1, 16, 256)]
    assert gaps[2] < gaps[0] / 4 and gaps[2] < 1e-3
    made = explain("integrated", probe, X, (0,), steps=16)
    ends = probe.forward(np.concatenate([np.zeros_like(X), X]))[:, 0]
    assert made.gap == pytest.approx(made.attribution.sum() - (ends[1] - ends[0])) and f"gap {made.gap:.2g}" in made.check


def test_smoothgrad(probe):
    still = explain("smooth", probe, X, (1,), samples=3, noise=0)
    assert still.attribution == pytest.approx(explain("gradient", probe, X, (1,)).attribution)
    a, b, c = (explain("smooth", probe, X, (1,), samples=20, seed=s).attribution for s in (1, 1, 2))
    assert (a == b).all() and (a != c).any()


def test_occlusion(probe):
    """A square over everything loses what a blank picture lacks."""
    made = explain("occlusion", probe, X, (1,), size=8, stride=8)
    blank = probe.forward(np.concatenate([X, 0 * X]))[:, 1]
    assert made.attribution == pytest.approx(np.full((1, 8, 8), blank[0] - blank[1]))
    assert explain("occlusion", probe, X, (1,), size=3, stride=2).attribution.shape == (1, 8, 8)


def test_gradcam(probe):
    made = explain("gradcam", probe, X, (1,))
    assert made.attribution.shape == (3, 3) and made.attribution.min() >= 0 and "pool1" in made.check
    # by hand: the score is linear in pool1, so its gradient there is the row of weights
    maps = probe.net.blobs["pool1"].data[0]
    slope = probe.net.params["score"][0].data[1].reshape(4, 3, 3)
    assert made.attribution == pytest.approx(np.maximum((maps * slope.mean(axis=(1, 2), keepdims=True)).sum(axis=0), 0))
    assert explain("gradcam", probe, X, (1,), blob="conv1").attribution.shape == (6, 6)
    with pytest.raises(NetdefError, match="expected an image blob"):
        explain("gradcam", probe, X, (1,), blob="score")
    with pytest.raises(NetdefError, match="no blob 'conv'"):
        explain("gradcam", probe, X, (1,), blob="conv")


@pytest.mark.parametrize("method", METHODS)
def test_heat(probe, method):
    made = explain(method, probe, X, (0,))
    heat = made.heat()
    assert heat.ndim == 2 and np.isfinite(heat).all() and made.method == method
    if method not in ("input", "integrated", "occlusion"):
        assert heat.min() >= 0


def test_baselines():
    space = Space.of(Preprocessing(mean_value=(100,)), (1, 2, 2))
    assert (baseline_of("zeros", space) == 0).all() and (baseline_of("black", space) == -100).all()
    assert (baseline_of("white", space) == 155).all()


@pytest.mark.parametrize("call, said", [
    (lambda p: explain("gradiant", p, X, (0,)), "did you mean 'gradient'"),
    (lambda p: explain("gradient", p, X, (3,)), "no unit 3"), (lambda p: explain("integrated", p, X, (0,), steps=0), "steps"),
    (lambda p: explain("smooth", p, X, (0,), samples=0), "1 sample"),
    (lambda p: explain("occlusion", p, X, (0,), size=0), "sizes from 1"),
    (lambda p: baseline_of("grey", Space.plain((1, 2, 2))), "did you mean 'gray'")])
def test_mistakes(probe, call, said):
    with pytest.raises(NetdefError, match=said):
        call(probe)
