"""What Caffe does to each record before a net sees it: crop, subtract the mean, scale, mirror, in this order.

Source: BVLC Caffe's DataTransformer. Two rules that surprise: ``mirror`` is random in both phases, while the crop is
random in TRAIN and from the centre in TEST; and the mean image is as large as the stored record, cut at the crop's
place.
"""
from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from netdef.config import blobproto
from netdef.config.wire import WireError
from netdef.data.later import Later, window
from netdef.errors import DataError, FieldError, Span
from netdef.rng import Stream

if TYPE_CHECKING:
    from google.protobuf.message import Message

Shape = tuple[int, int, int]
OF_SSD = frozenset(("resize_param", "noise_param", "emit_constraint", "crop_h", "crop_w", "distort_param", "expand_param"))


class Transformer:
    """Turns batches of records (N, C, H, W) into batches of float32 or float64 for a net.

    ``mean`` is an array (C, H, W), ``mean_values`` one number or one for each channel; give at most one of them.
    ``where`` (a span or a path) is named in errors.
    """

    def __init__(
        self,
        *,
        scale: float = 1.0,
        mirror: bool = False,
        crop_size: int = 0,
        mean: np.ndarray | None = None,
        mean_values: Sequence[float] = (),
        train: bool = False,
        where: Span | str | None = None,
    ) -> None:
        if mean is not None and len(mean_values):
            raise FieldError("expected mean_file or mean_value, got both", where=where)
        self.scale, self.mirror, self.crop_size, self.train, self.where = scale, mirror, crop_size, train, where
        self.mean = mean
        self.mean_values = np.asarray(mean_values, np.float32)

    @classmethod
    def from_message(
        cls,
        message: Message,
        train: bool,
        resolve: Callable[[str], str | os.PathLike[str]] = str,
        where: Span | str | None = None,
    ) -> Transformer:
        """From a TransformationParameter; ``resolve`` finds the path of ``mean_file``, ``train`` tells the phase.

        Raises FieldError for options that exclude each other, DataError for a mean file that cannot be read.
        """
        param: Any = message
        if param.mean_file and len(param.mean_value):
            raise FieldError("expected mean_file or mean_value, got both", where=where)
        if param.force_color and param.force_gray:
            raise FieldError("force_color and force_gray exclude each other", where=where)
        for field, _ in param.ListFields():
            if field.name in OF_SSD:
                raise FieldError(f"{field.name} has no effect on this type", where=where, hint="it is for AnnotatedData")
        return cls(
            scale=param.scale,
            mirror=param.mirror,
            crop_size=param.crop_size,
            mean=read_mean(resolve(param.mean_file)) if param.mean_file else None,
            mean_values=list(param.mean_value),
            train=train,
            where=where,
        )

    def output_shape(self, shape: Shape) -> Shape:
        """The shape (C, H, W) that a record of ``shape`` comes out with.

        Raises FieldError where crop_size is larger than the record or mean_value has a wrong number of values,
        DataError where the mean image has another size.
        """
        self._check(shape)
        return (shape[0], self.crop_size, self.crop_size) if self.crop_size else shape

    def __call__(
        self,
        images: np.ndarray | Sequence[np.ndarray | Later],
        stream: Stream | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Transform a batch: an array (N, C, H, W), or with a crop a list of arrays (C, H, W) of different sizes.

        ``stream`` gives the random places and flips (needed where ``random`` is true): first the crops' rows and
        columns for the whole batch, then the flips. ``out`` (N, C, H', W') receives the result and is returned; without
        it the result is a new float32 array. The input is never written.
        """
        if not isinstance(images, np.ndarray) and len({image.shape for image in images}) != 1:
            return self._ragged(images, stream, out)
        count = len(images)
        first = images.shape[1:] if isinstance(images, np.ndarray) else images[0].shape
        shape = self.output_shape((first[0], first[1], first[2]))
        if out is None:
            out = np.empty((count, *shape), np.float32)
        elif out.shape != (count, *shape):
            raise ValueError(f"expected out of shape {(count, *shape)}, got {out.shape}")
        if isinstance(images, np.ndarray) and not self.crop_size and not self.mirror:
            self._subtract_and_scale(images, self._mean_at(0, 0), out)
        elif count:
            self._each(images, stream, out)
        return out

    @property
    def random(self) -> bool:
        """Whether a call needs a stream."""
        return self.mirror or (self.train and self.crop_size > 0)

    def _check(self, shape: Shape) -> None:
        channels, height, width = shape
        if self.crop_size > min(height, width):
            message = f"expected crop_size of at most {min(height, width)} (records of {height}x{width})"
            raise FieldError(f"{message}, got {self.crop_size}", where=self.where)
        if self.mean is not None and self.mean.shape != tuple(shape):
            message = f"expected a mean image of {_x(shape)} as the records, got {_x(self.mean.shape)}"
            raise DataError(message, where=self.where)
        if self.mean_values.size not in (0, 1, channels):
            message = f"expected 1 or {channels} mean_value (one for each channel), got {self.mean_values.size}"
            raise FieldError(message, where=self.where)

    def _each(self, images: np.ndarray | Sequence[np.ndarray | Later], stream: Stream | None, out: np.ndarray) -> None:
        """Item by item, straight into ``out``: nothing is copied but what the crop keeps."""
        count, crop = len(images), self.crop_size
        rows, columns = self._places(images[0].shape[1:], count, stream)
        flips = _needed(stream).bernoulli(0.5, (count,)) if self.mirror else np.zeros(count, bool)
        for image, row, column, flip, place in zip(images, rows.tolist(), columns.tolist(), flips.tolist(), out, strict=True):
            size = (crop, crop) if crop else (image.shape[1], image.shape[2])
            image = window(image, (row, column, *size))
            mean = self._mean_at(row, column)
            if flip:
                image = image[:, :, ::-1]
                mean = mean[:, :, ::-1] if mean is not None else None
            self._subtract_and_scale(image, mean, place)

    def _places(self, size: Sequence[int], count: int, stream: Stream | None) -> tuple[np.ndarray, np.ndarray]:
        """Row and column where each crop begins, arrays (N,)."""
        crop = self.crop_size
        if not crop:
            return np.zeros(count, np.int64), np.zeros(count, np.int64)
        spare = size[0] - crop, size[1] - crop
        if not self.train:
            return np.full(count, spare[0] // 2), np.full(count, spare[1] // 2)
        draw = _needed(stream)
        rows = draw.integers(0, spare[0] + 1, (count,))
        return rows, draw.integers(0, spare[1] + 1, (count,))

    def _mean_at(self, row: int, column: int) -> np.ndarray | None:
        """The mean of a crop in a shape that broadcasts against it, or None."""
        if self.mean_values.size:
            return self.mean_values.reshape(-1, 1, 1)
        if self.mean is None or not self.crop_size:
            return self.mean
        return self.mean[:, row: row + self.crop_size, column: column + self.crop_size]

    def _subtract_and_scale(self, images: np.ndarray, mean: np.ndarray | None, out: np.ndarray) -> None:
        """out = (images - mean) * scale, in the precision of ``out``; one pass where there is no mean."""
        scale = out.dtype.type(self.scale)
        if mean is None:
            np.multiply(images, scale, out=out, dtype=out.dtype, casting="same_kind")
            return
        np.subtract(images, mean.astype(out.dtype, copy=False), out=out, dtype=out.dtype, casting="same_kind")
        if self.scale != 1:
            out *= scale

    def _ragged(
        self, images: Sequence[np.ndarray | Later], stream: Stream | None, out: np.ndarray | None
    ) -> np.ndarray:
        """A list of records of different sizes, one by one; only a crop brings them to one size."""
        shapes = {self.output_shape((a.shape[0], a.shape[1], a.shape[2])) for a in images}
        if len(shapes) != 1:
            raise DataError(f"the records of a batch have different sizes: {sorted(shapes)}", where=self.where)
        if out is None:
            out = np.empty((len(images), *shapes.pop()), np.float32)
        for place, image in zip(out, images, strict=True):
            self([image], stream, place[None])
        return out


def read_mean(path: str | os.PathLike[str]) -> np.ndarray:
    """The mean image (C, H, W) of a .binaryproto file, float32 or float64. Raises DataError."""
    try:
        with open(path, "rb") as file:
            raw = memoryview(file.read())
        array = blobproto.decode(raw, 0, len(raw)).array
    except OSError as error:
        raise DataError(f"cannot read the mean file: {error.strerror or error}", where=str(path)) from error
    except WireError as error:
        raise DataError(f"expected a mean image (binaryproto), {error}", where=str(path)) from error
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3:
        raise DataError(f"expected a mean image of channels x height x width, got {_x(array.shape)}", where=str(path))
    return array.copy()


def _needed(stream: Stream | None) -> Stream:
    if stream is None:
        raise ValueError("this transformer draws random numbers: give it a stream")
    return stream


def _x(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "one number"
