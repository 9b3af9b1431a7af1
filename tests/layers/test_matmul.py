"""MatMul: batches, single matrices, transposed operands, and the errors."""
import itertools

import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer

FLAGS = [False, True]


@pytest.mark.parametrize(("ta", "tb"), list(itertools.product(FLAGS, FLAGS)))
@pytest.mark.parametrize(("a_items", "b_items"), [((), ()), ((3,), (3,)), ((2, 2), (2, 2)), ((3,), ()), ((), (3,)),
                                                  ((2, 2), ()), ((), (2, 2))])
def test_battery(ta, tb, a_items, b_items):
    a = (*a_items, *((4, 2) if ta else (2, 4)))
    b = (*b_items, *((3, 4) if tb else (4, 3)))

    def reference(a, b):
        return np.matmul(a.swapaxes(-1, -2) if ta else a, b.swapaxes(-1, -2) if tb else b)

    report = check_layer(f'type: "MatMul" matmul_param {{ transpose_a: {str(ta).lower()} transpose_b: {str(tb).lower()} }}',
                         [a, b], reference, batch=[i for i, items in enumerate((a_items, b_items)) if items],
                         other=[a, b] if not (a_items or b_items) else None)
    assert {"gradients", "need"} <= set(report.passed)


@pytest.mark.parametrize(("options", "bottoms", "message"), [
    ("", [(2, 3, 4), (2, 5, 4)], "as many columns in 'b0' as rows in 'b1', got 3x4 and 5x4"),
    ("transpose_b: true", [(2, 3, 4), (2, 4, 5)], r"got 3x4 and 5x4 \(with transpose_b\)"),
    ("", [(2, 3, 4), (3, 4, 5)], r"or a single matrix, got 'b0' of shape \(2, 3, 4\) and 'b1' of shape \(3, 4, 5\)"),
    ("", [(4,), (4, 5)], r"expected at least 2 axes, got 'b0' of shape \(4,\)"),
])
def test_errors(options, bottoms, message):
    with pytest.raises(ShapeError, match=message):
        check_layer(f'type: "MatMul" matmul_param {{ {options} }}', bottoms)
