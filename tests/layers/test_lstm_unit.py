"""LSTMUnit: the battery, and that its gate activations are its own (trap 29)."""
import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer, spread


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def unit(c, a, cont):
    d = c.shape[2]
    i, f, o, g = (a[..., k * d: (k + 1) * d] for k in range(4))
    new = sigmoid(f) * cont[..., None] * c + sigmoid(i) * np.tanh(g)
    return [new, sigmoid(o) * np.tanh(new)]


@pytest.mark.parametrize("cont", [[0, 1, 1], [1, 0.5, 0]])
def test_battery(cont):
    generator = np.random.default_rng(0)
    bottoms = [spread((1, 3, 2), generator), spread((1, 3, 8), generator), np.array([cont], float)]
    other = [spread((1, 1, 4), generator), spread((1, 1, 16), generator), np.ones((1, 1))]
    report = check_layer('type: "LSTMUnit"', bottoms, unit, batch=False, other=other)
    assert {"values", "gradients", "other shape"} <= set(report.passed)


def test_trap_29_the_gates_activations_are_inside():
    """The second bottom holds sums, not activations: 100 opens a gate, -100 shuts it."""
    sums = np.array([[[100.0, 100, 100, 100]]])
    report = check_layer('type: "LSTMUnit"', [np.full((1, 1, 1), 2.0), sums, np.ones((1, 1))],
                         lambda *_: [np.full((1, 1, 1), 3.0), np.full((1, 1, 1), np.tanh(3))], batch=False,
                         skip=["gradients"])
    assert "values" in report.passed


@pytest.mark.parametrize("shapes, message", [
    ([(2, 3, 2), (1, 3, 8), (1, 3)], r"expected a memory cell \(1, sequences, values\), got \(2, 3, 2\)"),
    ([(1, 3, 2), (1, 3, 6), (1, 3)], r"expected sums at four gates, \(1, 3, 8\), got \(1, 3, 6\)"),
    ([(1, 3, 2), (1, 3, 8), (3,)], r"expected one number for each sequence, \(1, 3\), got \(3,\)"),
])
def test_bad_shapes(shapes, message):
    with pytest.raises(ShapeError, match=message):
        check_layer('type: "LSTMUnit"', shapes)
