"""BatchReindex: picks, repeats, and bad indices."""
import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import LayerCheckError, check_layer


@pytest.mark.parametrize("index", [[0, 2, 2, 1, 2, 0], [3], [3, 2, 1, 0], []])
@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 3), (4,)])
def test_battery(index, shape):
    report = check_layer('type: "BatchReindex"', [shape, np.array(index, float)], lambda x, i: x[i.astype(int)],
                         batch=(1,), other=[(5, *shape[1:]), np.array([4.0, 4, 0])])
    assert {"gradients", "backward_reads"} <= set(report.passed)


@pytest.mark.parametrize("bad", [4, -1, 1.5, np.nan])
def test_bad_indices_are_located(bad):
    with pytest.raises(LayerCheckError, match=r"blob 'b1', place \(1,\): expected a whole number from 0 to 3, got"):
        check_layer('type: "BatchReindex"', [(4, 2), np.array([0, bad, 1])])


@pytest.mark.parametrize(("bottoms", "message"), [
    ([(4, 2), (3, 1)], r"expected indices in 1 axis, got 'b1' of shape \(3, 1\)"),
    ([(), (3,)], "expected at least 1 axis, got 'b0' without any"),
])
def test_shapes_that_do_not_fit(bottoms, message):
    with pytest.raises(ShapeError, match=message):
        check_layer('type: "BatchReindex"', bottoms, batch=False)
