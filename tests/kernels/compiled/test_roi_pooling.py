"""The compiled ROI pooling kernels against their NumPy twins: equal to the bit but for the order of sums."""
import numpy as np
import pytest

from netdef.kernels.table import TABLE

pytestmark = pytest.mark.compiled


def regions(count, images, size, rng):
    corners = rng.uniform(-4, size * 16 + 40, (count, 4))
    return np.column_stack([rng.integers(0, images, count), corners]).astype(np.float32)


@pytest.mark.parametrize("features, pooled, count", [((2, 3, 13, 11), (7, 7), 20), ((1, 1, 1, 1), (2, 3), 4),
                                                     ((3, 4, 20, 17), (1, 1), 9), ((1, 2, 5, 5), (2, 2), 0)])
def test_twins(features, pooled, count):
    rng = np.random.default_rng(0)
    x = np.maximum(rng.normal(size=features), 0).astype(np.float32)  # zeros: many ties
    rois = regions(count, features[0], features[2], rng)
    dy = rng.normal(size=(count, features[1], *pooled)).astype(np.float32)
    results = []
    for kind in ("reference", "compiled"):
        out, mask, dx = np.full(dy.shape, np.nan, np.float32), np.zeros(dy.shape, np.int32), np.full_like(x, np.nan)
        getattr(TABLE["roi_pool_forward"], kind)(x, rois, 0.0625, out, mask)
        getattr(TABLE["roi_pool_backward"], kind)(dy, mask, rois, dx)
        results.append((out, mask, dx))
    (out, mask, dx), (want_out, want_mask, want_dx) = results[1], results[0]
    np.testing.assert_array_equal(out, want_out)
    np.testing.assert_array_equal(mask, want_mask)
    np.testing.assert_allclose(dx, want_dx, rtol=1e-5, atol=1e-5)


def test_nan_and_empty_bins():
    x = np.full((1, 1, 2, 2), np.nan, np.float32)
    rois = np.array([[0, 0, 0, 1, 1], [0, 9, 9, 9, 9]], np.float32)
    for kind in ("reference", "compiled"):
        out, mask = np.empty((2, 1, 1, 1), np.float32), np.empty((2, 1, 1, 1), np.int32)
        getattr(TABLE["roi_pool_forward"], kind)(x, rois, 1.0, out, mask)
        assert out.ravel().tolist() == [np.finfo(np.float32).min, 0]
        assert mask.ravel().tolist() == [-1, -1]
