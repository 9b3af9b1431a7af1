"""ShuffleChannel: the battery, and what it refuses."""
import numpy as np
import pytest

from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


def config(group):
    return f'type: "ShuffleChannel" shuffle_channel_param {{ group: {group} }}'


@pytest.mark.parametrize("group, shape", [(1, (2, 4, 3, 2)), (2, (2, 6, 3, 2)), (3, (1, 6, 5)), (4, (2, 4))])
def test_battery(group, shape):
    def plain(x):
        y = np.empty_like(x)
        n = x.shape[1] // group
        for i in range(group):
            for j in range(n):
                y[:, j * group + i] = x[:, i * n + j]
        return y
    check_layer(config(group), [shape], plain)


def test_a_group_that_does_not_divide():
    with pytest.raises(ShapeError, match="expected a number of channels that group 4 divides, got 6"):
        check_layer(config(4), [(2, 6, 3, 3)])


def test_no_group():
    with pytest.raises(FieldError, match="group"):
        check_layer(config(0), [(2, 6, 3, 3)])
