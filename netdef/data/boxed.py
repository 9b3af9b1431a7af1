"""What SSD does to a picture and its boxes before a net sees them, ``transform_param`` of AnnotatedData.

In this order: distort_param, expand_param, batch_sampler, mirror, resize_param, noise_param, crop_size (or crop_h and crop_w);
then the mean and the scale. Boxes go along, and are dropped where emit_constraint says so. SSD's Caffe writes the picture as a
JPEG and reads it again after each of the first three; that is left out.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netdef.data.boxes import Boxes
from netdef.data.crops import WHOLE, check_sampler, crop_boxes, cut, draw_crop
from netdef.data.damage import check_damage, damage
from netdef.data.distort import check_distort, check_expand, distort, expand
from netdef.data.resize import resize
from netdef.data.source import Shape
from netdef.data.transforms import Transformer
from netdef.errors import FieldError, Span
from netdef.rng import Stream

WARP, FIT_SMALL, FIT_AND_PAD = 1, 2, 3
_HOW = {1: "linear", 2: "area", 3: "nearest", 4: "cubic", 5: "lanczos4"}
_PADS = {1: "constant", 2: "reflect", 3: "edge"}


class BoxedTransform:
    """The changes of a TransformationParameter and of BatchSampler messages, for one phase.

    ``values`` does the mean and the scale, of whole batches. Raises FieldError, which begins with the field's name, for numbers
    that cannot be.
    """

    def __init__(self, param: Any, samplers: Sequence[Any], train: bool, mean: np.ndarray | None = None,
                 where: Span | str | None = None) -> None:
        self.param, self.samplers, self.train = param, samplers, train
        self.crop = (param.crop_size, param.crop_size) if param.crop_size else (param.crop_h, param.crop_w)
        if bool(self.crop[0]) != bool(self.crop[1]):
            raise FieldError("crop_h and crop_w: expected both or none")
        self.emit = param.emit_constraint if param.HasField("emit_constraint") else None
        self.values = Transformer(scale=param.scale, mean=mean, mean_values=list(param.mean_value), where=where)
        for name, check in (("distort_param", check_distort), ("expand_param", check_expand), ("noise_param", check_damage),
                            ("resize_param", _check_resize)):
            if param.HasField(name):
                _checked(name, check, getattr(param, name))
        for sampler in samplers:
            _checked("batch_sampler", check_sampler, sampler)

    def output_shape(self, picture: Shape) -> Shape:
        """The shape (C, H, W) that a picture (C, H, W) comes out with. Raises FieldError where a crop is larger than it."""
        height, width = self._resized(picture[1:]) if self.param.HasField("resize_param") else picture[1:]
        if self.crop[0]:
            self._check_crop(height, width)
            height, width = self.crop
        found = (picture[0], height, width)
        self.values.output_shape(found)
        return found

    @property
    def alike(self) -> bool:
        """Whether pictures of any size come out with one."""
        sized = self.param.HasField("resize_param") and self.param.resize_param.resize_mode != FIT_SMALL
        return bool(self.crop[0]) or sized

    def __call__(self, picture: np.ndarray, boxes: Boxes, stream: Stream) -> tuple[np.ndarray, Boxes]:
        """A picture uint8 (H, W, C) and its boxes, changed by draws from ``stream``. Raises ValueError for numbers of channels
        that do not fit, FieldError where a crop is larger than the picture."""
        p = self.param
        if p.HasField("distort_param"):
            if picture.shape[2] != 3:
                raise ValueError(f"distort_param needs 3 channels, the picture has {picture.shape[2]}; force_color makes them")
            picture = distort(picture, p.distort_param, stream)
        if p.HasField("expand_param"):
            picture, canvas = expand(picture, p.expand_param, self._fill(picture.shape[2]), stream)
            boxes = crop_boxes(boxes, canvas, self.emit) if canvas != WHOLE else boxes
        crop = draw_crop(self.samplers, boxes.corners, stream) if self.samplers else WHOLE
        if crop != WHOLE:
            picture, boxes = cut(picture, crop), crop_boxes(boxes, crop, self.emit)
        mirror = p.mirror and bool(stream.bernoulli(0.5, ()))
        size = (picture.shape[0], picture.shape[1])
        if p.HasField("resize_param"):
            picture, boxes = self._resize(picture, boxes, stream)
        if p.HasField("noise_param"):
            picture = damage(picture, p.noise_param, stream)
        picture, inner = self._cropped(picture, stream)
        boxes = crop_boxes(boxes, inner, self.emit)
        if mirror:
            picture, boxes = picture[:, ::-1], boxes.flipped(0)
        return picture, self._extrapolated(boxes, size, inner)

    def _fill(self, channels: int) -> np.ndarray:
        """The colour of the canvas around a picture: the mean, or black."""
        mean = self.values.mean_values
        if self.values.mean is not None:
            mean = self.values.mean.mean(axis=(1, 2))
        return np.broadcast_to(np.clip(np.rint(mean), 0, 255).astype(np.uint8) if mean.size else np.uint8(0), (channels,))

    def _resized(self, size: Sequence[int]) -> tuple[int, int]:
        """Height and width by resize_param."""
        r = self.param.resize_param
        if r.resize_mode != FIT_SMALL:
            return r.height, r.width
        aspect = np.float32(size[1]) / np.float32(size[0])
        if aspect < np.float32(r.width) / np.float32(r.height):
            return int(np.float32(r.width) / aspect), r.width
        return r.height, int(aspect * np.float32(r.height))

    def _resize(self, picture: np.ndarray, boxes: Boxes, stream: Stream) -> tuple[np.ndarray, Boxes]:
        r = self.param.resize_param
        how = _HOW[r.interp_mode[int(stream.integers(0, len(r.interp_mode)))]] if r.interp_mode else "linear"
        if r.resize_mode != FIT_AND_PAD:
            inside = np.clip(boxes.corners, 0, 1)
            return resize(picture, *self._resized(picture.shape), how), boxes._replace(corners=inside)
        aspect, wanted = picture.shape[1] / picture.shape[0], r.width / r.height
        size = [r.height, r.width]
        side = 0 if aspect > wanted else 1  # where the picture does not fill the frame
        exact = r.width / aspect if side == 0 else r.height * aspect
        size[side] = max(1, int(exact))
        made = resize(picture, size[0], size[1], how)
        spare = (r.height, r.width)[side] - size[side]
        frame = [(0, 0)] * 3
        frame[side] = (spare // 2, spare - spare // 2)
        corners = np.clip(boxes.corners, 0, 1)
        share = exact / (r.height, r.width)[side]
        axis = 1 - side
        corners[:, [axis, axis + 2]] = corners[:, [axis, axis + 2]] * share + (1 - share) / 2
        return self._padded(made, frame), boxes._replace(corners=corners)

    def _padded(self, picture: np.ndarray, frame: list[tuple[int, int]]) -> np.ndarray:
        r = self.param.resize_param
        mode: Any = _PADS[r.pad_mode]
        if mode != "constant":
            return np.pad(picture, frame, mode if min(picture.shape[:2]) > 1 else "edge")
        values = list(r.pad_value) or [0.0]
        if len(values) not in (1, picture.shape[2]):
            raise ValueError(f"resize_param: expected 1 or {picture.shape[2]} pad_value, got {len(values)}")
        sides = [(n + a + b) for n, (a, b) in zip(picture.shape, frame, strict=True)]
        made = np.empty(sides, np.uint8)
        made[:] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
        (top, _), (left, _), _ = frame
        made[top: top + picture.shape[0], left: left + picture.shape[1]] = picture
        return made

    def _check_crop(self, height: int, width: int) -> None:
        if self.crop[0] > height or self.crop[1] > width:
            raise FieldError(f"expected a crop of at most {height}x{width} (the picture), got {self.crop[0]}x{self.crop[1]}")

    def _cropped(self, picture: np.ndarray, stream: Stream) -> tuple[np.ndarray, tuple[float, ...]]:
        """A crop in pixels, at random in training and from the centre else; and where it lies, in shares of the picture."""
        if not self.crop[0]:
            return picture, WHOLE
        (height, width), (tall, wide) = picture.shape[:2], self.crop
        self._check_crop(height, width)
        top, left = (height - tall) // 2, (width - wide) // 2
        if self.train:
            top, left = (int(stream.integers(0, n + 1)) for n in (height - tall, width - wide))
        return (picture[top: top + tall, left: left + wide],
                (left / width, top / height, (left + wide) / width, (top + tall) / height))

    def _extrapolated(self, boxes: Boxes, size: tuple[int, int], inner: tuple[float, ...]) -> Boxes:
        """For FIT_SMALL_SIZE with height_scale and width_scale: corners in units of these, and not of the picture."""
        r = self.param.resize_param
        if not (r.resize_mode == FIT_SMALL and r.height_scale and r.width_scale):
            return boxes
        height, width = self._resized(size)
        across, down = width * (inner[2] - inner[0]) / r.width_scale, height * (inner[3] - inner[1]) / r.height_scale
        return boxes._replace(corners=boxes.corners * (across, down, across, down))


def _check_resize(param: Any) -> None:
    if not (param.height and param.width):
        raise FieldError("expected a height and a width of at least 1")
    if bool(param.height_scale) != bool(param.width_scale):
        raise FieldError("height_scale and width_scale: expected both or none")


def _checked(name: str, check: Any, message: Any) -> None:
    try:
        check(message)
    except FieldError as error:
        error.message = f"{name}: {error.message}"
        raise
