"""Datum records: raw, float, encoded, and what can be wrong with them."""
from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from netdef.config import schema
from netdef.data.datum import AS_STORED, Decoding, decode_image, parse

Image = pytest.importorskip("PIL.Image")

RGB = np.random.default_rng(1).integers(0, 256, (5, 6, 3), dtype=np.uint8)


def datum(**fields):
    message = schema.new("Datum")
    for name, value in fields.items():
        if name == "float_data":
            message.float_data.extend(value)
        else:
            setattr(message, name, value)
    return message.SerializeToString()


def picture(pixels, kind="PNG", **options):
    out = io.BytesIO()
    made = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    made.save(out, kind, **options)
    return out.getvalue()


def test_raw():
    array, label = parse(datum(channels=2, height=1, width=3, data=bytes(range(6)), label=7), AS_STORED)
    assert array.dtype == np.uint8 and label == 7
    np.testing.assert_array_equal(array, np.arange(6).reshape(2, 1, 3))


def test_float_data_counts_only_without_data():
    array, label = parse(datum(channels=1, height=1, width=2, float_data=[0.5, -1]), AS_STORED)
    assert array.dtype == np.float32 and array.ravel().tolist() == [0.5, -1] and label == 0
    both = datum(channels=1, height=1, width=2, float_data=[0.5, -1], data=b"ab")
    assert parse(both, AS_STORED)[0].tolist() == [[[97, 98]]]


def test_encoded_colour_is_blue_green_red():
    array, label = parse(datum(data=picture(RGB), encoded=True, label=-3), AS_STORED)
    np.testing.assert_array_equal(array, RGB[:, :, ::-1].transpose(2, 0, 1))
    assert label == -3 and array.dtype == np.uint8


def test_encoded_modes():
    grey = RGB[:, :, 0]
    np.testing.assert_array_equal(decode_image(picture(grey)), grey[None])
    assert decode_image(picture(grey), Decoding(force_color=True)).tolist() == [grey.tolist()] * 3
    assert decode_image(picture(RGB), Decoding(force_gray=True)).shape == (1, 5, 6)
    clear = np.dstack([RGB, grey])
    np.testing.assert_array_equal(decode_image(picture(clear)), clear[:, :, [2, 1, 0, 3]].transpose(2, 0, 1))
    assert decode_image(picture(clear), Decoding(force_color=True)).shape == (3, 5, 6)
    palette = Image.fromarray(RGB).convert("P")
    assert decode_image(picture(palette)).shape == (3, 5, 6)
    assert decode_image(picture(Image.fromarray(grey > 99))).dtype == np.uint8
    assert decode_image(picture(Image.fromarray(RGB).convert("CMYK"), "JPEG")).shape == (3, 5, 6)


@pytest.mark.parametrize(
    "raw, words",
    [
        (b"\xff\xff\xff", "expected a Datum, the 3 bytes"),
        (datum(channels=2, height=1, width=3, data=b"12345"), "2x1x3 = 6 values, got 5"),
        (datum(channels=2, height=1, width=3), "6 values, got 0"), (datum(data=b"123"), r"are \(0, 0, 0\)"),
        (datum(channels=-1, height=1, width=3, data=b"123"), "-1"),
        (datum(data=b"no picture", encoded=True), "no picture"),
        (datum(data=picture(RGB)[:60], encoded=True), "cannot be read|no picture"),
        (datum(data=picture(RGB.astype(np.uint16)[:, :, 0]), encoded=True), "8 bits a channel"),
    ],
)  # fmt: skip
def test_bad_records(raw, words):
    with pytest.raises(ValueError, match=words):
        parse(raw, AS_STORED)


def test_damaged_pictures_never_raise_anything_else():
    raw = picture(RGB)
    for place in range(len(raw)):
        for broken in (raw[:place], raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :]):
            with contextlib.suppress(ValueError):
                decode_image(broken)
