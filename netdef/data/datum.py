"""Datum: the record of Caffe's databases, as bytes -> array and label."""
from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from netdef.data.images import check_pixels, read_image
from netdef.data.later import Later, jpeg
from netdef.errors import DataError


class Decoding(NamedTuple):
    """How encoded (JPEG, PNG) records are turned into channels: as they are, all to colour, or all to grey."""

    force_color: bool = False
    force_gray: bool = False


AS_STORED = Decoding()


def parse(raw: bytes, decoding: Decoding) -> tuple[np.ndarray, int]:
    """The array (C, H, W), uint8 or float32, and the label of a serialized Datum.

    Raises ValueError with what is wrong, for the caller to say where. Sources: Caffe's caffe.proto and
    DataTransformer: ``data`` (uint8) counts unless it is empty, then ``float_data``; encoded pictures become BGR.
    """
    datum = _message(raw)
    if datum.encoded:
        return decode_image(datum.data, decoding), datum.label
    shape = (datum.channels, datum.height, datum.width)
    if min(shape) < 1:
        raise ValueError(f"channels, height, width are {shape}")
    values: Any = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, np.float32)
    wanted = shape[0] * shape[1] * shape[2]
    if values.size != wanted:
        raise ValueError(f"expected {shape[0]}x{shape[1]}x{shape[2]} = {wanted} values, got {values.size}")
    return values.reshape(shape), datum.label


def parse_later(raw: bytes, decoding: Decoding, bad: Callable[[ValueError], DataError]) -> tuple[np.ndarray | Later, int]:
    """As ``parse``; a coloured JPEG is decoded when it is asked for, and ``bad`` makes the error of one that cannot be."""
    datum = _message(raw)
    if datum.encoded and not decoding.force_gray:
        found = jpeg(datum.data, decoding.force_color, bad)
        if found is not None:
            return found, datum.label
    return parse(raw, decoding)


def is_encoded(raw: bytes) -> bool:
    """Whether a serialized Datum holds a picture file. Raises ValueError."""
    return bool(_message(raw).encoded)


def label_of(raw: bytes) -> int:
    """The label of a serialized Datum, whose picture is not decoded. Raises ValueError."""
    return int(_message(raw).label)


def _message(raw: bytes) -> Any:
    if raw[:1] == b"\n":  # field 1 holds bytes: SSD's AnnotatedDatum
        raise ValueError("expected a Datum, the record is a picture with boxes; the type AnnotatedData reads such databases")
    made, bad = _schema()
    try:
        return made.FromString(raw)
    except bad as error:
        raise ValueError(f"expected a Datum, the {len(raw)} bytes do not parse") from error


@functools.cache
def _schema() -> tuple[Any, type[Exception]]:
    """Datum's class, and what it raises; protobuf loads with the first database."""
    from google.protobuf.message import DecodeError

    from netdef.config import schema

    return schema.message_class("Datum"), DecodeError


def decode_image(raw: bytes, decoding: Decoding = AS_STORED) -> np.ndarray:
    """A picture file's bytes as uint8 (C, H, W): grey has one channel, colour three in the order blue, green, red, and
    a picture with transparency four (blue, green, red, alpha), unless ``decoding`` forces one or three.

    The array may be a view, and read-only. Raises ValueError for bytes that are no picture or (unless forced) have more than 8
    bits a channel, DataError without Pillow.
    """
    if decoding.force_color or decoding.force_gray:
        return _decode_as(raw, decoding.force_color)
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        message = "encoded records need Pillow, which is not installed"
        raise DataError(message, hint="pip install netdef[data]") from error
    try:
        with Image.open(io.BytesIO(raw)) as picture:
            check_pixels(picture)
            mode = _mode(picture)
            pixels = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    except UnidentifiedImageError as error:
        raise ValueError(f"encoded, but the {len(raw)} bytes are no picture") from error
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"the encoded picture cannot be read: {error}") from error
    if pixels.ndim == 2:
        return pixels[None]
    return (pixels[:, :, ::-1] if pixels.shape[2] == 3 else pixels[:, :, (2, 1, 0, 3)]).transpose(2, 0, 1)


def _decode_as(raw: bytes, color: bool) -> np.ndarray:
    """In three channels or one, as picture files are read. Raises ValueError, DataError without a reader."""
    try:
        return read_image(raw, color).transpose(2, 0, 1)
    except DataError as error:
        if error.hint:  # what to install
            raise
        raise ValueError(f"encoded, but {error.message}") from error


def _mode(picture: Any) -> str:
    """Pillow's name of the channels wanted: "L" (grey), "RGB" or "RGBA"."""
    if picture.mode.startswith(("I", "F")):
        raise ValueError(f"expected 8 bits a channel, got a picture of mode {picture.mode}")
    if picture.mode in ("1", "L"):
        return "L"
    clear = picture.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in picture.info
    return "RGBA" if clear else "RGB"
