import numpy as np

from netdef import kernels as K


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 3, 4)), rng.standard_normal(3), rng.standard_normal(3)


def test_scale():
    x, _, scale, bias = arrays()
    kept, out = np.empty_like(x), x.copy()
    K.scale_forward(out, scale, bias, kept, out)
    for o, c, i in np.ndindex(x.shape):
        assert out[o, c, i] == x[o, c, i] * scale[c] + bias[c]
    assert np.array_equal(kept, x)
    K.scale_forward(x, scale, None, None, out)
    assert np.array_equal(out, x * scale[:, None])


def test_scale_gradients_add_and_may_be_left_out():
    x, dy, scale, _ = arrays()
    dscale, dbias, buffer = np.ones(3), np.ones(3), np.empty_like(x)
    K.scale_backward(x, dy, scale, buffer, dscale, dbias, None)
    np.testing.assert_allclose(dscale, 1 + (x * dy).sum((0, 2)))
    np.testing.assert_allclose(dbias, 1 + dy.sum((0, 2)))
    want = dy * scale[:, None]
    K.scale_backward(x, dy, scale, buffer, None, None, dy)
    assert np.array_equal(dy, want)


def test_bias():
    x, _, _, bias = arrays()
    want = x + bias[:, None]
    K.bias_forward(x, bias, x)
    assert np.array_equal(x, want)


def test_prelu_and_its_gradients():
    x, dy, slope, _ = arrays()
    x[0, 0, 0] = 0
    kept, buffer, out, dslope = (np.empty_like(x) for _ in range(4))
    dslope = np.ones(3)
    K.prelu_forward(x, slope, kept, buffer, out)
    np.testing.assert_allclose(out, np.where(x > 0, x, x * slope[:, None]))
    assert np.array_equal(kept, x)
    K.prelu_backward(x, dy, slope, buffer, dslope, out)
    np.testing.assert_allclose(dslope, 1 + (dy * np.minimum(x, 0)).sum((0, 2)))
    np.testing.assert_allclose(out, np.where(x > 0, dy, dy * slope[:, None]))
    K.prelu_forward(np.full((1, 3, 1), np.nan), slope, None, np.empty((1, 3, 1)), made := np.empty((1, 3, 1)))
    assert np.isnan(made).all()
