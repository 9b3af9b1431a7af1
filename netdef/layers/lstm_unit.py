"""LSTMUnit: one step of LSTM, given the sums that reach its gates."""
from __future__ import annotations

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, exactly
from netdef.layers.registry import register


@register("LSTMUnit")
class LSTMUnit(Layer):
    r"""The element-wise part of one step of LSTM: from the old memory cell and the sums at its gates to the new cell.

    Formula: i, f, o = logistic function of the first, second and third quarter of a;  g = tanh of the fourth;
    c' = f (cont c) + i g;  h = o tanh(c').

    Shapes: c (1, N, D), a (1, N, 4 D), cont (1, N). Tops: c' and h, each (1, N, D). No params. cont, which is 0 where a
    sequence begins and 1 elsewhere, gets no gradient.

    Numerical care: where cont is 0 the old cell counts as 0 even if it was not finite. For a cont that is neither 0 nor
    1 the gradient is that of the formula (Caffe's is that of cont = 1).

    Source: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; BVLC Caffe, lstm_unit_layer.

    Example::

        layer { name: "data" type: "Input" top: "c" top: "sums" top: "cont" input_param {
                shape { dim: 1 dim: 2 dim: 3 } shape { dim: 1 dim: 2 dim: 12 } shape { dim: 1 dim: 2 } } }
        layer { name: "unit" type: "LSTMUnit" bottom: "c" bottom: "sums" bottom: "cont" top: "c1" top: "h1" }
    """

    bottoms = exactly(3)
    tops = exactly(2)
    differentiable = (True, True, False)
    backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        c, sums, cont = (tuple(s) for s in bottom_shapes)
        if len(c) != 3 or c[0] != 1:
            raise self.spec.shape_error(f"expected a memory cell (1, sequences, values), got {c}", 0)
        if sums != (1, c[1], 4 * c[2]):
            raise self.spec.shape_error(f"expected sums at four gates, {(1, c[1], 4 * c[2])}, got {sums}", 1)
        if cont != c[:2]:
            raise self.spec.shape_error(f"expected one number for each sequence, {c[:2]}, got {cont}", 2)
        state = Array(c[1:])
        return Inferred(tops=[c, c], workspace={"gates": Array(sums[1:]), "carried": state, "tanh_c": state},
                        scratch={"dgates": Array(sums[1:]), "dcarried": state})

    def forward(self, ctx, bottoms, params, tops):
        gates, carried = ctx.workspace["gates"], ctx.workspace["carried"]
        gates[...] = bottoms[1].data[0]
        K.carry(bottoms[0].data[0], bottoms[2].data[0], carried)
        K.lstm_unit_forward(gates, carried, tops[0].data[0], ctx.workspace["tanh_c"], tops[1].data[0])

    def backward(self, ctx, tops, params, bottoms, need):
        w, dgates, dcarried = ctx.workspace, ctx.scratch["dgates"], ctx.scratch["dcarried"]
        K.lstm_unit_backward(w["gates"], w["carried"], w["tanh_c"], tops[1].diff[0], tops[0].diff[0], dgates, dcarried)
        if need.bottoms[0]:
            K.carry(dcarried, bottoms[2].data[0], bottoms[0].diff[0])
        if need.bottoms[1]:
            bottoms[1].diff[0] = dgates
