"""Correlation against loops over patches and displacements."""
import math

import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer


def naive(a, b, k, d, pad=0, s1=1, s2=1, subtract=False):
    edge = [(0, 0), (0, 0), (pad, pad), (pad, pad)]
    a, b = np.pad(a, edge), np.pad(b, edge)
    n, c, height, width = a.shape
    out_h, out_w = (math.ceil((size - 2 * (d + k // 2)) / s1) for size in (height, width))
    moves = range(-(d // s2), d // s2 + 1)
    y = np.zeros((n, len(moves) ** 2, out_h, out_w))
    for item, i, j in np.ndindex(n, out_h, out_w):
        top, left = i * s1 + d, j * s1 + d
        patch = a[item, :, top: top + k, left: left + k]
        for m, (p, o) in enumerate((p, o) for p in moves for o in moves):
            other = b[item, :, top + p * s2: top + p * s2 + k, left + o * s2: left + o * s2 + k]
            y[item, m, i, j] = np.mean(np.abs(patch - other) if subtract else patch * other)
    return y


@pytest.mark.parametrize("options, arguments", [
    ("kernel_size: 1 max_displacement: 1", (1, 1)), ("kernel_size: 3 max_displacement: 2 pad: 3", (3, 2, 3)),
    ("kernel_size: 1 max_displacement: 3 pad: 3 stride_1: 2 stride_2: 2", (1, 3, 3, 2, 2)),
    ("kernel_size: 3 max_displacement: 1 pad: 1 stride_1: 3 correlation_type: SUBTRACT", (3, 1, 1, 3, 1, True))])
def test_battery(options, arguments):
    report = check_layer(f'type: "Correlation" correlation_param {{ {options} }}', [(2, 3, 5, 6), (2, 3, 5, 6)],
                         lambda a, b: naive(a, b, *arguments))
    assert {"values", "constraints", "other shape"} <= set(report.passed)


def test_refused():
    with pytest.raises(ShapeError, match="nothing is left of 4x4 padded by 0: displacements and patches take 6 cells"):
        check_layer('type: "Correlation" correlation_param { kernel_size: 3 max_displacement: 2 }', [(1, 1, 4, 4)] * 2)
    with pytest.raises(ShapeError, match=r"expected two feature maps of one shape .N, C, H, W., got \(1, 1, 4, 4\) and"):
        check_layer('type: "Correlation" correlation_param { kernel_size: 1 max_displacement: 0 }', [(1, 1, 4, 4), (1, 1, 4, 5)])
