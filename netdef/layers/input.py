"""Input: blobs whose values the user puts in."""
from __future__ import annotations

from collections.abc import Iterable

from netdef.layers.base import Inferred, Layer, LayerSpec, at_least, exactly
from netdef.layers.registry import register


@register("Input")
class Input(Layer):
    r"""Makes blobs for values that are put in by hand: ``net.forward(data=x)`` or ``net.blobs["data"].data[...] = x``.

    Formula: none; forward leaves the tops as they are.

    Shapes: no bottoms; each top has the shape written in ``input_param``: one ``shape`` for all tops, or one a top.
    ``net.forward(data=x)`` changes it to that of x. A size of 0 is allowed.

    Numerical care: none.

    Source: BVLC Caffe, input_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" top: "info"
                input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } shape { dim: 1 dim: 3 } } }
    """

    options_field = "input_param"
    bottoms = exactly(0)
    tops = at_least(1)
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        shapes = self.options.shape
        if len(shapes) not in (0, 1, spec.num_tops):
            expected = "1 shape" if spec.num_tops == 1 else f"1 shape or one a top ({spec.num_tops})"
            raise spec.error(f"expected {expected}, got {len(shapes)}", "shape")
        for i, shape in enumerate(shapes):
            check_dims(spec, shape.dim, i)

    def infer(self, bottom_shapes):
        shapes = [tuple(s.dim) for s in self.options.shape]
        if not shapes:
            raise self.spec.error("missing; a net is built for known sizes", "shape",
                                  hint="write one, such as input_param { shape { dim: 1 dim: 3 dim: 224 dim: 224 } }")
        return Inferred(tops=shapes * self.spec.num_tops if len(shapes) == 1 else shapes)

    def forward(self, ctx, bottoms, params, tops):
        """The values are there already."""


def check_dims(spec: LayerSpec, dims: Iterable[int], index: int) -> None:
    """Raise FieldError where a size of the shape number ``index`` is negative."""
    for k, n in enumerate(dims):
        if n < 0:
            error = spec.error(f"expected sizes of at least 0, got {n}", "shape")
            error.where = spec.span(str(spec.options_field), "shape", index, "dim", k)
            raise error
