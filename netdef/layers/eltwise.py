"""Eltwise: sum, product or maximum of blobs, element by element."""
from __future__ import annotations

import numpy as np

from netdef import kernels as K
from netdef.errors import warn
from netdef.layers.base import Array, Inferred, Layer, at_least
from netdef.layers.registry import register

PROD, SUM, MAX = 0, 1, 2


@register("Eltwise")
class Eltwise(Layer):
    r"""Adds, multiplies or takes the largest of its bottoms, element by element.

    Formula: SUM (default): y = sum of c_i x_i, with one ``coeff`` c_i a bottom (default 1);  dx_i = c_i dy.
    PROD: y = product of x_i;  dx_i = dy times the product of the others; ``stable_prod_grad: false``: dy y / x_i.
    MAX: y = largest x_i;  dx_i = dy where bottom i was chosen, else 0.

    Shapes: two or more bottoms of the same shape, top the same. Nothing is broadcast.

    Numerical care: MAX breaks ties as Caffe does: bottom 1 beats bottom 0, and a later bottom must be larger to win.
    A NaN in bottom 1 stays; one elsewhere loses to any number. The stable gradient of PROD holds where a factor is 0,
    the other one gives NaN there.

    Source: BVLC Caffe, eltwise_layer.

    Example::

        layer { name: "in" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "difference" type: "Eltwise" bottom: "a" bottom: "b" top: "difference"
                eltwise_param { operation: SUM coeff: 1 coeff: -1 } }
    """

    options_field = "eltwise_param"
    bottoms = at_least(2)

    def __init__(self, spec):
        super().__init__(spec)
        self.operation = self.options.operation
        self.coeff = list(self.options.coeff) or [1.0] * spec.num_bottoms
        self.stable = self.options.stable_prod_grad
        reads = {"bottoms"} if self.stable else {"bottoms", "tops"}
        self.backward_reads = frozenset(reads if self.operation == PROD else ())
        self.takes = () if self.operation == PROD else ("relu",)
        self.activates = "both" if self.operation == SUM else ""
        self.plain = len(self.coeff) == 2 and all(c == 1 for c in self.coeff)
        self._check_coeff()

    def _check_coeff(self):
        given = len(self.options.coeff)
        if given and self.operation == PROD:
            raise self.spec.error("a product takes no coefficients", "coeff", hint="they belong to operation: SUM")
        if given and self.operation == MAX:
            warn(f"{self.spec.who}: coeff: a maximum takes no coefficients, they are ignored",
                 self.spec.option_span("coeff"))
        elif given not in (0, self.spec.num_bottoms):
            raise self.spec.error(f"expected one a bottom ({self.spec.num_bottoms}), got {given}", "coeff")

    def infer(self, bottom_shapes):
        first, names = tuple(bottom_shapes[0]), self.spec.message.bottom
        for i, shape in enumerate(bottom_shapes):
            if tuple(shape) != first:
                raise self.spec.shape_error(f"expected bottoms of one shape, got '{names[0]}' of shape {first} and "
                                            f"'{names[i]}' of shape {tuple(shape)}", i)
        return Inferred(tops=[first], workspace={"winner": Array(first, "int32")} if self.operation == MAX else {})

    def forward(self, ctx, bottoms, params, tops):
        values, y = [b.data for b in bottoms], tops[0].data
        if self.operation == SUM:
            self._sum(values, y, ctx.negative_slope)
        elif self.operation == PROD:
            _product(values, y)
        else:
            _largest(values, y, ctx.workspace["winner"])

    def _sum(self, values, y, slope):
        if self.plain and slope is not None:
            K.add_relu_forward(*values, slope, y)
            return
        if all(c == 1 for c in self.coeff[:2]):
            K.add(values[0], values[1], y)
            done = 2
        else:
            K.scale(self.coeff[0], values[0], y)
            done = 1
        for c, x in zip(self.coeff[done:], values[done:], strict=True):
            K.axpy(c, x, y)
        if slope is not None:
            K.relu_forward(y, slope, y)

    def backward(self, ctx, tops, params, bottoms, need):
        dy, slope = tops[0].diff, ctx.negative_slope
        if slope is not None and self.plain and all(need.bottoms):
            K.add_relu_backward(tops[0].data, dy, slope, bottoms[0].diff, bottoms[1].diff)
            return
        if slope is not None and self.activates:
            K.relu_backward(tops[0].data, dy, slope, dy)
        for i, bottom in enumerate(bottoms):
            if not need.bottoms[i]:
                continue
            dx = bottom.diff
            if self.operation == SUM:
                K.scale(self.coeff[i], dy, dx)
            elif self.operation == MAX:
                K.larger_backward(dy, ctx.workspace["winner"], i, dx)
            elif self.stable:
                _product([b.data for k, b in enumerate(bottoms) if k != i], dx)
                K.multiply(dx, dy, dx)
            else:
                with np.errstate(divide="ignore", invalid="ignore"):
                    np.divide(tops[0].data, bottom.data, out=dx)
                K.multiply(dx, dy, dx)


def _product(values: list[np.ndarray], out: np.ndarray) -> None:
    """out = values[0] * values[1] * ..., from left to right."""
    if len(values) == 1:
        np.copyto(out, values[0])
        return
    K.multiply(values[0], values[1], out)
    for x in values[2:]:
        K.multiply(out, x, out)


def _largest(values: list[np.ndarray], out: np.ndarray, winner: np.ndarray) -> None:
    """out = elementwise maximum; winner = the number of the array it came from, by Caffe's rule for ties."""
    K.larger(values[0], values[1], out, winner)
    for i, x in enumerate(values[2:], start=2):
        K.larger_yet(x, i, out, winner)
