"""Changes of colour and size: values that OpenCV 4.11 gives (recorded), draws that are repeated, canvases."""
import numpy as np
import pytest

from netdef.config import schema
from netdef.data.distort import check_distort, check_expand, distort, expand, recolored
from netdef.errors import FieldError
from netdef.rng import Stream

PALETTE = np.array([[[0, 0, 255], [255, 0, 0], [10, 200, 30], [90, 80, 70], [128, 128, 128], [0, 0, 0], [200, 30, 190]]],
                   np.uint8)
RECORDED = {
    (0.5, 0): [[127, 127, 255], [255, 127, 127], [105, 200, 115], [90, 85, 80], [128, 128, 128], [0, 0, 0], [200, 115, 194]],
    (1.5, 0): [[0, 0, 255], [255, 0, 0], [0, 200, 20], [90, 75, 60], [128, 128, 128], [0, 0, 0], [200, 0, 187]],
    (1, 10): [[0, 85, 255], [255, 0, 85], [54, 200, 10], [90, 73, 70], [128, 128, 128], [0, 0, 0], [155, 30, 200]],
    (1, -15): [[0, 0, 255], [255, 127, 0], [10, 200, 124], [90, 90, 70], [128, 128, 128], [0, 0, 0], [200, 30, 104]],
}


def options(kind="DistortionParameter", **values):
    made = schema.new(kind)
    for name, value in values.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("change", RECORDED, ids=str)
def test_saturation_and_hue_are_those_of_opencv_to_a_few_levels(change):
    assert np.abs(recolored(PALETTE, *change)[0].astype(int) - RECORDED[change]).max() <= 3


def test_saturation_alone_agrees_with_the_way_through_the_hue():
    picture = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.abs(recolored(picture, 0.7, 0).astype(int) - recolored(picture, 0.7, 1e-4)).max() <= 1


def test_brightness_and_contrast():
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    found = {}
    for i in range(40):
        made = distort(picture, options(brightness_prob=1, brightness_delta=32, contrast_prob=1, contrast_lower=0.5,
                                        contrast_upper=1.5), Stream(1, "x", i))
        values = made[..., 0].ravel().astype(float)
        assert (made[..., 1] == made[..., 0]).all() and (np.diff(values) >= 0).all()
        slope = np.polyfit(np.arange(100, 140), values[100:140], 1)
        found[i] = slope
    slopes = np.array(list(found.values()))
    assert slopes[:, 0].min() < 0.7 and slopes[:, 0].max() > 1.25 and slopes[:, 1].min() < -10 and slopes[:, 1].max() > 10


def test_contrast_comes_before_or_behind_the_hue():
    """A pixel whose contrast is cut off at 255 differs with the order."""
    picture = np.array([[[200, 60, 30]]], np.uint8)
    o = options(contrast_prob=1, contrast_lower=1.5, contrast_upper=1.5, saturation_prob=1, saturation_lower=0.5,
                saturation_upper=0.5)
    found = {tuple(distort(picture, o, Stream(1, "x", i))[0, 0].tolist()) for i in range(20)}
    # first 1.5: (255, 90, 45) -> half pale; or half pale (200, 130, 115) -> 1.5
    assert len(found) == 2 and min(max(abs(np.subtract(f, (255, 195, 172)))) for f in found) <= 1
    assert min(max(abs(np.subtract(f, (255, 172, 150)))) for f in found) <= 1


def test_channels_change_places():
    picture = np.array([[[1, 2, 3]]], np.uint8)
    found = {tuple(distort(picture, options(random_order_prob=1), Stream(1, "x", i))[0, 0].tolist()) for i in range(60)}
    assert len(found) == 6
    assert np.array_equal(distort(picture, options(), Stream(1, "x")), picture), "nothing is switched on"


def test_draws_are_repeated_and_always_as_many():
    picture = np.random.default_rng(1).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    everything = options(brightness_prob=0.5, brightness_delta=9, contrast_prob=0.5, contrast_lower=0.5, contrast_upper=1.5,
                         hue_prob=0.5, hue_delta=18, saturation_prob=0.5, saturation_lower=0.5, saturation_upper=1.5)
    one, two = Stream(7, "x"), Stream(7, "x")
    before = picture.copy()
    assert np.array_equal(distort(picture, everything, one), distort(picture, everything, two))
    distort(picture, options(), two)
    distort(picture, everything, one)
    assert one.offset == two.offset and np.array_equal(picture, before)


def test_expand():
    picture = np.full((10, 20, 3), 7, np.uint8)
    sizes = set()
    for i in range(50):
        made, canvas = expand(picture, options("ExpansionParameter", max_expand_ratio=4), np.array([1, 2, 3], np.uint8),
                              Stream(1, "x", i))
        height, width = made.shape[:2]
        sizes.add((height, width))
        assert 10 <= height <= 40 and abs(width - 2 * height) <= 2
        rows, columns = np.nonzero((made == 7).all(axis=2))
        assert len(rows) == 200 and ((made == 7).all(axis=2) | (made == [1, 2, 3]).all(axis=2)).all()
        assert canvas == pytest.approx((-columns.min() / 20, -rows.min() / 10, (width - columns.min()) / 20,
                                        (height - rows.min()) / 10))
    assert len(sizes) > 20
    same, whole = expand(picture, options("ExpansionParameter", prob=0, max_expand_ratio=4), np.zeros(3, np.uint8),
                         Stream(1, "x"))
    assert same is picture and whole == (0, 0, 1, 1)


@pytest.mark.parametrize(("check", "kind", "values", "message"), [
    (check_distort, "DistortionParameter", {"hue_prob": 1.5}, "hue_prob: expected a number from 0 to 1, got 1.5"),
    (check_distort, "DistortionParameter", {"brightness_delta": -1}, "brightness_delta: expected at least 0, got -1"),
    (check_distort, "DistortionParameter", {"contrast_prob": 1, "contrast_lower": 2, "contrast_upper": 1},
     "expected 0 <= contrast_lower <= contrast_upper, got 2 and 1"),
    (check_expand, "ExpansionParameter", {"max_expand_ratio": 0.5}, "max_expand_ratio: expected a number from 1 to 100, got 0.5"),
    (check_expand, "ExpansionParameter", {"prob": -1}, "prob: expected a number from 0 to 1")])
def test_numbers_that_cannot_be(check, kind, values, message):
    with pytest.raises(FieldError, match=message):
        check(options(kind, **values))
