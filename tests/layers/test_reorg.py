"""Reorg against loops over Darknet's indices, and the battery."""
import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer


def darknet(x, s, reverse=False):
    """The index of each value by Darknet's arithmetic, on flat memory."""
    n, c, h, w = x.shape
    flat, out = x.ravel(), np.full(x.size, np.nan)
    few = c // (s * s)
    for b, k, j, i in np.ndindex(n, c, h, w):
        plain = i + w * (j + h * (k + c * b))
        down, right = divmod(k // few, s)
        moved = (i * s + right) + w * s * ((j * s + down) + h * s * (k % few + few * b))
        out[moved if reverse else plain] = flat[plain if reverse else moved]
    return out.reshape((n, few, h * s, w * s) if reverse else (n, c * s * s, h // s, w // s))


@pytest.mark.parametrize("shape, stride", [((2, 4, 4, 6), 2), ((1, 8, 2, 2), 2), ((2, 3, 3, 5), 1), ((1, 9, 3, 6), 3)])
@pytest.mark.parametrize("reverse", [False, True])
def test_battery(shape, stride, reverse):
    report = check_layer(f'type: "Reorg" reorg_param {{ stride: {stride} reverse: {str(reverse).lower()} }}', [shape],
                         lambda x: darknet(x, stride, reverse))
    assert {"values", "gradients", "constraints"} <= set(report.passed)


def test_it_is_not_space_to_depth():
    x = np.arange(16.0).reshape(1, 4, 2, 2)
    plain = x.reshape(4, 2, 2).transpose(1, 2, 0).reshape(1, 16, 1, 1)
    y = darknet(x, 2)
    assert y.ravel().tolist() == [0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15] != plain.ravel().tolist()
    check_layer('type: "Reorg" reorg_param { stride: 2 }', [x], lambda _: y, batch=False)


@pytest.mark.parametrize("shape, message", [
    ((1, 3, 4, 4), "expected a number of channels that stride . stride = 4 divides, got 3"),
    ((1, 4, 4, 5), "expected an image whose sides the stride 2 divides, got 4x5"),
    ((4, 4), r"expected a bottom of 4 axes \(N, C, H, W\), got \(4, 4\)")])
def test_refused(shape, message):
    with pytest.raises(ShapeError, match=message):
        check_layer('type: "Reorg" reorg_param { stride: 2 }', [shape])
