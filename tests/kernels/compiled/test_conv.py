"""The direct convolution kernels against the float64 reference, over everything that decides how an image is laid out or cut."""
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from netdef import kernels as K
from netdef.kernels import choice, threads
from netdef.kernels.conv_blocks import geometry
from netdef.kernels.reference import conv as R

pytestmark = pytest.mark.compiled

RNG = np.random.default_rng(4)
FENCE = 32

WINDOWS = list(itertools.product(
    ((3, 1, 5, 1), (1, 4, 6, 2), (2, 3, 20, 1)),  # images, channels, filters, group
    ((5, 9), (14, 7), (1, 1)),  # image
    ((1, 1), (3, 3), (1, 2), (5, 4)),  # kernel
    ((1, 1), (2, 2), (2, 3), (1, 4)),  # stride
    ((0, 0), (1, 1), (4, 3)),  # pad
    ((1, 1), (2, 1)),  # dilation
))

LARGE = [  # x, filters, kernel, stride, pad, dilation, group: more than one region, band, chunk, part or panel
    ((2, 300, 9, 9), 20, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((9, 1200, 7, 7), 60, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((9, 60, 7, 7), 1200, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((9, 30, 13, 13), 60, (1, 1), (1, 1), (0, 0), (1, 1), 1),  # maps of nearly a region
    ((9, 60, 14, 14), 30, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 200, 28, 28), 60, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 60, 28, 28), 250, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 200, 28, 28), 60, (1, 1), (2, 2), (0, 0), (1, 1), 1),
    ((2, 100, 30, 28), 220, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    ((33, 20, 12, 12), 50, (5, 5), (1, 1), (0, 0), (1, 1), 1),
    ((17, 1, 28, 28), 20, (5, 5), (1, 1), (0, 0), (1, 1), 1),
    ((1, 3, 67, 67), 96, (11, 11), (4, 4), (0, 0), (1, 1), 1),
    ((1, 3, 64, 64), 5, (16, 16), (8, 8), (4, 4), (1, 1), 1),
    ((2, 3, 40, 300), 7, (3, 3), (2, 2), (1, 1), (1, 1), 1),
    ((3, 40, 17), 9, (4,), (3,), (2,), (1,), 1),
    ((0, 3, 6, 4), 4, (3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((4, 3, 2, 2), 4, (3, 3), (1, 1), (0, 0), (1, 1), 1),  # no outputs
    ((6, 30, 3, 4), 40, (3, 4), (1, 1), (0, 0), (1, 1), 1),  # an inner product
]


def real(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def fenced(a):
    """A copy of an array between elements that must stay as they are, and those elements."""
    memory = np.full(a.size + 2 * FENCE, 42, np.float32)
    view = memory[FENCE: FENCE + a.size].reshape(a.shape)
    view[...] = a
    return view, [memory[:FENCE], memory[FENCE + a.size:]]


def passes(x, w, bias, dy, how, slope=None, conv=None):
    """out, dx and dw of the three passes; each array stands between fences that must not be torn down."""
    from netdef.kernels.compiled import conv as compiled

    conv = conv or compiled
    col = np.full(K.conv_scratch_shape(x.shape, w.shape, *how), np.nan, np.float32)
    (x, w, bias, dy, col, out, dx, dw), fences = zip(*(fenced(a) for a in (
        x, w, bias, dy, col, np.full(dy.shape, np.nan), np.full(x.shape, np.nan), np.ones(w.shape))), strict=True)
    conv.conv_forward(x, w, bias, *how, col, out, slope)
    conv.conv_backward_data(dy, w, *how, col, dx)
    conv.conv_backward_weights(x, dy, *how, col, dw)
    assert all((side == 42).all() for both in fences for side in both), "wrote outside its arrays"
    return out, dx, dw


def exact(x, w, bias, dy, how):
    """The same in float64."""
    x, w, bias, dy = (a.astype(float) for a in (x, w, bias, dy))
    col, out, dx, dw = np.empty(0), np.empty(dy.shape), np.empty(x.shape), np.ones(w.shape)
    R.conv_forward(x, w, bias, *how, col, out)
    R.conv_backward_data(dy, w, *how, col, dx)
    R.conv_backward_weights(x, dy, *how, col, dw)
    return out, dx, dw


def arguments(x_shape, filters, kernel, stride, pad, dilation, group):
    w_shape = (filters, x_shape[1] // group, *kernel)
    g = geometry(x_shape, w_shape, stride, pad, dilation, group)
    return real(*x_shape), real(*w_shape), real(filters), real(x_shape[0], filters, *g.out), (stride, pad, dilation, group)


def compare(case, limit=1e-5):
    given = arguments(*case)
    for found, right in zip(passes(*given), exact(*given), strict=True):
        assert np.abs(found - right).max(initial=0) <= limit * (1 + np.abs(right).max(initial=0)), case


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    monkeypatch.setenv("NETDEF_CONV", "product")  # where it cannot be: the ones behind it


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (2, 3), (1, 4)])
def test_windows(stride):
    count = 0
    for (n, c, f, group), image, kernel, s, pad, dilation in WINDOWS:
        fits = all(d * (k - 1) + 1 <= i + 2 * p for d, k, i, p in zip(dilation, kernel, image, pad, strict=True))
        if s == stride and fits:
            compare(((n, c, *image), f, kernel, s, pad, dilation, group))
            count += 1
    assert count > 100


@pytest.mark.parametrize("case", LARGE, ids=str)
def test_large(case):
    compare(case)


@pytest.mark.parametrize("slope", [0.0, 0.25])
@pytest.mark.parametrize("name", ["direct", "blocks", "product"])
def test_activation(slope, name, monkeypatch):
    monkeypatch.setenv("NETDEF_CONV", name)
    given = arguments((3, 4, 5, 5), 6, (5, 5), (1, 1), (0, 0), (1, 1), 1)
    plain, *_ = exact(*given)
    right = np.where(plain > 0, plain, slope * plain)
    np.testing.assert_allclose(passes(*given, slope=slope)[0], right, rtol=0, atol=1e-4)
    np.testing.assert_allclose(passes(*given, slope=slope, conv=R)[0], right, rtol=0, atol=1e-4)


@pytest.mark.parametrize("case", [LARGE[0], LARGE[1], LARGE[7], LARGE[10]], ids=str)
def test_equal_bits_for_any_number_of_threads(case):
    given = arguments(*case)
    many = passes(*given)
    with threads.limited(1):
        alone = passes(*given)
    assert all((a == b).all() for a, b in zip(many, alone, strict=True))


def test_not_a_number_stays_where_it_belongs():
    x, w, bias, dy, how = arguments((2, 3, 12, 12), 5, (3, 3), (1, 1), (1, 1), (1, 1), 1)
    x[0, 1, 4, 4], w[2, 1, 0, 0] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        found, right = passes(x, w, bias, dy, how), exact(x, w, bias, dy, how)
    for a, b in zip(found, right, strict=True):
        assert (np.isnan(a) == np.isnan(b)).all() and (np.isinf(a) == np.isinf(b)).all()


def test_scratch_that_is_too_small_is_replaced():
    from netdef.kernels.compiled import conv as compiled

    x, w, bias, dy, how = arguments(*LARGE[0])
    out, again = np.empty_like(dy), np.empty_like(dy)
    compiled.conv_forward(x, w, bias, *how, np.empty(0, np.float32), out)
    compiled.conv_forward(x, w, bias, *how, np.empty(K.conv_scratch_shape(x.shape, w.shape, *how), np.float32), again)
    assert (out == again).all()


def test_arrays_that_are_not_contiguous_are_right_too():
    x, w, bias, dy, how = arguments((4, 8, 40, 40), 8, (3, 3), (2, 2), (1, 1), (1, 1), 1)
    turned = np.ascontiguousarray(x.swapaxes(2, 3)).swapaxes(2, 3)
    out = np.empty_like(dy)
    K.conv_forward(turned, w, bias, *how, np.empty(K.conv_scratch_shape(x.shape, w.shape, *how), np.float32), out)
    np.testing.assert_allclose(out, exact(x, w, bias, dy, how)[0], rtol=0, atol=1e-4)


def test_scratch_is_small():
    """No column buffer: those of the first layer of VGG-16 would take 87 MB for 16 images."""
    shape = choice.scratch_shape((16, 3, 224, 224), (64, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1)
    assert shape[0] * 4 < 4e6 * max(2, threads.count())


@pytest.mark.slow
@pytest.mark.parametrize("width", ["avx2", "generic"])
def test_narrower_vectors(width):
    code = ("import sys; sys.path.insert(0, 'tests/kernels/compiled'); import test_conv as t\n"
            "for case in t.LARGE: t.compare(case)\n"
            "for (n, c, f, group), image, kernel, *how in t.WINDOWS[::7]:\n"
            "    if min(image) > 5 or max(kernel) == 1: t.compare(((n, c, *image), f, kernel, *how, group))")
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "NETDEF_SIMD": width}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
