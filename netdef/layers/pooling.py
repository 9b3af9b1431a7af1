"""Pooling: the largest, mean or a drawn value of each window."""
from __future__ import annotations

from typing import NamedTuple

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, LayerSpec, Shape, between
from netdef.layers.constraints import positive
from netdef.layers.registry import register

Pair = tuple[int, int]
MAX, AVE, STOCHASTIC = 0, 1, 2
CEIL, FLOOR = 0, 1


class PoolWindow(NamedTuple):
    """(height, width) of a pooling window; ``kernel`` None: the whole image."""

    kernel: Pair | None
    stride: Pair
    pad: Pair


@register("Pooling")
class Pooling(Layer):
    r"""Takes one value from each window of each channel: the largest, the mean, or one drawn at random.

    Formula: MAX: y = the largest x of the window; dx = dy for the first such x in scan order, else 0.
    AVE: y = sum of x / s, where s is the window's size clipped to image + pad: padding counts, what hangs over it does
    not; dx = dy / s. STOCHASTIC: while training y = one x, drawn with probability x / sum of x;
    dx = dy for that x, else 0; in the TEST phase y = sum of x^2 / sum of x.

    Shapes: bottom (N, C, H, W), top (N, C, H', W') with H' = ceil((H + 2 * pad - kernel) / stride) + 1 (``round_mode:
    FLOOR`` rounds down); with padding, a last window that would start behind image + pad is left out. MAX may have a
    second top, (N, C, H', W'): where each maximum stands, as h * W + w. ``global_pooling`` takes the whole image,
    whatever its size.

    Numerical care: MAX never chooses a NaN; a window with nothing else gives -3.4e38. So does one wholly outside the
    image (possible where the stride is larger than the kernel); AVE gives 0 there. STOCHASTIC is meant for values that
    are not negative (behind a ReLU): negative ones are never drawn while others are positive. The mask top is exact up
    to planes of 2^24 values in float32.

    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998 (mean); Ranzato et al.,
    Unsupervised Learning of Invariant Feature Hierarchies, CVPR 2007 (max); Zeiler and Fergus, Stochastic Pooling for
    Regularization of Deep Convolutional Neural Networks, ICLR 2013.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 5 } } }
        layer { name: "pool1" type: "Pooling" bottom: "data" top: "pool1"
                pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
    """

    options_field = "pooling_param"
    tops = between(1, 2)
    backward_reads = frozenset()
    constraints = {name: positive()
                   for name in ("kernel_size", "kernel_h", "kernel_w", "stride", "stride_h", "stride_w")}

    def __init__(self, spec):
        super().__init__(spec)
        self.window = read_window(spec)
        self.pool = self.options.pool
        self.draws = self.pool == STOCHASTIC and spec.phase == "TRAIN"
        if spec.num_tops > 1 and self.pool != MAX:
            raise spec.error("only MAX has a second top (the places of the maxima)", "pool")
        if self.pool == STOCHASTIC and any(self.window.pad):
            raise spec.error("STOCHASTIC takes no padding", "pad" if spec.has("pad") else "pad_h")
        if self.pool == STOCHASTIC and not self.draws:
            self.backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        if len(shape) != 4:
            raise self.spec.shape_error(f"expected a bottom of 4 axes (N, C, H, W), got {shape}", 0)
        top = (*shape[:2], *self._pooled(shape))
        workspace = {"mask": Array(top, "int32")} if self.pool == MAX or self.draws else {}
        return Inferred(tops=[top] * self.spec.num_tops, workspace=workspace)

    def forward(self, ctx, bottoms, params, tops):
        x, y = bottoms[0].data, tops[0].data
        kernel, stride, pad = self._sizes(x.shape)
        if self.pool == MAX:
            K.max_pool_forward(x, kernel, stride, pad, y, ctx.workspace["mask"])
            if len(tops) > 1:
                tops[1].data[...] = ctx.workspace["mask"]
        elif self.pool == AVE:
            K.ave_pool_forward(x, kernel, stride, pad, y)
        elif self.draws:
            u = 1 - ctx.rng.uniform(y.shape)  # in (0, 1]: no value of 0 is drawn from a window that has others
            K.stochastic_pool_draw(x, u, kernel, stride, y, ctx.workspace["mask"])
        else:
            K.stochastic_pool_mean(x, kernel, stride, y)

    def backward(self, ctx, tops, params, bottoms, need):
        if not need.bottoms[0]:
            return
        dy, dx = tops[0].diff, bottoms[0].diff
        kernel, stride, pad = self._sizes(dx.shape)
        if self.pool == MAX or self.draws:
            K.max_pool_backward(dy, ctx.workspace["mask"], dx)
        elif self.pool == AVE:
            K.ave_pool_backward(dy, kernel, stride, pad, dx)
        else:
            K.stochastic_pool_mean_backward(bottoms[0].data, dy, kernel, stride, dx)

    def _sizes(self, shape: Shape) -> tuple[Pair, Pair, Pair]:
        """The window over an image of this shape."""
        return self.window.kernel or (shape[2], shape[3]), self.window.stride, self.window.pad

    def _pooled(self, shape: Shape) -> Pair:
        kernel, stride, pad = self._sizes(shape)
        if 0 in shape[1:]:
            raise self.spec.shape_error(f"expected an image with at least one value, got {shape}", 0)
        floor = self.options.round_mode == FLOOR
        sizes = [pooled_length(shape[2 + a], kernel[a], stride[a], pad[a], any(pad), floor) for a in (0, 1)]
        if min(sizes) < 1:
            raise self.spec.shape_error(f"the kernel {kernel[0]}x{kernel[1]} is larger than the image "
                                        f"{shape[2]}x{shape[3]} padded by {pad[0]}x{pad[1]}", 0)
        return sizes[0], sizes[1]


def pooled_length(size: int, kernel: int, stride: int, pad: int, padded: bool, floor: bool = False) -> int:
    """How many windows one axis has, rounded up unless ``floor``; one beyond image + pad is left out if ``padded``.

    ``padded``: whether *any* axis has padding, by Caffe's rule.
    """
    over = size + 2 * pad - kernel
    length = (over // stride if floor else -(-over // stride)) + 1
    if padded and (length - 1) * stride >= size + pad:
        length -= 1
    return length


def read_window(spec: LayerSpec) -> PoolWindow:
    """The window of a PoolingParameter. Raises FieldError where its spellings contradict each other."""
    pad, stride = _pair(spec, "pad", "pad"), _pair(spec, "stride", "stride")
    if spec.options.global_pooling:
        _check_global(spec, pad, stride)
        return PoolWindow(None, stride, pad)
    if not any(map(spec.has, ("kernel_size", "kernel_h", "kernel_w"))):
        raise spec.error("missing; expected kernel_size, or kernel_h and kernel_w, or global_pooling: true",
                         "kernel_size")
    kernel = _pair(spec, "kernel_size", "kernel")
    for side, p, k in zip("hw", pad, kernel, strict=True):
        if p >= k:
            option = "pad" if spec.has("pad") else f"pad_{side}"
            raise spec.error(f"expected less than the kernel ({k}), got {p}", option)
    return PoolWindow(kernel, stride, pad)


def _check_global(spec: LayerSpec, pad: Pair, stride: Pair) -> None:
    for option in ("kernel_size", "kernel_h", "kernel_w"):
        if spec.has(option):
            raise spec.error("expected none with global_pooling, whose window is the whole image", option)
    if pad != (0, 0) or stride != (1, 1):
        option = next(o for o in ("pad", "pad_h", "pad_w", "stride", "stride_h", "stride_w") if spec.has(o))
        raise spec.error("global_pooling takes pad 0 and stride 1 only", option)


def _pair(spec: LayerSpec, whole: str, stem: str) -> Pair:
    """(height, width) from ``whole`` or from ``stem``_h and ``stem``_w, which go together."""
    o, sides = spec.options, [f"{stem}_{side}" for side in "hw"]
    given = [side for side in sides if spec.has(side)]
    if given and spec.has(whole):
        raise spec.error(f"expected either {whole} or {stem}_h and {stem}_w, got {whole} and {given[0]}", given[0],
                         hint="remove one")
    if len(given) == 1:
        missing = sides[1 - sides.index(given[0])]
        raise spec.error(f"expected {stem}_h and {stem}_w together, got no {missing}", given[0],
                         hint=f"add {missing}, or write {whole} for both")
    if given:
        return getattr(o, sides[0]), getattr(o, sides[1])
    return getattr(o, whole), getattr(o, whole)
