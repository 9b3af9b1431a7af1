"""Pictures that are decoded when they are asked for: the same pixels as at once, and errors that name the record."""
import io

import numpy as np
import pytest

from netdef.data.datum import Decoding, parse, parse_later
from netdef.data.images import read_image
from netdef.data.later import Later, jpeg, resized, window
from netdef.data.resize import resize
from netdef.errors import DataError

Image = pytest.importorskip("PIL.Image")

PIXELS = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def encoded(kind="JPEG", pixels=PIXELS, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def bad(error):
    return DataError(f"record 7: {error}", where="db")


def test_windows_are_parts_of_the_picture():
    raw = encoded()
    whole = read_image(raw).transpose(2, 0, 1)
    found = jpeg(raw, True, bad)
    assert found.shape == whole.shape
    for _ in range(2):  # a second look decodes anew
        assert np.array_equal(found.window((0, 0, 40, 60)), whole)
        assert np.array_equal(window(found, (3, 5, 20, 30)), whole[:, 3:23, 5:35])
    assert np.array_equal(window(whole, (3, 5, 20, 30)), whole[:, 3:23, 5:35])


def test_another_size():
    raw = encoded()
    wanted = resize(read_image(raw), 20, 25).transpose(2, 0, 1)
    for picture in (jpeg(raw, True, bad), read_image(raw).transpose(2, 0, 1)):
        made = resized(picture, 20, 25)
        assert made.shape == (3, 20, 25) and np.array_equal(made.window((1, 2, 5, 6)), wanted[:, 1:6, 2:8])


def test_what_is_read_at_once():
    exif = Image.Exif()
    exif[0x0112] = 6
    for raw in (encoded("PNG"), encoded(pixels=PIXELS[:, :, 0]), b"no picture", b"\xff\xd8\xff", b""):
        assert jpeg(raw, True, bad) is None
    turned = encoded(exif=exif)
    assert jpeg(turned, True, bad) is None and jpeg(turned, False, bad).shape == (3, 40, 60), "encoded records are not turned"


def test_a_picture_that_is_cut_off():
    found = jpeg(encoded()[:-900], True, bad)
    with pytest.raises(DataError, match="db: error: record 7: the picture cannot be read: image file is truncated"):
        found.window((0, 0, 40, 60))


def test_records():
    from netdef.config import schema

    def record(raw):
        made = schema.new("Datum")
        made.data, made.encoded, made.label = raw, True, 4
        return made.SerializeToString()

    for kind, lazy in (("JPEG", True), ("PNG", False)):
        raw = record(encoded(kind))
        found, label = parse_later(raw, Decoding(), bad)
        assert isinstance(found, Later) == lazy and label == 4
        assert np.array_equal(window(found, (0, 0, 40, 60)), parse(raw, Decoding())[0])
    assert not isinstance(parse_later(record(encoded()), Decoding(force_gray=True), bad)[0], Later)
