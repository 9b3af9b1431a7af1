import numpy as np
import pytest

from netdef import kernels as K

X = np.array([-2.0, -0.5, 0.0, 0.5, 3.0])


def forward(op, *args):
    """out of an op on X."""
    out = np.full_like(X, np.nan)
    op(X, *args, out)
    return out


def test_relu():
    assert forward(K.relu_forward, 0.0).tolist() == [0, 0, 0, 0.5, 3]
    assert forward(K.relu_forward, 0.1).tolist() == pytest.approx([-0.2, -0.05, 0, 0.5, 3])


def test_relu_keeps_nan_and_drops_minus_infinity():
    out = np.empty(2)
    K.relu_forward(np.array([np.nan, -np.inf]), 0.0, out)
    assert np.isnan(out[0]) and out[1] == 0


def test_relu_gradient_at_zero_is_the_slope():
    dx, dy = np.empty_like(X), np.full_like(X, 2.0)
    K.relu_backward(X, dy, 0.0, dx)
    assert dx.tolist() == [0, 0, 0, 2, 2]
    K.relu_backward(X, dy, 0.25, dx)
    assert dx.tolist() == [0.5, 0.5, 0.5, 2, 2]


def test_sigmoid_and_tanh():
    np.testing.assert_allclose(forward(K.sigmoid_forward), 1 / (1 + np.exp(-X)))
    np.testing.assert_allclose(forward(K.tanh_forward), np.tanh(X))


def test_sigmoid_does_not_overflow():
    x = np.array([-1e30, 1e30], np.float32)
    K.sigmoid_forward(x, x)
    assert x.tolist() == [0, 1]


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_gradients_by_differences(name):
    run, step = getattr(K, name + "_forward"), 1e-6
    y, up, down, dx = (np.empty_like(X) for _ in range(4))
    run(X, y)
    run(X + step, up)
    run(X - step, down)
    getattr(K, name + "_backward")(y, np.ones_like(X), dx)
    np.testing.assert_allclose(dx, (up - down) / (2 * step), rtol=1e-8)


@pytest.mark.parametrize("name, args", [("relu_forward", (0.0,)), ("relu_forward", (0.3,)), ("sigmoid_forward", ()),
                                        ("tanh_forward", ())])
def test_forward_in_place(name, args):
    apart, x = forward(getattr(K, name), *args), X.copy()
    getattr(K, name)(x, *args, x)
    assert x.tolist() == apart.tolist()


@pytest.mark.parametrize("name, args", [("relu_backward", (0.0,)), ("relu_backward", (0.3,)), ("sigmoid_backward", ()),
                                        ("tanh_backward", ())])
def test_backward_in_place(name, args):
    apart, dy = np.empty_like(X), X[::-1].copy()
    getattr(K, name)(X, dy, *args, apart)
    getattr(K, name)(X, dy, *args, dy)
    assert dy.tolist() == apart.tolist()


def test_elu():
    x = np.array([-np.inf, -1e-9, 0.0, 2.0, np.nan])
    y, buffer, dx = np.empty(5), np.empty(5), np.empty(5)
    K.elu_forward(x, 0.5, buffer, y)
    np.testing.assert_allclose(y, [-0.5, -5e-10, 0, 2, np.nan])
    K.elu_backward(x, y, np.full(5, 3.0), 0.5, buffer, dx)
    np.testing.assert_allclose(dx, [0, 1.5, 1.5, 3, np.nan])
