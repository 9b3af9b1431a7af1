"""Rows picked by number and added back, against loops."""
import numpy as np
import pytest

from netdef.kernels.reference.rows import add_rows, take_rows


@pytest.mark.parametrize("shape", [(5, 3), (5,), (5, 2, 3), (5, 0)])
@pytest.mark.parametrize("index", [[4, 0, 4, 4, 2], [1], [], [3, 3, 3]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_against_loops(shape, index, dtype):
    generator = np.random.default_rng(0)
    x = generator.normal(size=shape).astype(dtype)
    i = np.array(index, np.int64)
    out = np.full((len(i), *shape[1:]), np.nan, dtype)
    take_rows(x, i, out)
    assert np.array_equal(out, x[i])

    rows = generator.normal(size=out.shape).astype(dtype)
    total, want = x.copy(), x.copy()
    add_rows(rows, i, total)
    for j, k in enumerate(i):
        want[k] += rows[j]
    assert total.dtype == dtype
    assert np.allclose(total, want, rtol=1e-6)
