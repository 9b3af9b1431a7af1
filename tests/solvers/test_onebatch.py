"""The first batch again and again."""
from __future__ import annotations

import numpy as np

from netdef.solvers.onebatch import OneBatch


def test_the_first_batch_comes_again_until_removed(squares, table):
    solver = squares("base_lr: 0 iter_size: 2")
    repeated = OneBatch(solver.net)
    for _ in range(3):
        solver.step(1)
        np.testing.assert_array_equal(solver.net.blobs["x"].data, table[0][:4])
        np.testing.assert_array_equal(solver.net.blobs["y"].data, table[1][:4])
    repeated.remove()
    solver.step(1)
    assert (solver.net.blobs["x"].data != table[0][:4]).any()
