"""Depthwise convolution against the float64 reference: all strides, dilations, pads, more filters than channels."""
import itertools

import numpy as np
import pytest

from netdef.kernels.compiled import depthwise as D
from netdef.kernels.conv_blocks import geometry
from netdef.kernels.reference import conv as R

pytestmark = pytest.mark.compiled

RNG = np.random.default_rng(8)
GRID = itertools.product((1, 3), (2, 5), (1, 2), ((5, 9), (12, 7), (1, 1)), ((3, 3), (1, 2), (5, 4)),
                         ((1, 1), (2, 2), (2, 3)), ((0, 0), (1, 1), (4, 3)), ((1, 1), (2, 1)))


def near(found, exact):
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-5 * (1 + np.abs(exact).max()))


def with_canaries(shape):
    """An array between elements that must stay 7."""
    size = int(np.prod(shape))
    memory = np.full(size + 64, 7, np.float32)
    return memory, memory[32:32 + size].reshape(shape)


def compare(images, channels, each, image, kernel, stride, pad, dilation):
    shapes = (images, channels, *image), (channels * each, 1, *kernel)
    g = geometry(*shapes, stride, pad, dilation, channels)
    assert D.suits(g)
    x, w = (RNG.standard_normal(s).astype(np.float32) for s in shapes)
    bias = RNG.standard_normal(g.filters).astype(np.float32)
    dy = RNG.standard_normal((images, g.filters, *g.out)).astype(np.float32)
    x8, w8, dy8 = (a.astype(float) for a in (x, w, dy))
    how = (stride, pad, dilation, channels)

    memory, out = with_canaries(dy.shape)
    exact = np.empty(dy.shape)
    R.conv_forward(x8, w8, bias.astype(float), *how, np.empty(R.conv_scratch_shape(*shapes, *how)), exact)
    D.forward(g, x, w, bias, None, out)
    near(out, exact)
    D.forward(g, x, w, bias, 0.25, out)
    near(out, np.where(exact > 0, exact, 0.25 * exact))
    assert (memory[:32] == 7).all() and (memory[-32:] == 7).all()

    memory, dx = with_canaries(x.shape)
    exact = np.empty(x.shape)
    R.conv_backward_data(dy8, w8, *how, np.empty(R.conv_scratch_shape(*shapes, *how)), exact)
    D.backward_data(g, dy, w, dx)
    near(dx, exact)
    assert (memory[:32] == 7).all() and (memory[-32:] == 7).all()

    memory, dw = with_canaries(w.shape)
    exact = np.full(w.shape, 7.0)
    R.conv_backward_weights(x8, dy8, *how, np.empty(R.conv_scratch_shape(*shapes, *how)), exact)
    D.backward_weights(g, x, dy, dw)
    near(dw, exact)
    assert (memory[:32] == 7).all() and (memory[-32:] == 7).all()


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (2, 3)])
def test_agrees_with_the_reference(stride):
    count = 0
    for images, channels, each, image, kernel, s, pad, dilation in GRID_LIST:
        fits = all(d * (k - 1) + 1 <= i + 2 * p for d, k, i, p in zip(dilation, kernel, image, pad, strict=True))
        if s == stride and fits:
            compare(images, channels, each, image, kernel, stride, pad, dilation)
            count += 1
    assert count > 100


GRID_LIST = list(GRID)


def test_a_wide_window_that_steps_far():
    """Upsampling by bilinear weights is the gradient of such a convolution."""
    compare(1, 3, 1, (64, 64), (16, 16), (8, 8), (4, 4), (1, 1))


@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
@pytest.mark.parametrize("image", [(17, 16), (7, 7), (14, 33), (3, 70), (2, 1), (40, 31)])
@pytest.mark.parametrize("pad", [(1, 1), (0, 2), (2, 0), (2, 2)])
def test_windows_of_three(stride, image, pad):
    """Rows of several vectors, of one and of less than one; images that end within a window."""
    if all(i + 2 * p >= 3 for i, p in zip(image, pad, strict=True)):
        compare(2, 5, 1, image, (3, 3), stride, pad, (1, 1))


@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
def test_an_infinity_spoils_its_own_windows_only(stride):
    """Lanes and rows beyond the outputs are not multiplied: 0 times infinity would spoil the sums."""
    shapes = (1, 2, 9, 20), (2, 1, 3, 3)
    g = geometry(*shapes, stride, (0, 0), (1, 1), 2)
    x, dy, dw = np.zeros(shapes[0], np.float32), np.ones((1, 2, *g.out), np.float32), np.zeros(shapes[1], np.float32)
    x[0, 0, 4, 19] = x[0, 0, 8, 3] = np.inf
    exact = np.zeros(dw.shape)
    R.conv_backward_weights(x.astype(float), dy.astype(float), stride, (0, 0), (1, 1), 2,
                            np.empty(R.conv_scratch_shape(*shapes, stride, (0, 0), (1, 1), 2)), exact)
    D.backward_weights(g, x, dy, dw)
    assert not np.isnan(dw).any() and (np.isinf(dw) == np.isinf(exact)).all()
