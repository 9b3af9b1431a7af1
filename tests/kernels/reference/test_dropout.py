import numpy as np
import pytest

from netdef import kernels as K

KEY = np.array([1, 2, 3, 4, 0, 0], np.uint32)


@pytest.mark.parametrize("kind", [np.uint8, np.bool_])
def test_keeps_scales_and_repeats(kind):
    x, out, mask = np.ones((100, 100)), np.empty((100, 100)), np.empty((100, 100), kind)
    K.dropout_forward(x, KEY, 0.3, mask, out)
    assert mask.mean() == pytest.approx(0.7, abs=0.02)
    assert (out == np.where(mask, 1 / 0.7, 0)).all()
    again = np.empty_like(mask)
    K.dropout_forward(x, KEY, 0.3, again, x)  # in place
    assert (again == mask).all() and (x == out).all()


def test_one_word_an_element():
    bits, mask = np.empty(64, np.uint32), np.empty(64, np.uint8)
    K.philox_bits(KEY, bits)
    K.dropout_forward(np.ones(64), KEY, 0.5, mask, np.empty(64))
    assert (mask == (bits >= 1 << 31)).all()


def test_ratio_zero_keeps_all():
    x, out, mask = np.arange(9.0), np.empty(9), np.empty(9, np.uint8)
    K.dropout_forward(x, KEY, 0.0, mask, out)
    assert mask.all() and (out == x).all()


def test_backward_uses_the_mask():
    dx = np.empty(3)
    K.dropout_backward(np.array([1.0, np.nan, 3.0]), np.array([1, 0, 1], np.uint8), 0.5, dx)
    assert dx.tolist() == [2, 0, 6]
