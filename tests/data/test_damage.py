"""Damage to pictures: values that OpenCV 4.11 gives for the same picture (recorded), and what is refused."""
import numpy as np
import pytest

from netdef.config import schema
from netdef.data.damage import _equalized, _equalized_locally, check_damage, damage
from netdef.errors import FieldError
from netdef.rng import Stream

N = np.arange(10 * 12 * 3).reshape(10, 12, 3)
ROUGH = ((N * 53 + (N // 36) ** 2 * 7) % 256).astype(np.uint8)
STRIPES = (np.arange(20 * 24).reshape(20, 24) * 7 % 97 + np.arange(24) * 5).astype(np.uint8)


def damaged(picture, values=(), fraction=None, **switched):
    o = schema.new("NoiseParameter")
    for name, value in switched.items():
        setattr(o, name, value)
    if fraction is not None:
        o.saltpepper_param.fraction = fraction
    o.saltpepper_param.value.extend(values)
    check_damage(o)
    return damage(picture, o, Stream(1, "x"))


def test_histograms_as_opencv_spreads_them():
    found = {"clahe": _equalized_locally(STRIPES)[9], "even tiles": _equalized_locally(STRIPES[:16])[9],
             "all": _equalized(STRIPES)[9]}
    wanted = {
        "clahe": [170, 202, 223, 226, 234, 247, 10, 24, 42, 69, 85, 98, 122, 152, 170, 180, 202, 228, 244, 242, 21, 32, 42, 64],
        "even tiles": [85, 128, 163, 191, 219, 255, 42, 85, 107, 106, 106, 107, 106, 106, 121, 149, 177, 205, 234, 255, 35, 64,
                       92, 128],
        "all": [41, 57, 78, 103, 128, 153, 15, 27, 40, 56, 76, 100, 125, 150, 174, 195, 213, 228, 241, 249, 124, 149, 172, 193]}
    for name, values in wanted.items():
        assert np.abs(found[name].astype(int) - values).max() <= 1, name


def test_blur_erosion_posters_and_negatives():
    point = np.zeros((9, 9, 3), np.uint8)
    point[4, 4] = 255
    made = damaged(point, gauss_blur=True)
    line = np.exp(-np.arange(-3, 4) ** 2 / 4.5)
    assert np.abs(made[4, 1:8, 0] - 255 * (line / line.sum()) * (line / line.sum()).max()).max() <= 1 and made[0].max() == 0
    dark = damaged(255 - point, erode=True)[:, :, 1]
    assert np.argwhere(dark == 0).tolist() == [[3, 4], [4, 3], [4, 4], [4, 5], [5, 4]]
    assert sorted(set(damaged(ROUGH, posterize=True).ravel().tolist())) == [32, 96, 160, 224]
    assert np.array_equal(damaged(ROUGH, inverse=True), 255 - ROUGH)


def test_colours():
    red = np.array([[[10, 20, 200], [200, 10, 20]]], np.uint8)
    assert damaged(red, decolorize=True).tolist() == [[[73, 73, 73], [35, 35, 35]]]
    assert damaged(red, convert_to_hsv=True).tolist() == [[[2, 242, 200], [122, 242, 200]]]
    spread = damaged(ROUGH // 4 + 90, hist_eq=True)
    assert spread.max() > 230 and spread.min() < 25
    assert damaged(ROUGH[:, :, :1], hist_eq=True, clahe=True).shape == (10, 12, 1)


def test_jpeg_loses_some():
    pytest.importorskip("PIL.Image")
    made = damaged(ROUGH, jpeg=30)
    assert made.shape == ROUGH.shape and 0 < np.abs(made.astype(int) - ROUGH).mean() < 80


def test_salt_and_pepper():
    made = damaged(np.full((40, 50, 3), 9, np.uint8), (255, 0, 1), 0.1, saltpepper=True)
    hit = (made == (255, 0, 1)).all(axis=2)
    assert 150 < hit.sum() <= 200 and (hit | (made == 9).all(axis=2)).all()
    with pytest.raises(ValueError, match="expected 1 or 3 values, got 2"):
        damaged(ROUGH, (1, 2), 0.5, saltpepper=True)


def test_the_input_is_not_written():
    before = ROUGH.copy()
    damaged(ROUGH, (255,), 0.5, saltpepper=True, erode=True, inverse=True, gauss_blur=True)
    assert np.array_equal(ROUGH, before)


def test_refused():
    for switched, message in (({"convert_to_lab": True}, "convert_to_lab"), ({"jpeg": 101}, "quality up to 100, got 101"),
                              ({"saltpepper": True}, "value: missing"),
                              ({"saltpepper": True, "fraction": 2}, "fraction: expected")):
        with pytest.raises(FieldError, match=message):
            damaged(ROUGH, **switched)
    with pytest.raises(ValueError, match="need 3 channels, the picture has 1"):
        damaged(ROUGH[:, :, :1], decolorize=True)
