"""Matching and the choice of hard boxes: ties, and what is left out."""
import numpy as np

from netdef.layers.multibox_match import OUT, hardest, match, overlaps_of, sticks_out

NONE_OUT = np.zeros(3, bool)


def test_of_equal_overlaps_the_first_default_box_then_the_first_true_box():
    overlaps = np.array([[0.0, 0.5, 0.5], [0.5, 0.5, 0.0]])
    matched, best = match(overlaps, NONE_OUT, None)
    assert matched.tolist() == [1, 0, -1] and best.tolist() == [0.5, 0.5, 0.5]
    assert match(np.full((2, 3), 0.5), NONE_OUT, None)[0].tolist() == [0, 1, -1]
    assert match(np.full((2, 3), 0.5), NONE_OUT, 0.5)[0].tolist() == [0, 1, 0]


def test_a_true_box_may_get_a_worse_default_box_than_its_best():
    matched, _ = match(np.array([[0.9, 0.3, 0.1], [0.8, 0.2, 0.0]]), NONE_OUT, None)
    assert matched.tolist() == [0, 1, -1]


def test_boxes_that_stick_out_and_overlaps_that_are_none():
    overlaps = np.array([[0.9, 0.6, 1e-7]])
    matched, best = match(overlaps, np.array([True, False, False]), 0.0)
    assert matched.tolist() == [OUT, 0, -1] and best.tolist() == [0, 0.6, 0]
    assert match(np.zeros((0, 3)), NONE_OUT, 0.5)[0].tolist() == [-1] * 3
    inside = np.array([[0, 0, 1, 1], [-0.1, 0, 1, 1], [0, 0, 1, 1.1], [np.nan, 0, 1, 1]])
    assert sticks_out(inside).tolist() == [False, True, True, True]


def test_hardest():
    losses = np.array([1.0, 3, 2, 3, 9])
    eligible = np.array([True] * 4 + [False])
    assert np.flatnonzero(hardest(losses, eligible, 1)).tolist() == [1]
    assert np.flatnonzero(hardest(losses, eligible, 3)).tolist() == [1, 2, 3]
    boxes = np.array([[0, 0, 1, 1], [0, 0, 1, 1.0], [0.5, 0.5, 0.5, 0.6], [0, 0, 1, 0.9], [0, 0, 1, 1]])
    assert np.flatnonzero(hardest(losses, eligible, 9, boxes, 0.95)).tolist() == [1, 3]
    assert np.flatnonzero(hardest(losses, eligible, 9, boxes, 0.5)).tolist() == [1]
    assert np.flatnonzero(hardest(losses, eligible, 9, boxes, 0.95, 1)).tolist() == [1]
    assert overlaps_of(boxes[:2], boxes[3:4]).round(9).tolist() == [[0.9, 0.9]]
