"""What is drawn: colours, sizes, files that are whole or not there."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.errors import DataError
from netdef.probe.pictures import (
    check_out,
    difference,
    enlarged,
    fit,
    heat_colours,
    overlay,
    rows,
    side_by_side,
    write_animation,
    write_arrays,
    write_picture,
)


def test_colours():
    signed = heat_colours(np.array([[-1.0, 0, 1]]))
    assert signed[0, 1].tolist() == [255, 255, 255]
    assert signed[0, 0, 2] > 200 > signed[0, 0, 0] and signed[0, 2, 0] > 200 > signed[0, 2, 2]
    plain = heat_colours(np.array([[0.0, 0.5, 1]]))
    assert plain[0, 0].tolist() == [0, 0, 0] and plain[0, 2].tolist() == [255, 255, 255]
    assert (heat_colours(np.zeros((2, 2))) == 0).all()


def test_overlay_and_fit():
    grey = np.full((4, 6, 3), 100, np.uint8)
    assert (overlay(grey, np.zeros((2, 3))) == 100).all()
    over = overlay(grey, np.array([[1.0, -1.0]]))
    assert over[0, 0, 0] > 150 and over[0, -1, 2] > 150
    assert fit(np.ones((2, 2)), 5, 7).shape == (5, 7)


def test_difference():
    a, b = np.zeros((1, 2, 2)), np.zeros((1, 2, 2))
    a[0, 0, 0], a[0, 1, 1] = 0.2, -0.1
    made = difference(a, b, False)
    assert made[0, 0, 0] == 255 and made[0, 1, 0] == 128 and made[1, 1, 0] == 64
    assert (difference(b, b, False) == 128).all()


def test_sheets():
    small, large = np.zeros((2, 3, 1), np.uint8), np.zeros((4, 3, 3), np.uint8)
    assert enlarged(small, 9).shape == (6, 9, 1) and enlarged(np.zeros((300, 2, 1), np.uint8)).shape == (300, 2, 1)
    assert side_by_side([small, large], 2).shape == (4, 8, 3)
    assert rows([[small, large], [small]], 2).shape == (4 + 2 + 2, 8, 3)


def test_files(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
    write_picture(tmp_path / "a.png", pixels)
    assert (np.asarray(image.open(tmp_path / "a.png")) == pixels).all()
    write_animation(tmp_path / "a.gif", [pixels[:, :, :1], 255 - pixels[:, :, :1]])
    with image.open(tmp_path / "a.gif") as opened:
        assert opened.n_frames == 2 and opened.info["loop"] == 0
    write_arrays(tmp_path / "a.npz", "x", x=pixels, y=pixels)
    assert sorted(np.load(tmp_path / "a.npz").files) == ["x", "y"]
    write_arrays(tmp_path / "a.npy", "x", x=pixels)
    assert (np.load(tmp_path / "a.npy") == pixels).all()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.gif", "a.npy", "a.npz", "a.png"]


def test_names(tmp_path):
    for name, said in (("a.jpg", "ends in .png, got '.jpg'"), ("a", "got 'no ending'"), ("no/a.png", "does not exist")):
        with pytest.raises(DataError, match=said):
            check_out(tmp_path / name, (".png",))
