"""TanH against NumPy's, and the battery."""
import numpy as np

from netdef.testing import check_layer


def test_battery():
    assert {"in place", "claims"} <= set(check_layer('type: "TanH"', [(3, 4, 2)], np.tanh, low=-4, high=4).passed)


def test_large_and_tiny_values_keep_their_sign():
    check_layer('type: "TanH" tanh_param { engine: CAFFE }', [np.array([[-1e4, -1e-30, 1e-30, 1e4]])], np.tanh)
