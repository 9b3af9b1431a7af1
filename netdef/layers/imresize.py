"""ImResize: cubic interpolation, and the mean over scales."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer
from netdef.layers.constraints import Constraint, not_negative, positive
from netdef.layers.registry import register


@register("ImResize")
class ImResize(Layer):
    r"""Makes maps larger or smaller by cubic interpolation, and takes the mean of a batch that holds one picture at several
    scales.

    Formula: row i of the top lies at (i + 1/2) h / out - 1/2 in an item's picture of h rows, between its rows k and k + 1;
    with d the distance from k, rows k - 1 to k + 2 have the weights (2 d^2 - d^3 - d) / 2, (3 d^3 - 5 d^2 + 2) / 2, (d + 4 d^2
    - 3 d^3) / 2 and (d^3 - d^2) / 2; rows beyond the picture are its last ones. Columns likewise. The picture of item n stands
    in the middle of its frame, with floor(H / 2) (1 - start_scale + n scale_gap) rows, rounded down, on each side. y = the
    mean over the items.

    Shapes: bottom (N, C, H, W); top (1, C, height, width), by ``factor`` or the target sizes. There is no gradient.

    Numerical care: before the first row's middle the curve is continued, so values may leave the range of the bottom there and
    beside edges.

    Source: Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981; rtpose's Caffe (caffe_rtpose), whose files
    give its options number 148.

    Example::

        layer { name: "data" type: "Input" top: "maps" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }
        layer { name: "resize" type: "ImResize" bottom: "maps" top: "resize" imresize_param { factor: 2 } }
    """

    options_field = "imresize_param"
    differentiable = False
    backward_reads = frozenset()
    constraints = {"target_spatial_width": positive(), "target_spatial_height": positive(), "factor": not_negative(),
                   "start_scale": Constraint(low=0, low_open=True)}

    def infer(self, bottom_shapes):
        shape, o = tuple(bottom_shapes[0]), self.options
        if len(shape) != 4:
            raise self.spec.shape_error(f"expected a bottom of 4 axes (N, C, H, W), got {shape}", 0)
        out = (o.target_spatial_height, o.target_spatial_width)
        if o.factor:
            out = tuple(int(np.float32(n) * np.float32(o.factor)) for n in shape[2:])
        for item in range(shape[0]):
            if any(size - 2 * self._border(size, item) < 1 or self._border(size, item) < 0 for size in shape[2:]):
                raise self.spec.shape_error(f"the picture of item {item} does not lie in its frame of {shape[2]}x{shape[3]}: "
                                            f"its scale is {o.start_scale - item * o.scale_gap:g}", 0, "scale_gap")
        return Inferred(tops=[(1, shape[1], *out)])

    def _border(self, size: int, item: int) -> int:
        """Rows or columns on each side of an item's picture, in the precision in which rtpose counts them."""
        real, o = np.float32, self.options
        return int(np.floor(real(size // 2) * (real(1) - real(o.start_scale) + real(item) * real(o.scale_gap))))

    def forward(self, ctx, bottoms, params, tops):
        x, y = bottoms[0].data, tops[0].data
        y[...] = 0
        for n in range(len(x)):
            rows, columns = (weights(size, self._border(size, n), out).astype(x.dtype)
                             for size, out in zip(x.shape[2:], y.shape[2:], strict=True))
            y[0] += rows @ x[n] @ columns.T
        y /= max(1, len(x))


def weights(size: int, border: int, out: int) -> np.ndarray:
    """The weights of each cell of an axis for each of ``out`` places (out, size); the picture leaves out the border."""
    inner = size - 2 * border
    at = (np.arange(out) + 0.5) * inner / max(1, out) - 0.5
    one = np.maximum((at + 1e-5).astype(np.int64), 0)
    d = at - one
    two = np.minimum(one + 1, inner - 1)
    cells = np.maximum(one - 1, 0), one, two, np.minimum(two + 1, inner - 1)
    parts = ((2 * d**2 - d**3 - d) / 2, (3 * d**3 - 5 * d**2 + 2) / 2, (d + 4 * d**2 - 3 * d**3) / 2, (d**3 - d**2) / 2)
    found = np.zeros((out, size))
    for cell, part in zip(cells, parts, strict=True):
        np.add.at(found, (np.arange(out), cell + border), part)
    return found
