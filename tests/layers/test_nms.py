"""Nms against a loop over cells."""
import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer


def naive(x, parts, most, threshold):
    out = np.zeros((len(x), parts, most + 1, 3))
    for n, c in np.ndindex(len(x), parts):
        plane, found = x[n, c], []
        height, width = plane.shape
        for i in range(2, height - 1):
            for j in range(2, width - 1):
                around = [plane[i + a, j + b] for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]
                if plane[i, j] > threshold and all(plane[i, j] > v for v in around):
                    found.append((i, j))
        out[n, c, 0, 0] = len(found)
        for k, (i, j) in enumerate(found[:most], 1):
            total = at_x = at_y = 0
            for a in range(i - 3, i + 4):
                for b in range(j - 3, j + 4):
                    if 0 < a < height and 0 < b < width and plane[a, b] > 0:
                        total, at_x, at_y = total + plane[a, b], at_x + b * plane[a, b], at_y + a * plane[a, b]
            out[n, c, k] = (at_x / total, at_y / total, plane[i, j])
    return out


@pytest.mark.parametrize("shape, parts, most", [((2, 3, 9, 12), 2, 20), ((1, 1, 12, 9), 1, 2), ((1, 2, 3, 3), 2, 3)])
@pytest.mark.parametrize("threshold", [0.5, 0.0])
def test_battery(shape, parts, most, threshold):
    report = check_layer(f'type: "Nms" nms_param {{ num_parts: {parts} max_peaks: {most} threshold: {threshold} }}', [shape],
                         lambda x: naive(x, parts, most, threshold))
    assert {"values", "constraints"} <= set(report.passed)


def test_equal_neighbours_are_no_peak_and_borders_hold_none():
    x = np.zeros((1, 1, 7, 7))
    x[0, 0, 3, 3] = x[0, 0, 3, 4] = x[0, 0, 1, 1] = x[0, 0, 6, 6] = 1
    check_layer('type: "Nms" nms_param { num_parts: 1 max_peaks: 1 }', [x], lambda x: np.zeros((1, 1, 2, 3)), batch=False)


def test_refused():
    with pytest.raises(ShapeError, match=r"expected at least num_parts 15 maps .N, C, H, W., got \(1, 3, 8, 8\)"):
        check_layer('type: "Nms"', [(1, 3, 8, 8)])
