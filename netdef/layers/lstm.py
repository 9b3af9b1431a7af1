"""LSTM: a recurrent layer with gates."""
from __future__ import annotations

from netdef import kernels as K
from netdef.layers.base import Array, Inferred
from netdef.layers.recurrent import Recurrent
from netdef.layers.registry import register


@register("LSTM")
class LSTM(Recurrent):
    r"""Reads sequences step by step with a memory cell, whose gates decide what is written, kept and shown.

    Formula: for each step t, with k = cont[t], a = W_xc x[t] + b_c + W_hc (k h[t-1]) (+ W_xc_static s);  i, f, o =
    logistic function of the first, second and third quarter of a;  g = tanh of the fourth;  c[t] = f (k c[t-1]) + i g;
    h[t] = o tanh(c[t]). Backward goes through all steps of the batch, and not into the batch before.

    Shapes: x (T, N, values...): T steps of N sequences side by side; cont (T, N): 0 at the first step of a sequence,
    which forgets what came before *that* step, and 1 within it. Then, where wanted, a static input s (N, values...)
    that every step sees; then, with ``expose_hidden``, h[-1] and c[-1], each (1, N, num_output). Tops: h (T, N,
    num_output) and, with ``expose_hidden``, the last h and c, each (1, N, num_output). Params: W_xc (4 D, values), b_c
    (4 D), W_xc_static (4 D, values) where there is a static input, W_hc (4 D, D), with D = num_output and the rows in
    the order i, f, o, g. T and N may change from pass to pass (in Caffe T is fixed).

    Without ``expose_hidden`` the state after the last step goes on into the next batch, unless N has changed: then it
    begins at 0, as in the first batch. It is saved with snapshots. With it, gradients flow from the exposed tops and
    into the exposed bottoms; Caffe drops both, its values are the same.

    Numerical care: where cont is 0 the state counts as 0 even if it was not finite. All bias values come from
    bias_filler: the forget gate has none of its own. The products with x are one matrix product for all steps.

    Source: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; Donahue et al., Long-term Recurrent Convolutional
    Networks for Visual Recognition and Description, CVPR 2015; BVLC Caffe, lstm_layer.

    Example::

        layer { name: "data" type: "Input" top: "x" top: "cont"
                input_param { shape { dim: 5 dim: 2 dim: 3 } shape { dim: 5 dim: 2 } } }
        layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
                recurrent_param { num_output: 4 weight_filler { type: "uniform" min: -0.1 max: 0.1 } } }
    """

    states = 2
    parts = 4
    names = ("W_xc", "b_c", "W_xc_static", "W_hc")

    def infer(self, bottom_shapes):
        s = self.sizes(bottom_shapes)
        t, n, d = s.steps, s.streams, s.hidden
        params = [*self.input_params(s), self.weights("W_hc", (4 * d, d))]
        states = {name: Array((t, n, d)) for name in ("carried_h", "carried_c", "tanh_c")}
        return Inferred(tops=self.top_shapes(s), params=params,
                        workspace={"gates": Array((t, n, 4 * d)), **states},
                        scratch={"dgates": Array((t, n, 4 * d)), "c": Array((n, d)), "recurrent": Array((n, 4 * d)),
                                 "dh": Array((n, d)), "dc": Array((n, d))},
                        macs=4 * d * (t * n * (s.inputs + d) + n * s.static))

    def forward(self, ctx, bottoms, params, tops):
        s = self.sizes([b.shape for b in bottoms])
        cont, out = bottoms[1].data, tops[0].data
        gates, carried_h, carried_c, tanh_c = (ctx.workspace[k] for k in ("gates", "carried_h", "carried_c", "tanh_c"))
        product, w = ctx.scratch["recurrent"], self.recurrent(params)[0].data
        self.sum_inputs(bottoms, params, gates)
        h, c = self.first_state(bottoms, s, ctx.dtype)
        for t in range(s.steps):
            K.carry(h, cont[t], carried_h[t])
            K.carry(c, cont[t], carried_c[t])
            K.gemm(carried_h[t], w, product, trans_b=True)
            K.add(gates[t], product, gates[t])
            h, c = out[t], ctx.scratch["c"]
            K.lstm_unit_forward(gates[t], carried_c[t], c, tanh_c[t], h)
        self.keep_state(tops, (h, c))

    def backward(self, ctx, tops, params, bottoms, need):
        cont, dout = bottoms[1].data, tops[0].diff
        gates, carried_c, tanh_c = (ctx.workspace[k] for k in ("gates", "carried_c", "tanh_c"))
        dgates, dh, dc = (ctx.scratch[k] for k in ("dgates", "dh", "dc"))
        w = self.recurrent(params)[0]
        self.last_diffs(tops, (dh, dc))
        for t in reversed(range(len(dout))):
            K.add(dh, dout[t], dh)
            K.lstm_unit_backward(gates[t], carried_c[t], tanh_c[t], dh, dc, dgates[t], dc)
            K.gemm(dgates[t], w.data, dh)
            K.carry(dh, cont[t], dh)
            K.carry(dc, cont[t], dc)
        self.first_diffs(bottoms, need, (dh, dc))
        if need.params[-1]:
            flat, h = dgates.reshape(-1, dgates.shape[2]), ctx.workspace["carried_h"]
            K.gemm(flat, h.reshape(-1, h.shape[2]), w.diff, trans_a=True, accumulate=True)
        self.inputs_backward(dgates, bottoms, params, need)
