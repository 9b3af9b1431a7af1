"""Winograd convolution: the matrices, the NumPy twin, and the compiled kernels against the plain sum in float64."""
import os
import subprocess
import sys

import numpy as np
import pytest

from netdef.kernels.conv_blocks import geometry
from netdef.kernels.reference import conv
from netdef.kernels.reference import winograd as twin
from netdef.kernels.winograd_matrices import TILES, matrices

ONE = (1, 1)
RNG = np.random.default_rng(11)
CANARY = 64
TOLERANCE = 3e-5  # of the largest magnitude; the docstring of compiled/winograd.py says why

SHAPES = [  # x, filters, pad, group
    ((2, 4, 7, 9), 6, (1, 2), 2),
    ((1, 1, 5, 6), 1, (0, 4), 1),
    ((2, 3, 11, 6), 5, (1, 1), 1),
    ((1, 3, 5, 5), 2, (7, 3), 1),  # pads beyond the window
    ((2, 35, 10, 18), 70, (1, 1), 1),
    ((3, 17, 6, 5), 33, (2, 0), 1),
    ((2, 40, 9, 8), 24, (1, 1), 4),
    ((1, 16, 40, 3), 96, (1, 1), 1),
]
PASSES = ("forward", "backward_data", "backward_weights")


class Case:
    """One convolution in float64: its arguments and the three results."""

    def __init__(self, r, x_shape, filters, pad, group, small=False):
        self.r, self.pad, self.group = r, pad, group
        self.x = RNG.standard_normal(x_shape).astype(np.float32).astype(np.float64)
        self.w = RNG.standard_normal((filters, x_shape[1] // group, r, r)).astype(np.float32).astype(np.float64)
        self.bias = RNG.standard_normal(filters).astype(np.float32).astype(np.float64)
        self.g = geometry(self.x.shape, self.w.shape, ONE, pad, ONE, group)
        self.out = np.empty((x_shape[0], filters, *self.g.out))
        self.dy = RNG.standard_normal(self.out.shape).astype(np.float32).astype(np.float64)
        self.dx, self.dw = np.empty_like(self.x), np.zeros_like(self.w)
        how = (ONE, pad, ONE, group)
        col = np.empty(conv.conv_scratch_shape(self.x.shape, self.w.shape, *how))
        conv.conv_forward(self.x, self.w, self.bias, *how, col, self.out)
        conv.conv_backward_data(self.dy, self.w, *how, col, self.dx)
        conv.conv_backward_weights(self.x, self.dy, *how, col, self.dw)

    def run(self, variant, which, slope=None, bias=True, kept=None):
        """The float32 result of a compiled pass; what lies around its arrays must stay."""
        from netdef.kernels.compiled import winograd

        x, w, dy, shift = (guarded(a)[0] for a in (self.x, self.w, self.dy, self.bias))
        room, around_room = guarded(np.full(winograd.scratch(self.g, which, variant), np.nan))
        like = {"forward": self.out, "backward_data": self.dx, "backward_weights": self.dw}[which]
        result, around = guarded(np.full(like.shape, 0.0 if which == "backward_weights" else np.nan))
        if which == "forward":
            winograd.forward(self.g, variant, x, w, shift if bias else None, slope, room, result, kept)
        elif which == "backward_data":
            winograd.backward_data(self.g, variant, dy, w, room, result)
        else:
            winograd.backward_weights(self.g, variant, x, dy, room, result)
        for edge in (around[:CANARY], around[-CANARY:], around_room[:CANARY], around_room[-CANARY:]):
            assert (edge == 77).all()
        return result

    def expected(self, which):
        """The float64 result."""
        return {"forward": self.out, "backward_data": self.dx, "backward_weights": self.dw}[which]


def guarded(array):
    """A float32 copy, and the larger array in which it lies between canaries (NaN would be read as poison: 77)."""
    whole = np.full(array.size + 2 * CANARY, 77, np.float32)
    part = whole[CANARY:-CANARY].reshape(array.shape)
    part[...] = array
    return part, whole


def error(result, expected):
    """The largest difference, as a part of the largest magnitude."""
    return np.abs(result - expected).max() / np.abs(expected).max()


def cases(r, shapes=SHAPES):
    """The convolutions of the grid that have outputs."""
    return [Case(r, *shape) for shape in shapes if all(i + 2 * p >= r for i, p in zip(shape[0][2:], shape[2], strict=True))]


# ---------------------------------------------------------------------------------------------------- the matrices

def test_matrices_of_lavin_and_gray():
    small = matrices(2, 3)
    assert (small.inputs == [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]]).all()
    assert (small.weights == [[1, 0, 0], [.5, .5, .5], [.5, -.5, .5], [0, 0, 1]]).all()
    assert (small.outputs == [[1, 1, 1, 0], [0, 1, -1, 1]]).all()
    assert (matrices(4, 3).inputs[0] == [4, 0, -5, 0, 1, 0]).all()
    assert (matrices(2, 5).inputs == matrices(4, 3).inputs).all()


@pytest.mark.parametrize("m, r", [*TILES.values(), (1, 3), (3, 4), (6, 1)])
def test_one_axis(m, r):
    d, w = RNG.standard_normal(m + r - 1), RNG.standard_normal(r)
    b, g, a = matrices(m, r)
    np.testing.assert_allclose(a @ ((g @ w) * (b @ d)), [d[i:i + r] @ w for i in range(m)], rtol=0, atol=1e-12)


@pytest.mark.parametrize("variant", TILES)
def test_the_twin_is_the_plain_sum(variant):
    m, r = TILES[variant]
    for case in cases(r):
        np.testing.assert_allclose(twin.forward(case.x, case.w, case.bias, m, case.pad, case.group), case.out, atol=1e-11)
        np.testing.assert_allclose(twin.backward_data(case.dy, case.w, m, case.pad, case.group), case.dx, atol=1e-11)
        np.testing.assert_allclose(twin.backward_weights(case.x, case.dy, m, r, case.pad, case.group), case.dw, atol=1e-11)
    assert twin.forward(case.x.astype(np.float32), case.w.astype(np.float32), None, m, case.pad, case.group).dtype == np.float32


# ---------------------------------------------------------------------------------------------------- the kernels

@pytest.fixture
def small_chunks(monkeypatch):
    """Sets the budgets of the plan, so that small shapes take every way."""
    from netdef.kernels.compiled import winograd_plan

    def change(**budgets):
        for name, value in budgets.items():
            monkeypatch.setattr(winograd_plan, name, value)
        winograd_plan.plan.cache_clear()

    winograd_plan.plan.cache_clear()
    yield change
    winograd_plan.plan.cache_clear()


WAYS = {
    "whole": {},
    "own chunks": {"OWN_CHUNK": 10_000, "SUMMED_CHUNK": 10_000},
    "shared": {"SMALL_WEIGHTS": 0},
    "shared chunks": {"SMALL_WEIGHTS": 0, "SHARED_CHUNK": 10_000, "STRIP_ELEMENTS": 0},
}


@pytest.mark.compiled
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("variant", TILES)
def test_against_the_plain_sum(variant, way, small_chunks):
    small_chunks(**WAYS[way])
    for case in cases(TILES[variant][1]):
        for which in PASSES:
            assert error(case.run(variant, which), case.expected(which)) < TOLERANCE, (case.g, which)


@pytest.mark.compiled
@pytest.mark.parametrize("way", ["whole", "shared"])
def test_bias_slope_and_kept_weights(way, small_chunks):
    from netdef.kernels.compiled import winograd

    small_chunks(**WAYS[way])
    for variant, (_, r) in TILES.items():
        case = Case(r, (2, 20, 9, 10), 36, (1, 1), 2)
        plain = case.run(variant, "forward")
        for slope in (0.0, 0.25):
            leaky = np.where(plain > 0, plain, plain * np.float32(slope))
            np.testing.assert_array_equal(case.run(variant, "forward", slope), leaky)
        bare = case.run(variant, "forward", bias=False)
        np.testing.assert_array_equal(bare + case.bias.astype(np.float32)[:, None, None], plain)
        kept = winograd.transform_weights(case.g, variant, case.w.astype(np.float32))
        case.w[...] = np.nan  # not read again
        np.testing.assert_array_equal(case.run(variant, "forward", kept=kept), plain)


@pytest.mark.compiled
def test_weight_gradients_are_added():
    case = Case(3, (2, 5, 9, 9), 7, (1, 1), 1)
    from netdef.kernels.compiled import winograd

    dw = np.ones(case.w.shape, np.float32)
    room = np.empty(winograd.scratch(case.g, "backward_weights", "winograd4x4"), np.float32)
    winograd.backward_weights(case.g, "winograd4x4", case.x.astype(np.float32), case.dy.astype(np.float32), room, dw)
    np.testing.assert_allclose(dw - 1, case.run("winograd4x4", "backward_weights"), atol=1e-4)


@pytest.mark.compiled
@pytest.mark.parametrize("way", ["own chunks", "shared chunks"])
def test_any_number_of_threads(way, small_chunks):
    from netdef.kernels import threads

    small_chunks(**WAYS[way])
    for variant, (_, r) in TILES.items():
        case = Case(r, (3, 40, 17, 14), 50, (1, 2), 1)
        for which in PASSES:
            with threads.limited(1):
                alone = case.run(variant, which)
            np.testing.assert_array_equal(case.run(variant, which), alone)


@pytest.mark.compiled
@pytest.mark.parametrize("variant", TILES)
def test_nan_reaches_every_output_that_reads_it(variant):
    m, r = TILES[variant]
    p = r // 2
    case = Case(r, (2, 20, 16, 16), 20, (p, p), 1)
    case.x[1, 3, 7, 6] = np.nan
    case.dy[1, 3, 7, 6] = np.nan
    out, dx, dw = (case.run(variant, which) for which in PASSES)
    for result in (out, dx):
        lost = np.isnan(result)
        assert not lost[0].any() and lost[1].any()
        assert lost[1, :, 7 - p:8 + p, 6 - p:7 + p].all()
        assert not lost[1, :, :7 - p - m].any() and not lost[1, :, :, 7 + p + m:].any()
    assert np.isnan(dw[3]).all() and np.isnan(dw[:, 3]).all() and np.isfinite(dw[0, 0]).all()


@pytest.mark.compiled
def test_no_images_and_no_outputs():
    from netdef.kernels.compiled import winograd

    for x_shape in ((0, 4, 6, 6), (2, 4, 2, 6), (2, 0, 6, 6)):
        g = geometry(x_shape, (8, x_shape[1], 3, 3), ONE, (0, 0), ONE, 1)
        assert all(winograd.suits(g, which) is None for which in PASSES)


@pytest.mark.compiled
def test_suits():
    from netdef.kernels.compiled import winograd

    def chosen(x, filters, kernel, pad=1, stride=1, dilation=1, group=1, which="forward"):
        g = geometry(x, (filters, x[1] // group, *kernel), (stride,) * 2, (pad,) * 2, (dilation,) * 2, group)
        return winograd.suits(g, which)

    vgg = (4, 64, 56, 56)
    for which in PASSES:
        assert chosen(vgg, 64, (3, 3), which=which) == "winograd4x4"
        assert chosen((4, 96, 27, 27), 256, (5, 5), 2, group=2, which=which) == "winograd2x2_5x5"
        assert chosen((8, 512, 7, 7), 512, (3, 3), which=which) == "winograd4x4"
        assert chosen((8, 512, 2, 2), 512, (3, 3), which=which) == "winograd2x2"
        assert chosen((8, 512, 1, 1), 512, (3, 3), which=which) is None  # one tap is not zero
        assert chosen((4, 3, 224, 224), 64, (3, 3), which=which) is None  # as many transforms as products
        assert chosen((4, 64, 56, 56), 64, (3, 3), group=64, which=which) is None
        assert chosen(vgg, 64, (3, 5), which=which) is chosen(vgg, 64, (7, 7), which=which) is None
        assert chosen(vgg, 64, (3, 3), stride=2, which=which) is chosen(vgg, 64, (3, 3), dilation=2, which=which) is None
    line = geometry((4, 64, 56), (64, 64, 3), (1,), (1,), (1,), 1)
    assert winograd.suits(line, "forward") is None


@pytest.mark.compiled
def test_scratch_is_small():
    from netdef.kernels.compiled import winograd

    for x, filters in (((4, 64, 224, 224), 64), ((4, 256, 56, 56), 256), ((8, 512, 14, 14), 512)):
        g = geometry(x, (filters, x[1], 3, 3), ONE, ONE, ONE, 1)
        columns = g.images * g.rows * g.area
        for which in PASSES:
            assert winograd.scratch(g, which, "winograd4x4") < min(columns, 8 << 20)  # 32 MB


@pytest.mark.compiled
def test_too_little_scratch():
    from netdef.kernels.compiled import winograd

    case = Case(3, (1, 4, 6, 6), 4, (1, 1), 1)
    x, dy, w = (a.astype(np.float32) for a in (case.x, case.dy, case.w))
    with pytest.raises(ValueError, match="scratch: expected at least"):
        winograd.forward(case.g, "winograd4x4", x, w, None, None, np.empty(100, np.float32), dy)
    with pytest.raises(ValueError, match="scratch: expected at least"):
        winograd.backward_weights(case.g, "winograd4x4", x, dy, np.empty(100, np.float32), w)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("width", ["avx2", "generic"])
def test_narrower_vectors(width):
    code = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "plain_sum and chunks or kept"]
    done = subprocess.run(code, env={**os.environ, "NETDEF_SIMD": width}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


NETS = [  # of VGG-16, ResNet-50 and CaffeNet: channels, map, filters, window, group
    (64, 224, 64, 3, 1), (64, 112, 128, 3, 1), (128, 112, 128, 3, 1), (128, 56, 256, 3, 1), (256, 56, 256, 3, 1),
    (256, 28, 512, 3, 1), (512, 28, 512, 3, 1), (512, 14, 512, 3, 1),
    (64, 56, 64, 3, 1), (128, 28, 128, 3, 1), (256, 14, 256, 3, 1), (512, 7, 512, 3, 1),
    (96, 27, 256, 5, 2), (256, 13, 384, 3, 1), (384, 13, 384, 3, 2), (384, 13, 256, 3, 2),
]


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("channels, size, filters, window, group", NETS)
def test_accuracy_in_known_nets(channels, size, filters, window, group):
    case = Case(window, (1, channels, size, size), filters, (window // 2,) * 2, group)
    for variant, (_, r) in TILES.items():
        if r == window:
            for which in PASSES:
                assert error(case.run(variant, which), case.expected(which)) < TOLERANCE, which
