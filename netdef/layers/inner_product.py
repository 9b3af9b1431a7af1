"""InnerProduct: a fully connected layer."""
from __future__ import annotations

import math

from netdef import kernels as K
from netdef.layers.base import Inferred, Layer, ParamInit, check_axis
from netdef.layers.constraints import positive
from netdef.layers.registry import register


@register("InnerProduct")
class InnerProduct(Layer):
    r"""Multiplies each item by a weight matrix and adds a bias: a fully connected layer.

    The axes from ``axis`` on are flattened into one vector of K values; the axes before it count as items.

    Formula: y = x W^T + b (W is (num_output, K)), or y = x W + b with ``transpose`` (W is (K, num_output));
    dx = dy W;  dW += dy^T x;  db += sum of dy over the items.

    Shapes: bottom (items..., rest...), top (items..., num_output): the axes from ``axis`` on are replaced by one.
    Params: weights (num_output, K) or, with ``transpose``, (K, num_output); bias (num_output) unless
    ``bias_term: false``. K is fixed once the net is made.

    Numerical care: without a weight_filler the weights are zeros, and the layer passes no gradient down until
    they have changed; give one (xavier, msra, gaussian).

    Source: Rosenblatt, The Perceptron, Psychological Review 1958.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 2 dim: 2 } } }
        layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1"
                inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
    """

    options_field = "inner_product_param"
    backward_reads = frozenset({"bottoms"})
    takes = ("relu",)
    constraints = {"num_output": positive(required=True)}

    def __init__(self, spec):
        super().__init__(spec)
        self.param_names = ("weights", "bias") if self.options.bias_term else ("weights",)

    def infer(self, bottom_shapes):
        shape, o = tuple(bottom_shapes[0]), self.options
        axis = check_axis(self.spec, o.axis, len(shape))
        k, n = math.prod(shape[axis:]), o.num_output
        if k == 0:
            raise self.spec.shape_error(f"expected at least one value an item, got none: axes {axis} and up of "
                                        f"{shape} are flattened", 0)
        params = [ParamInit("weights", (k, n) if o.transpose else (n, k), o.weight_filler, "weight_filler")]
        if o.bias_term:
            params.append(ParamInit("bias", (n,), o.bias_filler, "bias_filler"))
        return Inferred(tops=[(*shape[:axis], n)], params=params, macs=math.prod(shape[:axis]) * n * k)

    def forward(self, ctx, bottoms, params, tops):
        x, w, y = self._matrices(bottoms[0].data, params[0].data, tops[0].data)
        K.gemm(x, w, y, trans_b=not self.options.transpose)
        if self.options.bias_term:
            K.bias_add(y[:, :, None], params[1].data)

    def backward(self, ctx, tops, params, bottoms, need):
        transposed = self.options.transpose
        x, w, dy = self._matrices(bottoms[0].data, params[0].data, tops[0].diff)
        if need.params[0]:
            a, b = (x, dy) if transposed else (dy, x)
            K.gemm(a, b, params[0].diff, trans_a=True, accumulate=True)
        if self.options.bias_term and need.params[1]:
            K.bias_grad(dy[:, :, None], params[1].diff)
        if need.bottoms[0]:
            K.gemm(dy, w, bottoms[0].diff.reshape(x.shape), trans_b=transposed)

    def _matrices(self, x, w, y):
        """(items, K), the weights as they are, (items, num_output)."""
        n, k = w.shape[::-1] if self.options.transpose else w.shape
        return x.reshape(-1, k), w, y.reshape(-1, n)
