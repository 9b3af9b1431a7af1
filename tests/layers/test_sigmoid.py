"""Sigmoid against its formula, at its limits, and the battery."""
import numpy as np

from netdef.testing import check_layer


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_battery():
    assert "in place" in check_layer('type: "Sigmoid"', [(3, 4, 2)], sigmoid, low=-6, high=6).passed


def test_large_values_neither_overflow_nor_warn():
    x = np.array([[-1e4, -1e3, 1e3, 1e4]])
    check_layer('type: "Sigmoid" sigmoid_param { engine: CAFFE }', [x], lambda x: (x > 0) * 1.0)
