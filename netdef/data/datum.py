"""Datum: the record of Caffe's databases, as bytes -> array and label."""
from __future__ import annotations

import io
import warnings
from typing import Any, NamedTuple

import numpy as np

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


def label_of(raw: bytes) -> int:
    """The label of a serialized Datum, whose picture is not decoded. Raises ValueError."""
    return int(_message(raw).label)


def _message(raw: bytes) -> Any:
    from google.protobuf.message import DecodeError  # protobuf loads with the first database

    from netdef.config import schema

    datum: Any = schema.new("Datum")
    try:
        datum.ParseFromString(raw)
    except DecodeError as error:
        raise ValueError(f"expected a Datum, the {len(raw)} bytes do not parse") from error
    return datum


def decode_image(raw: bytes, decoding: Decoding = AS_STORED) -> np.ndarray:
    """A picture file's bytes as uint8 (C, H, W): grey has one channel, colour three in the order blue, green, red, and
    a picture with transparency four (blue, green, red, alpha), unless ``decoding`` forces one or three.

    Raises ValueError for bytes that are no picture or (unless forced) have more than 8 bits a channel, DataError without
    Pillow.
    """
    if decoding.force_color or decoding.force_gray:
        return _decode_as(raw, decoding.force_color)
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        message = "encoded records need Pillow, which is not installed"
        raise DataError(message, hint="pip install netdef[data]") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(raw)) as picture:
                mode = _mode(picture)
                pixels = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    except UnidentifiedImageError as error:
        raise ValueError(f"encoded, but the {len(raw)} bytes are no picture") from error
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"the encoded picture cannot be read: {error}") from error
    if pixels.ndim == 2:
        return pixels[None]
    order = (2, 1, 0, 3)[: pixels.shape[2]]
    return np.ascontiguousarray(pixels[:, :, order].transpose(2, 0, 1))


def _decode_as(raw: bytes, color: bool) -> np.ndarray:
    """In three channels or one, as picture files are read. Raises ValueError, DataError without a reader."""
    from netdef.data.images import read_image

    try:
        return np.ascontiguousarray(read_image(raw, color).transpose(2, 0, 1))
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
