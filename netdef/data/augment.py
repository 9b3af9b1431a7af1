"""Random changes of pictures in training: ``transform_param { augment { ... } }``.

Each operation draws from a stream of its own, keyed by its seed (or the net's), the layer's name, its own name and the number
of the pass: any thread makes the same pictures, and one operation more leaves the draws of the others alone.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdef.data import augment_ops as ops
from netdef.data.images import resize
from netdef.data.source import Images, Shape
from netdef.errors import FieldError, Span
from netdef.rng import Stream

if TYPE_CHECKING:
    from google.protobuf.message import Message

# field -> (least, largest); prob and the like are shares.
_RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "affine": {"prob": (0, 1), "rotate": (0, 180), "translate": (0, 1), "scale_lower": (1e-3, 1e3),
               "scale_upper": (1e-3, 1e3), "shear": (0, 89)},
    "resized_crop": {"min_area": (1e-6, 1), "max_area": (1e-6, 1), "min_aspect": (1e-3, 1e3), "max_aspect": (1e-3, 1e3)},
    "flip": {"horizontal": (0, 1), "vertical": (0, 1)},
    "color": {"prob": (0, 1), "brightness": (0, 1), "contrast": (0, 1), "saturation": (0, 1), "hue": (0, 0.5), "gray": (0, 1)},
    "cutout": {"prob": (0, 1), "size": (0, 1)},
}
_ORDERED = {"affine": ("scale_lower", "scale_upper"), "resized_crop": ("min_area", "max_area")}


class Augment:
    """The operations of one AugmentParameter.

    ``crop_size`` is that of the transform, 0 for none; ``name`` the layer's. Raises FieldError for numbers out of range.
    """

    def __init__(self, message: Message, train: bool, crop_size: int = 0, name: str = "",
                 where: Span | str | None = None) -> None:
        options: Any = message
        self.options = options
        self.train, self.name = train, name
        self._check(where)
        self.size: tuple[int, int] | None = None
        """height and width that every picture gets; None where it keeps its own"""
        if options.HasField("resized_crop"):
            crop = options.resized_crop
            given = (crop.height, crop.width)
            if any(given) and not all(given):
                raise FieldError("augment: resized_crop: expected height and width, both or none", where=where)
            if any(given):
                self.size = given
            elif crop_size and train:
                self.size = (crop_size, crop_size)

    def output_shape(self, shape: Shape) -> Shape:
        """The shape (C, H, W) that a record of ``shape`` comes out with."""
        return (shape[0], *self.size) if self.size else shape

    def __call__(self, images: Images, seed: int, iteration: int) -> Images:
        """Change a batch (N, C, H, W), or a list of (C, H, W): for pass ``iteration`` of a net with this seed.

        The input is not written; what was bytes may come out as float32.
        """
        if not self.train:
            if self.size is None:
                return images
            return resized_all(images, *self.size)
        made = [np.asarray(image) for image in images]
        for op, function in _OPS.items():
            if self.options.HasField(op):
                option = getattr(self.options, op)
                stream = Stream(option.seed if option.HasField("seed") else seed, f"{self.name}/augment/{op}", iteration)
                made = function(self, made, option, stream)
        return np.stack(made) if len({image.shape for image in made}) == 1 else made

    def _check(self, where: Span | str | None) -> None:
        for op, ranges in _RANGES.items():
            if not self.options.HasField(op):
                continue
            option = getattr(self.options, op)
            for field, (least, most) in ranges.items():
                if not least <= getattr(option, field) <= most:
                    raise FieldError(f"augment: {op}: {field}: expected a number in [{least:g}, {most:g}], got "
                                     f"{getattr(option, field):g}", where=where)
            low, high = _ORDERED.get(op, ("", ""))
            if low and getattr(option, low) > getattr(option, high):
                raise FieldError(f"augment: {op}: {low} is larger than {high}", where=where)

    def affine(self, images: list[np.ndarray], o: Any, stream: Stream) -> list[np.ndarray]:
        """Rotate, move, scale and shear some of the pictures."""
        n = len(images)
        chosen, u = stream.bernoulli(o.prob, (n,)), 2 * stream.uniform((n, 4), "float64") - 1
        scales = np.exp(_between(stream.uniform((n,), "float64"), np.log(o.scale_lower), np.log(o.scale_upper)))
        return [ops.affine(image, o.rotate * v[0], o.translate * v[1], o.translate * v[2], scale, o.shear * v[3], o.fill)
                if hit else image for image, hit, v, scale in zip(images, chosen, u, scales, strict=True)]

    def resized_crop(self, images: list[np.ndarray], o: Any, stream: Stream) -> list[np.ndarray]:
        """Cut a random part of each picture and resize it."""
        draws = stream.uniform((len(images), ops.ATTEMPTS, 4), "float64")
        made = []
        for image, u in zip(images, draws, strict=True):
            top, left, height, width = ops.crop_of(image.shape[1:], (o.min_area, o.max_area), (o.min_aspect, o.max_aspect), u)
            made.append(resized(image[:, top: top + height, left: left + width], *(self.size or image.shape[1:])))
        return made

    def flip(self, images: list[np.ndarray], o: Any, stream: Stream) -> list[np.ndarray]:
        """Mirror some of the pictures."""
        across = stream.bernoulli(o.horizontal, (len(images),))
        down = stream.bernoulli(o.vertical, (len(images),))
        return [image[:, ::-1 if v else 1, ::-1 if h else 1] for image, h, v in zip(images, across, down, strict=True)]

    def color(self, images: list[np.ndarray], o: Any, stream: Stream) -> list[np.ndarray]:
        """Change the colours of some of the pictures."""
        n = len(images)
        chosen, gray = stream.bernoulli(o.prob, (n,)), stream.bernoulli(o.gray, (n,))
        u = 2 * stream.uniform((n, 4), "float64") - 1
        return [ops.color(image, 1 + o.brightness * v[0], 1 + o.contrast * v[1], 1 + o.saturation * v[2], o.hue * v[3],
                          bool(no_color)) if hit else image
                for image, hit, no_color, v in zip(images, chosen, gray, u, strict=True)]

    def cutout(self, images: list[np.ndarray], o: Any, stream: Stream) -> list[np.ndarray]:
        """Cover squares in some of the pictures."""
        n = len(images)
        chosen, centres = stream.bernoulli(o.prob, (n,)), stream.uniform((n, o.count, 2), "float64")
        return [ops.cutout(image, places, o.size, o.value) if hit else image
                for image, hit, places in zip(images, chosen, centres, strict=True)]


_OPS = {"affine": Augment.affine, "resized_crop": Augment.resized_crop, "flip": Augment.flip, "color": Augment.color,
        "cutout": Augment.cutout}


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture (C, H, W) at another size, bilinear."""
    return resize(image.transpose(1, 2, 0), height, width).transpose(2, 0, 1)


def resized_all(images: Images, height: int, width: int) -> list[np.ndarray]:
    """Pictures of any sizes at one."""
    return [resized(image, height, width) for image in images]


def _between(u: np.ndarray, low: float, high: float) -> np.ndarray:
    return low + u * (high - low)
