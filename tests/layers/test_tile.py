"""Tile along each axis."""
import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("tiles", [1, 3])
def test_battery(axis, tiles):
    reps = [1, 1, 1]
    reps[axis] = tiles
    report = check_layer(f'type: "Tile" tile_param {{ axis: {axis} tiles: {tiles} }}', [(2, 3, 4)],
                         lambda x: np.tile(x, reps))
    assert {"gradients", "backward_reads", "constraints"} <= set(report.passed)


def test_an_axis_too_many():
    with pytest.raises(ShapeError, match="axis 1 does not exist in a bottom of 1 axes"):
        check_layer('type: "Tile" tile_param { tiles: 2 }', [(2,)])
