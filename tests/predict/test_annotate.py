"""Answers drawn into pictures."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.data.images import read_image
from netdef.errors import DataError, NetdefError
from netdef.predict.annotate import annotate
from netdef.predict.result import Box, Guess, Prediction

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def black(tmp_path):
    path = tmp_path / "black.png"
    Image.fromarray(np.zeros((80, 120, 3), np.uint8)).save(path)
    return path


def test_boxes(black, tmp_path):
    box = Box(3, 0.9, (20.0, 30.0, 100.0, 70.0), "n01440764 tench, Tinca tinca")
    annotate(black, Prediction("a", "detect", {}, boxes=(box,)), tmp_path / "out.png")
    drawn = read_image(tmp_path / "out.png")
    assert drawn.shape == (80, 120, 3)
    assert drawn[30:71, 20].any(axis=1).all() and drawn[70, 20:101].any(axis=1).all()  # left and lower side
    assert not drawn[45:60, 40:90].any() and not drawn[75:].any()
    assert drawn[10:30, 20:60].any()  # the label


def test_boxes_that_reach_out_of_the_picture_or_stand_on_their_head(black, tmp_path):
    boxes = (Box(0, 0.5, (-50.0, -50.0, 500.0, 500.0)), Box(1, 0.5, (60.0, 60.0, 20.0, 20.0)))
    annotate(black, Prediction("a", "detect", {}, boxes=boxes), tmp_path / "out.jpg")
    assert read_image(tmp_path / "out.jpg").any()


def test_classes(black, tmp_path):
    annotate(black, Prediction("a", "classify", {}, classes=(Guess(1, 0.7, "cat"), Guess(0, 0.2))), tmp_path / "out.png")
    drawn = read_image(tmp_path / "out.png")
    assert drawn[:28, :40].any() and not drawn[40:].any()


def test_mistakes(black, tmp_path):
    nothing = Prediction("a", "classify", {})
    with pytest.raises(DataError, match="expected a file that ends in .png"):
        annotate(black, nothing, tmp_path / "out.txt")
    with pytest.raises(NetdefError, match="cannot write"):
        annotate(black, nothing, tmp_path / "none" / "out.png")
