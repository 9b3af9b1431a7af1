"""Boxes as arrays, and the rows of a batch."""
import numpy as np

from netdef.data.boxes import Boxes, truth

TWO = Boxes(np.array([3, 5]), np.array([0, 4]), np.array([[0, 0.25, 0.5, 1], [0.5, 0, 1, 0.75]]), np.array([False, True]))


def test_choosing_and_flipping():
    assert TWO.where(np.array([False, True])).label.tolist() == [5]
    assert TWO.flipped(0).corners.tolist() == [[0.5, 0.25, 1, 1], [0, 0, 0.5, 0.75]]
    assert TWO.flipped(1).corners.tolist() == [[0, 0, 0.5, 0.75], [0.5, 0.25, 1, 1]]
    assert np.array_equal(TWO.flipped(0).flipped(0).corners, TWO.corners)


def test_rows():
    none = TWO.where(np.array([False, False]))
    assert truth([none, TWO]).tolist() == [[[[1, 3, 0, 0, 0.25, 0.5, 1, 0], [1, 5, 4, 0.5, 0, 1, 0.75, 1]]]]
    assert truth([none]).tolist() == [[[[-1] * 8]]]
