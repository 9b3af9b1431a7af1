"""Preprocessing against sums written out, Caffe's Transformer, and its own files."""
from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from netdef.config import schema
from netdef.data import Transformer
from netdef.data.images import resize
from netdef.data.preprocessing import Preprocessing
from netdef.errors import ConfigError, DataError, FieldError, NetdefError

PICTURE = (np.arange(6 * 8 * 3).reshape(6, 8, 3) * 7 % 256).astype(np.uint8)


def one(preprocessing, picture=PICTURE, shape=(3, 6, 8)):
    """The one item of a batch, (C, H, W)."""
    (made,), _ = preprocessing.apply(picture, shape)
    return made


def test_bytes_in_caffes_order_by_default():
    made = one(Preprocessing())
    assert made.dtype == np.float32
    assert np.array_equal(made, PICTURE.transpose(2, 0, 1))


def test_order_of_the_steps():
    """Channels, invert, raw_scale, mean, scale: each after the one before."""
    made = one(Preprocessing(channel_order="RGB", invert=True, raw_scale=1, mean_value=(0.1, 0.2, 0.3), scale=(2, 3, 4)))
    rgb = PICTURE[:, :, ::-1].astype(np.float64)
    wanted = ((255 - rgb) / 255 - [0.1, 0.2, 0.3]) * [2, 3, 4]
    np.testing.assert_allclose(made, wanted.transpose(2, 0, 1), rtol=1e-5, atol=1e-6)


def test_grey():
    grey = PICTURE[:, :, :1]
    assert one(Preprocessing(), grey, (1, 6, 8)).shape == (1, 6, 8)
    three = one(Preprocessing(gray=True), grey)
    assert np.array_equal(three[0], three[2])
    assert Preprocessing().reads_color(3) and not Preprocessing(gray=True).reads_color(3)
    assert not Preprocessing().reads_color(1)
    with pytest.raises(DataError, match="of 1 channels, as the net's input, got 3"):
        one(Preprocessing(), PICTURE, (1, 6, 8))


def test_warp_and_centre_crop():
    made = one(Preprocessing(resize=(10, 12)), shape=(3, 4, 6))
    assert np.array_equal(made, resize(PICTURE, 10, 12)[3:7, 3:9].transpose(2, 0, 1))
    made = one(Preprocessing(), shape=(3, 4, 6))
    assert np.array_equal(made, resize(PICTURE, 4, 6).transpose(2, 0, 1))


def test_shorter_side():
    made, placed = Preprocessing(shorter_side=12).apply(PICTURE, (3, 8, 8))
    assert placed.resized == (12, 16) and placed.corner == (2, 4)
    assert np.array_equal(made[0], resize(PICTURE, 12, 16)[2:10, 4:12].transpose(2, 0, 1))
    assert placed.to_picture(0, 0) == (2.0, 1.0) and placed.to_picture(1, 1) == (6.0, 5.0)


def test_kept_size():
    assert one(Preprocessing(keep_size=True), shape=(3, 99, 99)).shape == (3, 6, 8)
    assert one(Preprocessing(keep_size=True, crop_size=4), shape=(3, 99, 99)).shape == (3, 4, 4)
    with pytest.raises(DataError, match="crop of 7x7 pixels is larger than the resized picture, 6x8"):
        one(Preprocessing(keep_size=True, crop_size=7))


def test_mean_image_is_cropped_where_the_picture_is(tmp_path):
    """As Caffe's data layer in the TEST phase: the mean is as large as the stored record."""
    mean = np.random.default_rng(0).normal(100, 20, (3, 6, 8)).astype(np.float32)
    np.save(tmp_path / "m.npy", mean)
    made = one(Preprocessing(mean_file=str(tmp_path / "m.npy"), scale=(0.5,)), shape=(3, 4, 4))
    caffe = Transformer(mean=mean, crop_size=4, scale=0.5)(PICTURE.transpose(2, 0, 1)[None])
    assert np.array_equal(made, caffe[0])


def test_mean_image_as_large_as_the_crop(tmp_path):
    mean = np.arange(48, dtype=np.float32).reshape(3, 4, 4)
    np.save(tmp_path / "m.npy", mean)
    made = one(Preprocessing(mean_file=str(tmp_path / "m.npy"), resize=(6, 8)), shape=(3, 4, 4))
    assert np.array_equal(made, PICTURE[1:5, 2:6].transpose(2, 0, 1) - mean)


def test_mean_image_of_another_size(tmp_path):
    np.save(tmp_path / "m.npy", np.full((3, 5, 5), 9, np.float32))
    wrong = r"expected a mean image of 3x6x8 \(the resized picture\) or 3x4x4 \(the crop\), got 3x5x5"
    with pytest.raises(DataError, match=wrong):
        one(Preprocessing(mean_file=str(tmp_path / "m.npy"), resize=(6, 8)), shape=(3, 4, 4))
    made = one(Preprocessing(mean_file=str(tmp_path / "m.npy"), mean_per_channel=True), shape=(3, 6, 8))
    assert np.array_equal(made, PICTURE.transpose(2, 0, 1) - np.float32(9))


def test_ten_crops(tmp_path):
    mean = np.arange(144, dtype=np.float32).reshape(3, 6, 8)
    np.save(tmp_path / "m.npy", mean)
    made, _ = Preprocessing(oversample=True, mean_file=str(tmp_path / "m.npy")).apply(PICTURE, (3, 4, 4))
    whole = PICTURE.transpose(2, 0, 1) - mean
    corners = [(0, 0), (0, 4), (2, 0), (2, 4), (1, 2)]
    assert made.shape == (10, 3, 4, 4)
    for i, (y, x) in enumerate(corners):
        assert np.array_equal(made[i], whole[:, y:y + 4, x:x + 4])
        assert np.array_equal(made[5 + i], made[i][:, :, ::-1])


@pytest.mark.parametrize("wrong, error", [
    ({"resize": (2, 2), "shorter_side": 3}, "resize and shorter_side exclude each other"),
    ({"resize": (0, 2)}, "both or none"), ({"mean_file": "a", "mean_value": (1,)}, "mean_file and mean_value exclude"),
    ({"channel_order": "GBR"}, "expected BGR or RGB, got GBR"), ({"crop_size": -1}, "crop_size: expected 0 or more"),
    ({"scale": (float("nan"),)}, "scale: expected finite numbers"),
])
def test_contradictions(wrong, error):
    with pytest.raises(FieldError, match=error):
        Preprocessing(**wrong)


def test_wrong_number_of_channel_values():
    with pytest.raises(DataError, match="mean_value: expected 1 number or 3, one for each channel of the net, got 2"):
        one(Preprocessing(mean_value=(1, 2)))


# files ----------------------------------------------------------------------------------------------------------


def full(folder) -> Preprocessing:
    """One with every field set that goes with the others."""
    np.save(folder / "m.npy", np.zeros(3))
    (folder / "labels.txt").write_text("a\nb\n")
    return Preprocessing("imagenet", (256, 320), 0, False, 227, True, "RGB", True, True, 1.0, str(folder / "m.npy"), True, (),
                         (0.5, 0.25, 2.0), str(folder / "labels.txt"))


def test_saved_and_loaded(tmp_path):
    made = full(tmp_path)
    made.save(tmp_path / "preprocessing.yaml")
    text = (tmp_path / "preprocessing.yaml").read_text()
    assert "mean_file: m.npy" in text and "resize_height: 256" in text
    assert Preprocessing.load(tmp_path / "preprocessing.yaml") == made
    for other in (Preprocessing(mean_value=(1, 2, 3), shorter_side=9), Preprocessing(keep_size=True), Preprocessing()):
        other.save(tmp_path / "other.yaml")
        assert Preprocessing.load(tmp_path / "other.yaml") == other


def test_fields_are_those_of_the_message():
    own = {f.name for f in fields(Preprocessing)} - {"origin", "mean_image", "resize"} | {"resize_height", "resize_width"}
    assert own == set(schema.fields("PreprocessingParameter"))


@pytest.mark.parametrize("text, error", [
    ("scael: 2", "p.yaml:1:1: error: no field 'scael' in the preprocessing; did you mean 'scale'?"),
    ("scale: x", "p.yaml:1:8: error: scale: expected a number"),
    ("shorter_side: 3\nkeep_size: true", "p.yaml:2:12: error: shorter_side and keep_size exclude each other"),
    ("resize_height: 3", "p.yaml:1:16: error: expected resize_height and resize_width from 1 up, both or none"),
    ("mean_file: none.npy", "p.yaml:1:12: error: no file 'none.npy'"),
    ("channel_order: GRB", "p.yaml:1:16: error: channel_order: expected one of BGR, RGB, got GRB"),
])
def test_typos_are_located(tmp_path, monkeypatch, text, error):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        Preprocessing.load("p.yaml")
    assert error in str(raised.value)


def test_changes_take_the_place_of_what_they_exclude(tmp_path):
    made = full(tmp_path)
    assert made.changed(mean_value=(1.0,)).mean_file == ""
    assert made.changed(mean_value=(1.0,)).mean_image is None
    assert made.changed(shorter_side=5).resize is None
    assert made.changed(scale=(3.0,)).mean_file == made.mean_file
    assert made.changed("because", scale=(3.0,)).origin == ("because",)
    assert made.changed() is made


def test_printed():
    assert str(Preprocessing(scale=(0.5,), origin=("net.yaml:3:5",))) == "# net.yaml:3:5\nscale: 0.5\n"


def test_saving_where_one_cannot(tmp_path):
    with pytest.raises(NetdefError, match="cannot write"):
        Preprocessing(scale=(1,)).save(tmp_path / "none" / "p.yaml")
