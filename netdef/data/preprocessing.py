"""Preprocessing: what is done to a picture before a net sees it, as one value that can be printed, saved and loaded.

The steps, in this order: resize, crop, order of the channels, invert, raw_scale, subtract the mean, multiply by scale.
That is pycaffe's order, and the same as that of Caffe's data layers with ``scale`` as their scale.
"""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from netdef.config import paths, schema
from netdef.config.load import read_text_message
from netdef.config.located import Located
from netdef.config.write import to_yaml
from netdef.data.images import resize
from netdef.data.mean_file import read_mean_file
from netdef.errors import DataError, FieldError

Size = tuple[int, int]  # height, width in pixels
ORDERS = ("BGR", "RGB")
_SIZES = ("resize", "shorter_side", "keep_size")
_MEANS = ("mean_file", "mean_value")


class Placed(NamedTuple):
    """Where the crop lies in a picture: sizes of the picture before and after the resize, and the crop in the latter."""

    picture: Size
    resized: Size
    corner: Size
    crop: Size

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """A place in the crop (0 to 1 from left to right and from top to bottom) in pixels of the picture."""
        across = (self.corner[1] + x * self.crop[1]) * self.picture[1] / self.resized[1]
        down = (self.corner[0] + y * self.crop[0]) * self.picture[0] / self.resized[0]
        return across, down


@dataclass(frozen=True)
class Preprocessing:
    """What is done to pictures; the fields are those of PreprocessingParameter (proto/preprocessing.proto).

    ``resize`` (height, width) is None for the size of the mean image, else that of the crop; ``mean_value`` and ``scale``
    have no number, one, or one for each channel. ``origin`` says for people where the settings came from. Raises FieldError
    for fields that exclude each other, DataError for a mean file that cannot be read.

    >>> scaled = Preprocessing(scale=(0.00390625,))
    >>> batch, placed = scaled.apply(np.full((8, 8, 1), 128, np.uint8), (1, 4, 4))
    >>> batch.shape, float(batch.mean())
    ((1, 1, 4, 4), 0.5)
    """

    name: str = ""
    resize: Size | None = None
    shorter_side: int = 0
    keep_size: bool = False
    crop_size: int = 0
    oversample: bool = False
    channel_order: str = "BGR"
    gray: bool = False
    invert: bool = False
    raw_scale: float = 255.0
    mean_file: str = ""
    mean_per_channel: bool = False
    mean_value: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    label_file: str = ""
    origin: tuple[str, ...] = field(default=(), compare=False)
    mean_image: np.ndarray | None = field(default=None, init=False, compare=False, repr=False)  # (C, H, W)

    def __post_init__(self) -> None:
        for name, wrong in self._mistakes():
            error = FieldError(wrong)
            error.field = name  # type: ignore[attr-defined]
            raise error
        if self.mean_file:
            mean = read_mean_file(self.mean_file)
            if mean.ndim == 1 or self.mean_per_channel:
                mean = mean.reshape(len(mean), -1).mean(axis=1, dtype=np.float64)[:, None, None].astype(np.float32)
            object.__setattr__(self, "mean_image", mean)

    def _mistakes(self) -> list[tuple[str, str]]:
        """Fields that contradict each other or cannot be: name and what is wrong."""
        wrong = []
        given = [n for n in _SIZES if getattr(self, n)]
        if len(given) > 1:
            wrong.append((given[1], f"{' and '.join(given)} exclude each other"))
        if self.resize is not None and min(self.resize) < 1:
            wrong.append(("resize_height", "expected resize_height and resize_width from 1 up, both or none"))
        if self.mean_file and self.mean_value:
            wrong.append(("mean_value", "mean_file and mean_value exclude each other"))
        if self.channel_order not in ORDERS:
            wrong.append(("channel_order", f"channel_order: expected BGR or RGB, got {self.channel_order}"))
        for name in ("shorter_side", "crop_size"):
            if getattr(self, name) < 0:
                wrong.append((name, f"{name}: expected 0 or more, got {getattr(self, name)}"))
        for name in ("raw_scale", "mean_value", "scale"):
            if not np.all(np.isfinite(getattr(self, name))):
                wrong.append((name, f"{name}: expected finite numbers"))
        return wrong

    # from and to files ----------------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Preprocessing:
        """From a YAML or prototxt file; paths in it are looked for beside it first.

        Raises ConfigError with the place of a typo, DataError for a mean file that cannot be read.
        """
        return cls.from_message(read_text_message(path, "PreprocessingParameter"))

    @classmethod
    def from_message(cls, located: Located) -> Preprocessing:
        """From a PreprocessingParameter. Raises FieldError located at the field, DataError."""
        m = located.message

        def found(name: str) -> str:
            text = getattr(m, name)
            return str(paths.resolve(text, located.file, located.span_of(name))) if text else ""

        size = (m.resize_height, m.resize_width)
        try:
            return cls(m.name, size if any(size) else None, m.shorter_side, m.keep_size, m.crop_size, m.oversample,
                       ORDERS[m.channel_order], m.gray, m.invert, m.raw_scale, found("mean_file"), m.mean_per_channel,
                       tuple(m.mean_value), tuple(m.scale), found("label_file"), (located.file,))
        except FieldError as error:
            if error.where is None:
                error.where = located.span_of(getattr(error, "field", ""))
            raise

    def to_message(self, beside: str | os.PathLike[str] | None = None) -> Any:
        """A PreprocessingParameter of what differs from the defaults; paths are relative to the folder ``beside``."""
        m: Any = schema.new("PreprocessingParameter")
        plain = Preprocessing()
        for name in ("name", "shorter_side", "keep_size", "crop_size", "oversample", "gray", "invert", "raw_scale",
                     "mean_per_channel"):
            if getattr(self, name) != getattr(plain, name):
                setattr(m, name, getattr(self, name))
        for name in ("mean_file", "label_file"):
            path = getattr(self, name)
            if path:
                setattr(m, name, os.path.relpath(path, beside) if beside is not None else path)
        if self.channel_order != "BGR":
            m.channel_order = ORDERS.index(self.channel_order)
        if self.resize is not None:
            m.resize_height, m.resize_width = self.resize
        m.mean_value.extend(self.mean_value)
        m.scale.extend(self.scale)
        return m

    def __str__(self) -> str:
        """The YAML of preprocessing.yaml, with the origin as comments above it."""
        head = "".join(f"# {line}\n" for line in self.origin)
        text = to_yaml(self.to_message())
        return head + ("# pictures as bytes, 0 to 255, resized to the net's input\n" if text == "{}\n" else text)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the YAML to a file; mean and label files are named relative to it. Raises DataError."""
        text = to_yaml(self.to_message(os.path.dirname(os.path.abspath(path))))
        try:
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as error:
            raise DataError(f"cannot write: {error.strerror or error}", where=os.fspath(path)) from error

    def changed(self, because: str = "", **fields: Any) -> Preprocessing:
        """The same with other values; a new mean or size takes the place of the old one, of whatever kind that was."""
        if not fields:
            return self
        for group, dropped in ((_SIZES, _SIZES), (_MEANS, (*_MEANS, "mean_per_channel"))):
            if any(fields.get(n) for n in group):
                fields = {**{n: getattr(Preprocessing, n, None) for n in dropped}, **fields}
        return replace(self, origin=(*self.origin, because) if because else self.origin, **fields)

    # the work -------------------------------------------------------------------------------------------------

    def reads_color(self, channels: int) -> bool:
        """Whether pictures are to be read in colour for a net of so many channels."""
        return channels != 1 and not self.gray

    def apply(self, picture: np.ndarray, shape: Sequence[int], where: str | None = None) -> tuple[np.ndarray, Placed]:
        """A picture, uint8 (H, W, C) as ``read_image`` gives it, for a net whose input is ``shape`` (C, H, W).

        Returns float32 (K, C, H', W'), K = 1 or, with oversample, 10; H' and W' are the net's unless crop_size or keep_size
        say otherwise; and where the (first) crop lies. ``where`` names the picture in errors. Raises DataError.
        """
        channels, *size = shape
        crop, resized = self._sizes(picture.shape[:2], (size[0], size[1]))
        if crop[0] > resized[0] or crop[1] > resized[1]:
            raise DataError(f"the crop of {_x(crop)} pixels is larger than the resized picture, {_x(resized)}", where=where,
                            hint="resize to a larger size")
        placed = picture if picture.shape[:2] == resized else resize(picture, *resized)
        values = self._channels(placed, channels, where).transpose(2, 0, 1).astype(np.float32)
        if self.invert:
            values = 255 - values
        if self.raw_scale != 255:
            values *= np.float32(self.raw_scale / 255)
        middle = (resized[0] - crop[0]) // 2, (resized[1] - crop[1]) // 2
        corners = _corners(resized, crop, middle) if self.oversample else [middle]
        made = np.stack([self._finished(_window(values, at, crop), at, crop, resized, where) for at in corners])
        if self.oversample:
            made = np.concatenate([made, made[:, :, :, ::-1]])
        return made, Placed((picture.shape[0], picture.shape[1]), resized, corners[0], crop)

    def _sizes(self, picture: Sequence[int], net: Size) -> tuple[Size, Size]:
        """The sizes of the crop and of the whole picture after the resize."""
        own = (int(picture[0]), int(picture[1]))
        crop = (self.crop_size, self.crop_size) if self.crop_size else own if self.keep_size else net
        if self.keep_size:
            return crop, own
        if self.shorter_side:
            factor = self.shorter_side / min(own)
            return crop, (max(1, round(own[0] * factor)), max(1, round(own[1] * factor)))
        if self.resize is not None:
            return crop, self.resize
        mean = self.mean_image.shape[1:] if self.mean_image is not None else (1, 1)
        return crop, (int(mean[0]), int(mean[1])) if mean[0] > 1 and mean[1] > 1 else crop

    def _channels(self, picture: np.ndarray, channels: int, where: str | None) -> np.ndarray:
        """(H, W, channels) in the net's order."""
        if picture.shape[2] == channels:
            return picture[:, :, ::-1] if channels == 3 and self.channel_order == "RGB" else picture
        if picture.shape[2] == 1:
            return np.repeat(picture, channels, axis=2)
        raise DataError(f"expected a picture of {channels} channels, as the net's input, got {picture.shape[2]}", where=where)

    def _finished(self, values: np.ndarray, at: Size, crop: Size, resized: Size, where: str | None) -> np.ndarray:
        """A crop (C, H, W) less the mean, times the scale."""
        if self.mean_image is not None:
            values = values - self._mean(len(values), at, crop, resized, where)
        elif self.mean_value:
            values = values - _each(self.mean_value, len(values), "mean_value")
        return values * _each(self.scale, len(values), "scale") if self.scale else values

    def _mean(self, channels: int, at: Size, crop: Size, resized: Size, where: str | None) -> np.ndarray:
        """The part of the mean image that belongs to a crop; Caffe's rule: it is cropped where the picture is."""
        mean = self.mean_image
        assert mean is not None
        size = mean.shape[1:]
        if len(mean) not in (1, channels) or size not in ((1, 1), crop, resized):
            expected = f"{channels}x{_x(resized)} (the resized picture)" + (f" or {channels}x{_x(crop)} (the crop)"
                                                                        if crop != resized else "")
            raise DataError(f"expected a mean image of {expected}, got {len(mean)}x{_x(size)}", where=self.mean_file or where,
                            hint="mean_per_channel takes the mean of each channel instead")
        return _window(mean, at, crop) if size == resized else mean


def _window(values: np.ndarray, at: Size, size: Size) -> np.ndarray:
    return values[:, at[0]: at[0] + size[0], at[1]: at[1] + size[1]]


def _corners(whole: Size, crop: Size, middle: Size) -> list[Size]:
    """Upper left and right, lower left and right, middle: the order of pycaffe's oversample."""
    down, across = whole[0] - crop[0], whole[1] - crop[1]
    return [(0, 0), (0, across), (down, 0), (down, across), middle]


def _each(values: Sequence[float], channels: int, name: str) -> np.ndarray:
    """One number for all channels, or one for each, to go with (C, H, W)."""
    if len(values) not in (1, channels):
        raise DataError(f"{name}: expected 1 number or {channels}, one for each channel of the net, got {len(values)}")
    return np.asarray(values, np.float32)[:, None, None]


def _x(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"
