"""Which values of its bottoms a layer reads for given values of its tops: masks taken down through one layer.

A mask is a bool array of a blob's shape, batch included. Windows are exact: dilated ones leave gaps, strided and clipped
ones what they do not reach, groups the channels of others.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from netdef.graph.model import LayerNode
from netdef.layers.base import Shape
from netdef.probe.alone import Alone

Mask = np.ndarray
POINTWISE = frozenset((
    "AbsVal", "BatchNorm", "Bias", "BN", "BNLL", "Clip", "Dropout", "ELU", "Eltwise", "Exp", "HardSigmoid", "HSwish", "Log",
    "Mish", "NoisyReLU", "Power", "PReLU", "ReLU", "ReLU6", "Scale", "ScaledTanH", "Sigmoid", "Split", "Swish",
    "SymmetricSigmoid", "TanH", "Threshold"))
MOVERS = frozenset(("Concat", "Crop", "Flatten", "Im2col", "Interp", "Pad", "Permute", "Reorg", "Reshape", "ShuffleChannel",
                    "Slice", "Tile", "Upsample"))
"""Linear layers without params and with no negative factor: where their transpose of a mask is above 0, it was read."""


def reads(node: LayerNode, tops: Sequence[Mask | None], shapes: Sequence[Shape]) -> tuple[list[Mask], bool]:
    """What the layer reads of its bottoms (of ``shapes``) for the marked values of its tops, and whether that is exact.

    A type that this file does not know counts as reading everything of its bottoms.
    """
    marked = [t for t in tops if t is not None]
    if not any(t.any() for t in marked):
        return [np.zeros(s, bool) for s in shapes], True
    kind = node.type
    if kind in POINTWISE and _by_batch(node):
        return [np.logical_or.reduce([m for m in marked if m.shape == s]) if any(m.shape == s for m in marked)
                else np.ones(s, bool) for s in shapes], True
    if kind in MOVERS and not (kind == "Upsample" and len(shapes) > 1):
        return [a > 0 for a in Alone(node).transpose(shapes, [None if t is None else t.astype(float) for t in tops])], True
    found = _BY_TYPE.get(kind)
    made = None if found is None else found(node, marked[0], shapes[0])
    if made is None:
        return [np.ones(s, bool) for s in shapes], False
    if len(shapes) == 1:
        return [made], True
    return [found(node, t, s) if t is not None else np.zeros(s, bool)  # type: ignore[misc]
            for t, s in zip(tops, shapes, strict=True)], True


def _by_batch(node: LayerNode) -> bool:
    """Whether a layer looks at each value alone; BatchNorm only with stored statistics."""
    return bool(getattr(node.layer, "stored", True))


# windows ---------------------------------------------------------------------------------------------------------

def window_matrix(size: int, out: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> Mask:
    """(out, size): which places each window reads on one axis; what lies outside is padding."""
    made = np.zeros((out, size), bool)
    places = np.arange(out)[:, None] * stride - pad + np.arange(kernel)[None] * dilation
    row, column = np.nonzero((places >= 0) & (places < size))
    made[row, places[row, column]] = True
    return made


def _spread(mask: Mask, matrices: Sequence[Mask]) -> Mask:
    """A mask (..., out axes) taken through one matrix (out, size) an axis: (..., sizes)."""
    for k, matrix in enumerate(matrices):
        axis = mask.ndim - len(matrices) + k
        mask = np.moveaxis(np.moveaxis(mask, axis, -1).astype(np.float32) @ matrix.astype(np.float32) > 0, -1, axis)
    return mask


def _convolution(node: LayerNode, top: Mask, shape: Shape, transposed: bool = False) -> Mask:
    axis, window = node.layer._axis_and_window(shape)  # type: ignore[union-attr]
    group = node.layer._group(shape[axis])  # type: ignore[union-attr]
    lead, outs = top.shape[:axis], top.shape[axis + 1:]
    seen = top.reshape(*lead, group, -1, *outs).any(axis=axis + 1)  # (..., group, outs)
    sizes = shape[axis + 1:]
    if transposed:  # its windows lie on the output
        matrices = [window_matrix(o, i, *w).T for i, o, w in zip(sizes, outs, zip(*window, strict=True), strict=True)]
    else:
        matrices = [window_matrix(i, o, *w) for i, o, w in zip(sizes, outs, zip(*window, strict=True), strict=True)]
    return np.repeat(_spread(seen, matrices), shape[axis] // group, axis=axis)


def _pooling(node: LayerNode, top: Mask, shape: Shape) -> Mask:
    kernel, stride, pad = node.layer._sizes(shape)  # type: ignore[union-attr]
    return _spread(top, [window_matrix(shape[2 + a], top.shape[2 + a], kernel[a], stride[a], pad[a]) for a in (0, 1)])


def _lrn(node: LayerNode, top: Mask, shape: Shape) -> Mask:
    size = node.spec.options.local_size
    if node.layer.within:  # type: ignore[union-attr]
        return _spread(top, [window_matrix(n, n, size, 1, size // 2) for n in shape[2:]])
    across = window_matrix(shape[1], shape[1], size, 1, size // 2)
    return np.moveaxis(_spread(np.moveaxis(top, 1, -1), [across]), -1, 1)


def _softmax(node: LayerNode, top: Mask, shape: Shape) -> Mask:
    return np.broadcast_to(top.any(axis=node.spec.options.axis, keepdims=True), shape).copy()


def _inner_product(node: LayerNode, top: Mask, shape: Shape) -> Mask:
    lead = top.shape[:-1]
    return np.broadcast_to(top.any(axis=-1).reshape(*lead, *(1,) * (len(shape) - len(lead))), shape).copy()


def _mean(node: LayerNode, top: Mask, shape: Shape) -> Mask:
    """Of an item, all of the channel (MVN) or of everything (across_channels, Normalize), or all channels of a place."""
    o = node.spec.options
    if node.type == "Normalize" and not o.across_spatial:
        axes: tuple[int, ...] = (1,)
    else:
        axes = tuple(range(2 if node.type == "MVN" and not o.across_channels else 1, len(shape)))
    return np.broadcast_to(top.any(axis=axes, keepdims=True), shape).copy()


_BY_TYPE: dict[str, Callable[[LayerNode, Mask, Shape], Mask]] = {
    "Convolution": _convolution, "DepthwiseConvolution": _convolution, "ConvolutionDepthwise": _convolution,
    "Deconvolution": lambda node, top, shape: _convolution(node, top, shape, transposed=True),
    "Pooling": _pooling, "LRN": _lrn, "Softmax": _softmax, "InnerProduct": _inner_product,
    "MVN": _mean, "Normalize": _mean,
}
