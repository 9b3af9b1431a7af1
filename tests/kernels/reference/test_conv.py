import itertools

import numpy as np
import pytest

from netdef import kernels as K
from netdef.kernels import conv_blocks

# x shape, filters, kernel, stride, pad, dilation, group
CASES = [
    ((2, 3, 6, 4), 4, (3, 3), (2, 2), (0, 0), (1, 1), 1),
    ((3, 4, 9, 7), 6, (3, 2), (2, 1), (1, 2), (1, 2), 2),
    ((1, 2, 5, 5), 2, (5, 5), (1, 1), (4, 4), (1, 1), 2),
    ((2, 3, 17, 16), 5, (1, 1), (1, 1), (0, 0), (1, 1), 1),  # wide enough for no columns
    ((2, 3, 17, 16), 6, (1, 1), (1, 1), (0, 0), (1, 1), 3),
    ((2, 3, 4, 4), 2, (1, 1), (2, 2), (1, 1), (1, 1), 1),
    ((2, 3, 11), 4, (4,), (3,), (2,), (1,), 1),
    ((2, 2, 4, 5, 6), 3, (2, 3, 2), (1, 2, 1), (1, 0, 2), (2, 1, 1), 1),
    ((3, 4), 2, (), (), (), (), 2),
    ((0, 3, 6, 4), 4, (3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((2, 3, 2, 2), 4, (3, 3), (1, 1), (0, 0), (1, 1), 1),  # an image smaller than the window: no outputs
]


def out_shape(x_shape, filters, kernel, stride, pad, dilation):
    """The shape rule, written out once more."""
    axes = zip(x_shape[2:], kernel, stride, pad, dilation, strict=True)
    return (x_shape[0], filters, *((i + 2 * p - d * (k - 1) - 1) // s + 1 for i, k, s, p, d in axes))


def taps(case):
    """Every (out index, w index, x index) of a convolution that is not in the padding."""
    x_shape, filters, kernel, stride, pad, dilation, group = case
    shape = out_shape(x_shape, filters, kernel, stride, pad, dilation)
    channels = x_shape[1] // group
    for o in np.ndindex(*shape):
        for w in itertools.product(range(channels), *map(range, kernel)):
            where = [o[2 + a] * stride[a] - pad[a] + w[1 + a] * dilation[a] for a in range(len(kernel))]
            if all(0 <= i < size for i, size in zip(where, x_shape[2:], strict=True)):
                yield o, (o[1], *w), (o[0], o[1] // (filters // group) * channels + w[0], *where)


@pytest.mark.parametrize("block", [1, 300, 1 << 20])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_three_passes_against_loops(case, block, monkeypatch):
    monkeypatch.setattr(conv_blocks, "BLOCK_ELEMENTS", block)
    conv_blocks.geometry.cache_clear()
    x_shape, filters, kernel, stride, pad, dilation, group = case
    w_shape = (filters, x_shape[1] // group, *kernel)
    how = (stride, pad, dilation, group)
    rng = np.random.default_rng(1)
    x, w, bias = rng.standard_normal(x_shape), rng.standard_normal(w_shape), rng.standard_normal(filters)
    shape = out_shape(*case[:-1])
    dy, dw_before = rng.standard_normal(shape), rng.standard_normal(w_shape)
    want = np.zeros(shape) + bias.reshape(-1, *[1] * len(kernel))
    want_dx, want_dw = np.zeros(x_shape), dw_before.copy()
    for o, v, i in taps(case):
        want[o] += w[v] * x[i]
        want_dx[i] += w[v] * dy[o]
        want_dw[v] += x[i] * dy[o]

    col = np.full(K.conv_scratch_shape(x_shape, w_shape, *how), np.nan)
    out, dx, dw = np.full(shape, np.nan), np.full(x_shape, np.nan), dw_before.copy()
    K.conv_forward(x, w, bias, *how, col, out)
    K.conv_backward_data(dy, w, *how, col, dx)
    K.conv_backward_weights(x, dy, *how, col, dw)
    np.testing.assert_allclose(out, want, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dx, want_dx, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dw, want_dw, rtol=1e-12, atol=1e-12)
    K.conv_forward(x, w, None, *how, col, out)
    np.testing.assert_allclose(out, want - bias.reshape(-1, *[1] * len(kernel)), rtol=1e-12, atol=1e-12)
    conv_blocks.geometry.cache_clear()


def test_bias_gradient_adds():
    dy = np.arange(24.0).reshape(2, 3, 4)
    db = np.ones(3)
    K.conv_bias_grad(dy, db)
    assert db.tolist() == [1 + 6 + 54, 1 + 22 + 70, 1 + 38 + 86]


def test_scratch_of_a_large_batch_serves_a_smaller_one():
    x, w, how = np.ones((2, 3, 8, 8)), np.ones((4, 3, 3, 3)), ((1, 1), (0, 0), (1, 1), 1)
    col = np.empty(K.conv_scratch_shape((8, 3, 8, 8), w.shape, *how))
    out = np.empty((2, 4, 6, 6))
    K.conv_forward(x, w, None, *how, col, out)
    assert (out == 27).all()


def test_im2col_layout():
    x = np.arange(2 * 1 * 3 * 3, dtype=np.float64).reshape(2, 1, 3, 3)
    col = np.empty((1, 2, 2, 2, 2, 2))
    K.im2col(x, (2, 2), (1, 1), (0, 0), (1, 1), col)
    assert col[0, 0, 1].tolist() == [[[1, 2], [4, 5]], [[10, 11], [13, 14]]]


def test_col2im_is_the_adjoint():
    rng = np.random.default_rng(2)
    x, col = rng.standard_normal((2, 3, 7, 6)), rng.standard_normal((3, 3, 2, 2, 4, 5))
    how = ((3, 2), (2, 1), (1, 0), (1, 1))
    forward, back = np.empty_like(col), np.empty_like(x)
    K.im2col(x, *how, forward)
    K.col2im(col, *how, back)
    assert np.isclose((forward * col).sum(), (x * back).sum())
