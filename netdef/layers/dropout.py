"""Dropout: random zeros while training."""
from __future__ import annotations

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer
from netdef.layers.constraints import Constraint
from netdef.layers.registry import register


@register("Dropout")
class Dropout(Layer):
    r"""Drops each value with probability ``dropout_ratio`` while training; changes nothing in the TEST phase.

    Formula, TRAIN: y = m * x / (1 - ratio), m = 0 with probability ratio, else 1;  dx = m * dy / (1 - ratio).
    TEST: y = x and dx = dy. With ``scale_train: false`` nothing is divided in training, and testing multiplies by 1 - ratio;
    with ``sample_weights_test`` testing drops as training does.

    Shapes: bottom any shape, top the same. In place is allowed and usual: backward reads the mask only.

    Numerical care: the mask is a function of seed, layer name and pass number alone, so a resumed run draws what an
    unbroken one would have drawn. A dropped value is 0 even if it was NaN or infinite.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Dropout: A Simple Way to Prevent Neural
    Networks from Overfitting, JMLR 2014. The two switches are those of py-faster-rcnn and of Bayesian SegNet (Kendall,
    Badrinarayanan and Cipolla, 2015).

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 8 } } }
        layer { name: "drop1" type: "Dropout" bottom: "data" top: "drop1" dropout_param { dropout_ratio: 0.4 } }
    """

    options_field = "dropout_param"
    in_place = "yes"
    backward_reads = frozenset()
    keeps_sign = True
    constraints = {"dropout_ratio": Constraint(low=0, high=1, low_open=True, high_open=True)}

    def __init__(self, spec):
        super().__init__(spec)
        self.ratio = self.options.dropout_ratio
        self.draws = spec.phase == "TRAIN" or self.options.sample_weights_test
        self.factor = 1.0 if self.options.scale_train else 1 - self.ratio  # on what the kernel gives, or on x in TEST
        self.identity = not self.draws and self.factor == 1
        self.formula_case = "TRAIN" if self.draws else "TEST"

    def infer(self, bottom_shapes):
        shape = bottom_shapes[0]
        return Inferred(tops=[shape], workspace={"mask": Array(shape, "uint8")} if self.draws else {})

    def forward(self, ctx, bottoms, params, tops):
        x, y = bottoms[0].data, tops[0].data
        if self.draws:
            K.dropout_forward(x, ctx.rng.key, self.ratio, ctx.workspace["mask"], y)
        elif x is not y:
            y[...] = x
        if self.factor != 1:
            y *= y.dtype.type(self.factor)

    def backward(self, ctx, tops, params, bottoms, need):
        if not need.bottoms[0]:
            return
        dy, dx = tops[0].diff, bottoms[0].diff
        if self.draws:
            K.dropout_backward(dy, ctx.workspace["mask"], self.ratio, dx)
        elif dy is not dx:
            dx[...] = dy
        if self.factor != 1:
            dx *= dx.dtype.type(self.factor)
