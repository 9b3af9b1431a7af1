"""One step of LSTM by hand."""
import numpy as np
import pytest

from netdef import kernels as K


def test_carry():
    out = np.empty((3, 2))
    K.carry(np.array([[1, 2], [np.inf, np.nan], [3, 4.0]]), np.array([1, 0, 0.5]), out)
    assert out.tolist() == [[1, 2], [0, 0], [1.5, 2]]
    K.carry(out, np.array([0, 1.0, 1]), out)
    assert out.tolist() == [[0, 0], [0, 0], [1.5, 2]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lstm_unit(dtype):
    """i = f = o = 1/2, g = tanh(1): c = 3/2 + tanh(1)/2."""
    gates = np.array([[0, 0, 0, 1]], dtype)
    c, tanh_c, h = (np.empty((1, 1), dtype) for _ in range(3))
    K.lstm_unit_forward(gates, np.array([[3]], dtype), c, tanh_c, h)
    assert c[0, 0] == pytest.approx(1.5 + np.tanh(1) / 2)
    assert h[0, 0] == pytest.approx(np.tanh(c[0, 0]) / 2)
    assert gates[0].tolist() == pytest.approx([0.5, 0.5, 0.5, np.tanh(1)])


@pytest.mark.filterwarnings("error")
def test_lstm_unit_does_not_overflow():
    gates = np.array([[-1e30, 1e30, 1e30, -1e30]], np.float32)
    c, tanh_c, h = (np.empty((1, 1), np.float32) for _ in range(3))
    K.lstm_unit_forward(gates, np.array([[2]], np.float32), c, tanh_c, h)
    assert gates[0].tolist() == [0, 1, 1, -1] and c[0, 0] == 2


def test_lstm_unit_in_one_array():
    gates = np.array([[0.3, -0.2, 0.1, 0.7]])
    c, tanh_c, h = np.array([[0.4]]), np.empty((1, 1)), np.empty((1, 1))
    again = gates.copy()
    K.lstm_unit_forward(gates, c, c, tanh_c, h)
    separate = np.empty((1, 1))
    K.lstm_unit_forward(again, np.array([[0.4]]), separate, tanh_c, h)
    assert c == separate
