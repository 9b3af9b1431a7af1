"""Pad: a border around the image, and channels before and behind."""
from __future__ import annotations

from netdef.layers.base import Inferred, Layer, Shape
from netdef.layers.registry import register

SIDES = (("pad_h", "pad_top", "pad_bottom"), ("pad_w", "pad_left", "pad_right"))


@register("Pad")
class Pad(Layer):
    r"""Puts a border of one value around the image axes, and channels of it before and behind the channels.

    With ``channels_front`` or ``channels_back`` it makes the shortcut of a ResNet without weights: halve the image with
    a Pooling of kernel_size 1 and stride 2, then fill up the channels with zeros.

    Formula: y = x inside, ``value`` in all that is added;  dx = the inner part of dy.

    Shapes: bottom (N, C, image...), top (N, channels_front + C + channels_back, pad + image + pad, ...). ``pad`` is one
    number for all image axes or one for each, on both sides. An image of two axes may be padded by ``pad_h`` and
    ``pad_w`` in its place, and by ``pad_top``, ``pad_bottom``, ``pad_left`` and ``pad_right`` on one side only.

    Numerical care: none.

    Source: channels: He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition, CVPR 2016 (shortcut A).

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
        layer { name: "pad1" type: "Pad" bottom: "data" top: "pad1"
                pad_param { pad_h: 1 pad_right: 2 channels_back: 3 value: -1 } }
    """

    options_field = "pad_param"
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        pair = [o for o in ("pad_h", "pad_w") if spec.has(o)]
        if pair and spec.has("pad"):
            raise spec.error(f"expected either pad or pad_h and pad_w, got pad and {pair[0]}", pair[0])

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        if len(shape) < 2:
            raise self.spec.shape_error(f"expected at least 2 axes (N, C, image...), got the shape {shape}", 0)
        borders = self._borders(len(shape))
        return Inferred(tops=[tuple(a + n + b for n, (a, b) in zip(shape, borders, strict=True))])

    def _borders(self, ndim: int) -> list[tuple[int, int]]:
        """(before, behind) for each axis of the bottom. Raises FieldError where the options do not fit its axes."""
        o, spec, images = self.options, self.spec, ndim - 2
        if len(o.pad) not in (0, 1, images):
            raise spec.error(f"expected 1 value, or one an image axis ({images}), got {len(o.pad)}", "pad")
        both = list(o.pad) * images if len(o.pad) == 1 else list(o.pad) or [0] * images
        sides = [(n, n) for n in both]
        for k, (centre, first, last) in enumerate(SIDES):
            given = next((name for name in (centre, first, last) if spec.has(name)), None)
            if given and images != 2:
                raise spec.error(f"works with two image axes only, got {images}", given, hint="use pad")
            if given:
                n = getattr(o, centre) if spec.has(centre) else both[k]
                sides[k] = (getattr(o, first) if spec.has(first) else n, getattr(o, last) if spec.has(last) else n)
        return [(0, 0), (o.channels_front, o.channels_back), *sides]

    def forward(self, ctx, bottoms, params, tops):
        tops[0].data[...] = self.options.value
        tops[0].data[self._inside(bottoms[0].shape)] = bottoms[0].data

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            bottoms[0].diff[...] = tops[0].diff[self._inside(bottoms[0].shape)]

    def _inside(self, shape: Shape) -> tuple[slice, ...]:
        """Where the bottom lies in the top."""
        return tuple(slice(a, a + n) for n, (a, _) in zip(shape, self._borders(len(shape)), strict=True))
