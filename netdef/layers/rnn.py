"""RNN: the plain recurrent layer."""
from __future__ import annotations

from netdef import kernels as K
from netdef.layers.base import Array, Inferred
from netdef.layers.recurrent import Recurrent
from netdef.layers.registry import register


@register("RNN")
class RNN(Recurrent):
    r"""Reads sequences step by step: each hidden state is made from the input and the hidden state before.

    Formula: for each step t, h[t] = tanh(W_xh x[t] + b_h + W_hh (cont[t] h[t-1]) (+ W_xh_static s));  o[t] =
    tanh(W_ho h[t] + b_o). The output has a tanh too. Backward goes through all steps of the batch, and not into the
    batch before.

    Shapes: x (T, N, values...): T steps of N sequences side by side; cont (T, N): 0 at the first step of a sequence,
    which forgets what came before *that* step, and 1 within it. Then, where wanted, a static input s (N, values...)
    that every step sees; then, with ``expose_hidden``, h[-1] (1, N, num_output). Tops: o (T, N, num_output) and, with
    ``expose_hidden``, the last h (1, N, num_output), which is not the last output. Params: W_xh (D, values), b_h (D),
    W_xh_static (D, values) where there is a static input, W_hh (D, D), W_ho (D, D), b_o (D), with D = num_output. T and
    N may change from pass to pass (in Caffe T is fixed).

    The state is kept from batch to batch, and exposed, as in LSTM.

    Numerical care: where cont is 0 the state counts as 0 even if it was not finite. The products with x and those of
    the output are one matrix product each for all steps.

    Source: Elman, Finding Structure in Time, 1990; BVLC Caffe, rnn_layer.

    Example::

        layer { name: "data" type: "Input" top: "x" top: "cont"
                input_param { shape { dim: 5 dim: 2 dim: 3 } shape { dim: 5 dim: 2 } } }
        layer { name: "rnn" type: "RNN" bottom: "x" bottom: "cont" top: "o"
                recurrent_param { num_output: 4 weight_filler { type: "uniform" min: -0.1 max: 0.1 } } }
    """

    states = 1
    parts = 1
    names = ("W_xh", "b_h", "W_xh_static", "W_hh", "W_ho", "b_o")

    def infer(self, bottom_shapes):
        s = self.sizes(bottom_shapes)
        t, n, d = s.steps, s.streams, s.hidden
        params = [*self.input_params(s), self.weights("W_hh", (d, d)),
                  self.weights("W_ho", (d, d)), self.bias("b_o", d)]
        return Inferred(tops=self.top_shapes(s), params=params,
                        workspace={name: Array((t, n, d)) for name in ("h", "carried_h", "o")},
                        scratch={"dout": Array((t, n, d)), "dsums": Array((t, n, d)), "recurrent": Array((n, d)),
                                 "dh": Array((n, d))},
                        macs=d * (t * n * (s.inputs + 2 * d) + n * s.static))

    def forward(self, ctx, bottoms, params, tops):
        s = self.sizes([b.shape for b in bottoms])
        cont, product = bottoms[1].data, ctx.scratch["recurrent"]
        states, carried, o = (ctx.workspace[k] for k in ("h", "carried_h", "o"))
        w_hh, w_ho, b_o = (p.data for p in self.recurrent(params))
        self.sum_inputs(bottoms, params, states)
        (h,) = self.first_state(bottoms, s, ctx.dtype)
        for t in range(s.steps):
            K.carry(h, cont[t], carried[t])
            K.gemm(carried[t], w_hh, product, trans_b=True)
            h = states[t]
            K.add(h, product, h)
            K.tanh_forward(h, h)
        self.keep_state(tops, (h,))
        K.gemm(states.reshape(-1, s.hidden), w_ho, o.reshape(-1, s.hidden), trans_b=True)
        K.bias_add(o.reshape(-1, s.hidden, 1), b_o)
        K.tanh_forward(o, o)
        tops[0].data[...] = o  # a layer in place behind may change the top, but not what backward reads

    def backward(self, ctx, tops, params, bottoms, need):
        cont, dout, dsums, dh = bottoms[1].data, ctx.scratch["dout"], ctx.scratch["dsums"], ctx.scratch["dh"]
        states, carried = ctx.workspace["h"], ctx.workspace["carried_h"]
        w_hh, w_ho, b_o = self.recurrent(params)
        d = states.shape[2]
        K.tanh_backward(ctx.workspace["o"], tops[0].diff, dout)
        K.gemm(dout.reshape(-1, d), w_ho.data, dsums.reshape(-1, d))
        self.last_diffs(tops, (dh,))
        for t in reversed(range(len(states))):
            K.add(dsums[t], dh, dsums[t])
            K.tanh_backward(states[t], dsums[t], dsums[t])
            K.gemm(dsums[t], w_hh.data, dh)
            K.carry(dh, cont[t], dh)
        self.first_diffs(bottoms, need, (dh,))
        first = 2 + self.static
        if need.params[first]:
            K.gemm(dsums.reshape(-1, d), carried.reshape(-1, d), w_hh.diff, trans_a=True, accumulate=True)
        if need.params[first + 1]:
            K.gemm(dout.reshape(-1, d), states.reshape(-1, d), w_ho.diff, trans_a=True, accumulate=True)
        if need.params[first + 2]:
            K.bias_grad(dout.reshape(-1, d, 1), b_o.diff)
        self.inputs_backward(dsums, bottoms, params, need)
