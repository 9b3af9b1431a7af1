"""Values and pixels, and the way between the two."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.data.preprocessing import Preprocessing
from netdef.errors import DataError
from netdef.probe.pictures import write_picture
from netdef.probe.space import Space, load, reread

WAYS = [Preprocessing(), Preprocessing(scale=(0.00390625,)), Preprocessing(mean_value=(104, 117, 123)),
        Preprocessing(mean_value=(10.0,), scale=(0.5, 2, 3), channel_order="RGB"), Preprocessing(invert=True, raw_scale=1.0),
        Preprocessing(oversample=True, resize=(8, 8))]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_picture_there_and_back(way, tmp_path):
    pytest.importorskip("PIL")
    space = Space.of(way, (3, 4, 4))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    units = space.of_bytes(pixels)
    assert (space.as_bytes(units) == pixels).all()
    assert space.to_units(space.to_values(units)) == pytest.approx(units, abs=1e-12)
    write_picture(tmp_path / "a.png", pixels)
    assert (reread(tmp_path / "a.png", space) == units).all()
    if not way.oversample:  # what the net gets of that file is what the space says
        assert load(tmp_path / "a.png", way, (3, 4, 4))[0] == pytest.approx(space.to_values(units), abs=1e-4)


def test_limits():
    space = Space.of(Preprocessing(mean_value=(100,)), (1, 2, 2))
    assert (space.low == -100).all() and (space.high == 155).all()
    assert space.clipped(np.array([-0.1, 0.5, 2])).tolist() == [0, 0.5, 1]
    plain = Space.plain((4,), -1, 1)
    assert not plain.picture and plain.clipped(np.array([7.0])).tolist() == [7]
    assert Space.plain((4,), -1, 1, True).clipped(np.array([7.0])).tolist() == [1]


def test_mistakes(tmp_path):
    pytest.importorskip("PIL")
    with pytest.raises(DataError, match="black and white the same value"):
        Space.of(Preprocessing(scale=(0.0,)), (1, 2, 2))
    write_picture(tmp_path / "a.png", np.zeros((3, 2, 1), np.uint8))
    with pytest.raises(DataError, match="expected a picture of 2x2 pixels, got 3x2"):
        reread(tmp_path / "a.png", Space.of(Preprocessing(), (1, 2, 2)))
