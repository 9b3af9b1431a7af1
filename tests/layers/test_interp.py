"""Interp: the battery, the sizes of DeepLab's and PSPNet's layers, and what it refuses."""
import numpy as np
import pytest

from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


def plain(height, width, begin=0, end=0):
    def one(x, rows, columns):
        y = np.empty((rows, columns))
        for i in range(rows):
            for j in range(columns):
                a = i * (x.shape[0] - 1) / (rows - 1) if rows > 1 else 0
                b = j * (x.shape[1] - 1) / (columns - 1) if columns > 1 else 0
                p, q = min(int(a), x.shape[0] - 1), min(int(b), x.shape[1] - 1)
                p1, q1 = min(p + 1, x.shape[0] - 1), min(q + 1, x.shape[1] - 1)
                s, t = a - p, b - q
                y[i, j] = ((1 - s) * ((1 - t) * x[p, q] + t * x[p, q1]) + s * ((1 - t) * x[p1, q] + t * x[p1, q1]))
        return y

    def reference(x):
        x = x[:, :, begin: x.shape[2] - end, begin: x.shape[3] - end]
        return np.array([[one(c, height, width) for c in item] for item in x]).reshape(*x.shape[:2], height, width)
    return reference


@pytest.mark.parametrize("options, size, reference", [
    ("height: 7 width: 5", (3, 4), plain(7, 5)),
    ("height: 2 width: 1", (5, 4), plain(2, 1)),
    ("height: 3 width: 4", (1, 1), plain(3, 4)),
    ("zoom_factor: 8", (3, 2), plain(17, 9)),
    ("shrink_factor: 2", (5, 6), plain(3, 3)),
    ("shrink_factor: 2 zoom_factor: 3", (5, 5), plain(7, 7)),
    ("height: 5 width: 6 pad_beg: -1 pad_end: -2", (6, 7), plain(5, 6, 1, 2)),
])
def test_battery(options, size, reference):
    other = [(3, 2, *size)]
    report = check_layer(f'type: "Interp" interp_param {{ {options} }}', [(2, 2, *size)], reference, other=other)
    assert {"values", "gradients"} <= set(report.passed)


def test_the_same_size_is_a_copy():
    check_layer('type: "Interp" interp_param { height: 4 width: 6 }', [(1, 2, 4, 6)], lambda x: x, batch=False)


@pytest.mark.parametrize("options, message", [
    ("height: 4", "expected width beside it"),
    ("height: 4 width: 4 zoom_factor: 2", "expected either a size or a factor, got both"),
    ("", "expected height and width, zoom_factor or shrink_factor"),
    ("zoom_factor: 2 pad_beg: 1", "pad_beg"),
])
def test_refused(options, message):
    with pytest.raises(FieldError, match=message):
        check_layer(f'type: "Interp" interp_param {{ {options} }}', [(1, 1, 4, 4)])


def test_nothing_left():
    with pytest.raises(ShapeError, match="nothing is left of an image of 3x4"):
        check_layer('type: "Interp" interp_param { zoom_factor: 2 pad_beg: -3 }', [(1, 1, 3, 4)])
