"""Crop, mean, scale, mirror, against a plain loop and Caffe's rules."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.config import blobproto, schema
from netdef.data import Transformer, read_mean
from netdef.errors import DataError, FieldError, Span
from netdef.rng import Stream

IMAGES = np.random.default_rng(1).integers(0, 256, (6, 3, 7, 9), dtype=np.uint8)


def plain(images, scale, mean, rows, columns, flips, crop):
    """One number at a time in float32; ``mean`` (C, H, W)."""
    n, c, h, w = images.shape
    ch, cw = (crop, crop) if crop else (h, w)
    out = np.empty((n, c, ch, cw), np.float32)
    for i, k, y, x in np.ndindex(out.shape):
        value = np.float32(images[i, k, rows[i] + y, columns[i] + x])
        value = (value - np.float32(mean[k, rows[i] + y, columns[i] + x])) * np.float32(scale)
        out[i, k, y, cw - 1 - x if flips[i] else x] = value
    return out


def drawn(transformer, count=6):
    """The places and flips that a call with Stream(3, "data", 5) draws."""
    stream = Stream(3, "data", 5)
    crop = transformer.crop_size
    rows = columns = np.zeros(count, int)
    if crop and transformer.train:
        rows = stream.integers(0, 7 - crop + 1, (count,))
        columns = stream.integers(0, 9 - crop + 1, (count,))
    elif crop:
        rows, columns = np.full(count, (7 - crop) // 2), np.full(count, (9 - crop) // 2)
    flips = stream.bernoulli(0.5, (count,)) if transformer.mirror else np.zeros(count, bool)
    return rows, columns, flips


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("crop", [0, 4, 7])
@pytest.mark.parametrize("mean", ["none", "one", "each", "file"])
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_against_a_plain_loop(train, mirror, crop, mean, scale):
    picture = np.random.default_rng(2).normal(100, 30, (3, 7, 9)).astype(np.float32)
    values = {"one": [100.5], "each": [104, 117, 123]}.get(mean, [])
    stored = picture if mean == "file" else None
    transformer = Transformer(
        scale=scale, mirror=mirror, crop_size=crop, mean=stored, mean_values=values, train=train
    )
    full = picture if mean == "file" else np.broadcast_to(np.reshape(values or [0], (-1, 1, 1)), (3, 7, 9))
    got = transformer(IMAGES, Stream(3, "data", 5))
    np.testing.assert_array_equal(got, plain(IMAGES, scale, full, *drawn(transformer), crop))
    assert got.dtype == np.float32 and transformer.random == (mirror or (train and crop > 0))


def test_out_is_filled_in_its_own_precision():
    out = np.empty((6, 3, 7, 9))
    assert Transformer(scale=1 / 3, mean_values=[0.1])(IMAGES, out=out) is out
    np.testing.assert_allclose(out, (IMAGES - float(np.float32(0.1))) / 3, rtol=1e-12)
    with pytest.raises(ValueError, match="shape"):
        Transformer()(IMAGES, out=np.empty((5, 3, 7, 9), np.float32))


def test_float_records():
    images = IMAGES.astype(np.float32) / 7
    np.testing.assert_array_equal(Transformer(scale=2)(images), images * np.float32(2))
    assert Transformer()(images) is not images


def test_records_of_different_sizes():
    ragged = [IMAGES[0], IMAGES[1, :, :5], IMAGES[2, :, :, :6]]
    got = Transformer(crop_size=4, scale=0.5)(ragged)
    for image, out in zip(ragged, got, strict=True):
        np.testing.assert_array_equal(out, Transformer(crop_size=4, scale=0.5)(image[None])[0])
    out = np.empty((3, 3, 4, 4), np.float32)
    assert Transformer(crop_size=4, train=True, mirror=True)(ragged, Stream(1, "x"), out) is out
    with pytest.raises(DataError, match="different sizes"):
        Transformer()(ragged)


def test_same_stream_same_batch_and_other_iteration_another():
    transformer = Transformer(crop_size=3, mirror=True, train=True)
    one, two, three = (transformer(IMAGES, Stream(1, "data", i)) for i in (7, 7, 8))
    assert (one == two).all() and (one != three).any()


def test_crops_reach_every_place_and_flips_are_even():
    images = np.arange(63, dtype=np.float32).reshape(1, 1, 7, 9).repeat(4000, 0)
    got = Transformer(crop_size=6, train=True)(images, Stream(1, "data"))
    corners, counts = np.unique(got[:, 0, 0, 0], return_counts=True)
    assert corners.tolist() == [0, 1, 2, 3, 9, 10, 11, 12] and counts.min() > 400
    flipped = Transformer(mirror=True)(images, Stream(1, "data"))[:, 0, 0, 0] == 8
    assert 0.45 < flipped.mean() < 0.55


def test_a_stream_is_needed_where_something_is_random():
    with pytest.raises(ValueError, match="stream"):
        Transformer(mirror=True)(IMAGES)


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"crop_size": 8}, FieldError, "crop_size of at most 7 .records of 7x9., got 8"),
        ({"mean_values": [1, 2]}, FieldError, "1 or 3 mean_value"),
        ({"mean": np.zeros((3, 4, 4))}, DataError, "mean image of 3x7x9 as the records, got 3x4x4"),
    ],
)
def test_sizes_that_do_not_fit(options, error, words):
    with pytest.raises(error, match=words) as caught:
        Transformer(**options, where=Span("net.prototxt", 4)).output_shape((3, 7, 9))
    assert "net.prototxt:4" in str(caught.value)


def test_mean_file_excludes_mean_value():
    with pytest.raises(FieldError, match="both"):
        Transformer(mean=np.zeros((3, 7, 9)), mean_values=[1])


def message(**options):
    param = schema.new("TransformationParameter")
    for name, value in options.items():
        if isinstance(value, list):
            getattr(param, name).extend(value)
        else:
            setattr(param, name, value)
    return param


def test_from_message(tmp_path):
    mean = np.random.default_rng(1).normal(size=(3, 7, 9)).astype(np.float32)
    (tmp_path / "m").write_bytes(blobproto.from_array(mean[None]).SerializeToString())
    made = Transformer.from_message(message(mean_file="m", scale=0.5, crop_size=4), False, lambda name: tmp_path / name)
    np.testing.assert_array_equal(made.mean, mean)
    assert (made.scale, made.crop_size, made.mirror, made.train) == (0.5, 4, False, False)
    plain_one = Transformer.from_message(message(), True)
    assert (plain_one.scale, plain_one.random) == (1, False)


@pytest.mark.parametrize(
    "options", [{"mean_file": "nothing is read", "mean_value": [1.0]}, {"force_color": True, "force_gray": True}]
)
def test_options_that_exclude_each_other(options):
    with pytest.raises(FieldError, match="both|exclude"):
        Transformer.from_message(message(**options), True, where=Span("net.prototxt", 4))


def test_broken_mean_files(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_mean(tmp_path / "none")
    for raw, words in ((b"junk!", "binaryproto"), (blobproto.from_array(np.ones((2, 3))).SerializeToString(), "2x3")):
        (tmp_path / "m").write_bytes(raw)
        with pytest.raises(DataError, match=words):
            read_mean(tmp_path / "m")
