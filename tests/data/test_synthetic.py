"""The toy problems: what their documentation says holds for the numbers."""
from __future__ import annotations

import numpy as np
import pytest

from netdef import data
from netdef.data import synthetic


def all_of(name):
    source = data.open(f"builtin:{name}")
    records, labels = source.batch(0, len(source))
    return records[:, :, 0, 0], labels


def test_xor():
    points, labels = all_of("xor")
    assert sorted(map(tuple, points)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert (labels == points.sum(1) % 2).all()


@pytest.mark.parametrize("split, count", [("train", 800), ("test", 200)])
def test_circles(split, count):
    points, labels = all_of(f"circles/{split}")
    assert np.bincount(labels).tolist() == [count // 2] * 2
    radius = np.hypot(*points.T)
    for label, wanted in ((0, 0.5), (1, 1)):
        assert radius[labels == label].mean() == pytest.approx(wanted, abs=0.02)
        assert radius[labels == label].std() == pytest.approx(0.08, rel=0.2)


@pytest.mark.parametrize("split, count", [("train", 900), ("test", 300)])
def test_spiral(split, count):
    points, labels = all_of(f"spiral/{split}")
    assert np.bincount(labels).tolist() == [count // 3] * 3
    radius, angle = np.hypot(*points.T), np.arctan2(*points.T[::-1])
    off = (angle - 2 * np.pi / 3 * labels - 4 * radius + np.pi) % (2 * np.pi) - np.pi
    assert radius.max() <= 1 and off.std() == pytest.approx(0.15, rel=0.2)


def test_sum():
    numbers, target = all_of("sum/test")
    np.testing.assert_array_equal(target[:, 0], numbers[:, 0] + numbers[:, 1])
    assert target.shape == (200, 1) and abs(numbers).max() <= 1


def test_bcd7seg():
    bits, segments = all_of("bcd7seg")
    assert (bits @ [8, 4, 2, 1] == np.arange(10)).all()
    assert segments.sum(1).tolist() == [6, 2, 5, 5, 4, 5, 6, 3, 7, 6]
    assert segments.shape == (10, 7) and len({tuple(row) for row in segments}) == 10


def test_splits_differ_and_each_call_is_the_same():
    train, test = (synthetic.circles(split)[0] for split in ("train", "test"))
    assert not set(map(bytes, train)) & set(map(bytes, test))
    assert (train == synthetic.circles("train")[0]).all()


def test_numbers_do_not_change():
    np.testing.assert_allclose(all_of("circles/train")[0][0], [-0.48760891, 0.152360365], rtol=1e-6)
    np.testing.assert_allclose(all_of("spiral/test")[0][5], [0.230806693, 0.799836755], rtol=1e-6)
