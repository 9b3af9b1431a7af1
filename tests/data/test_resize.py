"""Other sizes: every rule against what OpenCV made of the same picture (4.11, recorded)."""
import numpy as np
import pytest

from netdef.data.resize import METHODS, resize
from netdef.errors import DataError

GRAY = (np.arange(20).reshape(4, 5, 1) * 37 % 256).astype(np.uint8)
RECORDED = {
    ("linear", 3, 7): [[31, 52, 66, 62, 88, 115, 136], [150, 171, 160, 96, 122, 93, 42], [55, 76, 102, 129, 155, 163, 160]],
    ("area", 3, 7): [[46, 68, 78, 56, 86, 108, 130], [150, 172, 168, 96, 125, 96, 42], [61, 83, 105, 135, 164, 161, 145]],
    ("area", 2, 2): [[97, 83], [108, 146]],
    ("nearest", 3, 7): [[0, 0, 37, 74, 74, 111, 148], [185, 185, 222, 3, 3, 40, 77], [114, 114, 151, 188, 188, 225, 6]],
    ("nearest", 2, 2): [[0, 74], [114, 188]],
    ("cubic", 3, 7): [[25, 50, 66, 61, 83, 119, 142], [171, 207, 183, 96, 130, 88, 8], [49, 69, 102, 130, 160, 170, 163]],
    ("cubic", 2, 2): [[140, 76], [94, 185]],
    ("lanczos4", 3, 7): [[23, 51, 65, 55, 75, 120, 148], [173, 220, 184, 95, 127, 93, 0], [44, 63, 98, 136, 167, 172, 163]],
    ("lanczos4", 2, 2): [[140, 77], [85, 190]],
}


@pytest.mark.parametrize("case", RECORDED, ids=str)
def test_agrees_with_opencv_to_one_grey_level(case):
    how, *size = case
    made = resize(GRAY, *size, how)
    assert made.dtype == np.uint8 and made.shape == (*size, 1)
    assert np.abs(made[:, :, 0].astype(int) - RECORDED[case]).max() <= 1


@pytest.mark.parametrize("how", METHODS)
def test_rows_in_blocks_and_channels_side_by_side_change_nothing(how, monkeypatch):
    picture = np.random.default_rng(1).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    size = (50, 60) if how == "area_up" else (29, 31)
    made = resize(picture, *size, how)
    monkeypatch.setattr("netdef.data.resize._BLOCK", 1)
    assert np.array_equal(made, resize(picture, *size, how))
    for c in range(3):
        assert np.array_equal(made[:, :, c], resize(picture[:, :, c: c + 1], *size, how)[:, :, 0])
    turned = resize(np.ascontiguousarray(picture.transpose(1, 0, 2)), *size[::-1], how).transpose(1, 0, 2)
    assert np.abs(turned.astype(int) - made).max() <= 1


@pytest.mark.parametrize("how", METHODS)
def test_a_plain_picture_stays_plain(how):
    size = (9, 11) if how == "area_up" else (3, 4)
    assert (resize(np.full((7, 5, 2), 200, np.uint8), *size, how) == 200).all()


def test_floats_are_not_rounded_and_views_are_taken():
    exact = resize(GRAY.astype(np.float64), 3, 7)
    assert exact.dtype == np.float64 and (exact != np.rint(exact)).any()
    assert np.array_equal(resize(GRAY[::-1, ::-1], 3, 7), resize(np.ascontiguousarray(GRAY[::-1, ::-1]), 3, 7))
    same = resize(GRAY, 4, 5)
    assert np.array_equal(same, GRAY) and not np.shares_memory(same, GRAY)


def test_refuses_empty_sizes():
    with pytest.raises(DataError, match="4x5 to 0x3"):
        resize(GRAY, 0, 3)
