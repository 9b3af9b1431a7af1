"""Boxes and their suppression against loops over single numbers."""
import math

import numpy as np
import pytest

from netdef.kernels.reference.boxes import box_areas, box_overlaps, decode_boxes, encode_boxes
from netdef.kernels.reference.nms import nms

RNG = np.random.default_rng(8)


def boxes(count):
    low = RNG.random((count, 2))
    return np.concatenate((low, low + 0.1 + RNG.random((count, 2)) / 2), axis=1)


@pytest.mark.parametrize("code", [1, 2, 3])
def test_decode_against_a_loop_and_encode_is_its_inverse(code):
    priors, variances, t = boxes(5), RNG.random((5, 4)) + 0.1, RNG.standard_normal((2, 5, 3, 4))
    out = np.empty_like(t)
    decode_boxes(t, priors, variances, code, out)
    for n, i, k in np.ndindex(t.shape[:3]):
        (a, b, c, d), v, x = priors[i], variances[i], t[n, i, k]
        w, h = c - a, d - b
        if code == 2:
            cx, cy = (a + c) / 2 + v[0] * x[0] * w, (b + d) / 2 + v[1] * x[1] * h
            bw, bh = w * math.exp(v[2] * x[2]), h * math.exp(v[3] * x[3])
            wanted = [cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2]
        else:
            wanted = priors[i] + v * x * ([w, h, w, h] if code == 3 else 1)
        assert out[n, i, k] == pytest.approx(wanted)
    back = np.empty((5, 4))
    encode_boxes(out[1, :, 2], priors, variances, code, back)
    assert back == pytest.approx(t[1, :, 2])


def test_overlaps_by_hand():
    a = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [2, 2, 1, 1], [np.nan, 0, 2, 2], [0, 0, np.inf, 2], [5, 5, 6, 6]], float)
    out = np.empty((6, 2))
    box_overlaps(a, a[:2].copy(), out)
    assert out.tolist() == [[1, 1 / 7], [1 / 7, 1], [0, 0], [0, 0], [0, 0], [0, 0]]
    with np.errstate(invalid="ignore"):
        assert box_areas(a)[[0, 2, 5]].tolist() == [4, 0, 1]


def naive(rows, threshold, eta):
    kept, limit = [], threshold
    for i, box in enumerate(rows):
        overlap = np.zeros((1, len(kept)))
        box_overlaps(box[None], rows[kept], overlap)
        if (overlap <= limit).all():
            kept.append(i)
            limit *= eta if limit > 0.5 else 1
    return kept


@pytest.mark.parametrize(("threshold", "eta"), [(0.3, 1.0), (0.05, 1.0), (0.8, 0.9)])
def test_nms_against_a_loop(threshold, eta):
    rows = boxes(60)
    order = RNG.permutation(60)[:50].astype(np.int32)
    starts = np.array([0, 0, 20, 50], np.int32)
    keep = np.full(50, 7, np.uint8)
    nms(rows, order, starts, threshold, eta, keep)
    wanted = np.zeros(50, np.uint8)
    for first, last in ((0, 20), (20, 50)):
        wanted[[first + i for i in naive(rows[order[first:last]], threshold, eta)]] = 1
    assert keep.tolist() == wanted.tolist() and 2 < keep.sum() < 50
