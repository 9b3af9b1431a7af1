"""ImResize against an interpolation written out cell by cell."""
import math

import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer


def cubic(v, d):
    return ((-0.5 * v[0] + 1.5 * v[1] - 1.5 * v[2] + 0.5 * v[3]) * d**3 + (v[0] - 2.5 * v[1] + 2 * v[2] - 0.5 * v[3]) * d**2
            + (-0.5 * v[0] + 0.5 * v[2]) * d + v[1])


def naive(x, height, width, start=1.0, gap=0.1):
    out = np.zeros((1, x.shape[1], height, width))
    for n, c, i, j in np.ndindex(len(x), x.shape[1], height, width):
        pads = [math.floor(size // 2 * (1 - start + n * gap) + 1e-6) for size in x.shape[2:]]
        picture = x[n, c, pads[0]: x.shape[2] - pads[0], pads[1]: x.shape[3] - pads[1]]
        places = []
        for at, size, total in zip((i, j), picture.shape, (height, width), strict=True):
            at = (at - (total / size / 2 - 0.5)) * size / total
            k = max(int(at + 1e-5), 0)
            after = min(k + 1, size - 1)
            places.append(([max(k - 1, 0), k, after, min(after + 1, size - 1)], at - k))
        (rows, dy), (columns, dx) = places
        out[0, c, i, j] += cubic([cubic(picture[r, columns], dx) for r in rows], dy) / len(x)
    return out


@pytest.mark.parametrize("shape, options, size", [
    ((1, 2, 4, 5), "factor: 2", (8, 10)), ((1, 1, 5, 4), "factor: 1.5", (7, 6)), ((1, 2, 6, 6), "factor: 0.5", (3, 3)),
    ((1, 1, 3, 5), "target_spatial_height: 7 target_spatial_width: 4", (7, 4)), ((1, 1, 4, 4), "factor: 1", (4, 4))])
def test_battery(shape, options, size):
    check_layer(f'type: "ImResize" imresize_param {{ {options} }}', [shape], lambda x: naive(x, *size), batch=False,
                other=[shape])


def test_the_mean_over_scales():
    check_layer('type: "ImResize" imresize_param { factor: 2 scale_gap: 0.25 }', [(3, 2, 8, 10)],
                lambda x: naive(x, 16, 20, 1, 0.25), batch=False)
    check_layer('type: "ImResize" imresize_param { factor: 2 start_scale: 0.5 scale_gap: -0.25 }', [(2, 1, 8, 9)],
                lambda x: naive(x, 16, 18, 0.5, -0.25), batch=False)


def test_refused():
    with pytest.raises(ShapeError, match="the picture of item 2 does not lie in its frame of 4x4: its scale is -0.2"):
        check_layer('type: "ImResize" imresize_param { factor: 2 scale_gap: 0.6 }', [(3, 1, 4, 4)])
