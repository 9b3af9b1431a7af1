"""Embed: learned vectors for whole numbers."""
from __future__ import annotations

import math

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, ParamInit
from netdef.layers.batch_reindex import read_indices
from netdef.layers.constraints import positive
from netdef.layers.registry import register


@register("Embed")
class Embed(Layer):
    r"""Replaces each whole number by a learned vector: an InnerProduct of one-hot vectors that are never written out.

    Formula: y[...] = W[x[...]] + b;  dW[i] += sum of dy over all places with x = i;  db += sum of dy. No gradient for x.

    Shapes: bottom any shape, top (bottom..., num_output). Params: weights (input_dim, num_output); bias (num_output)
    unless ``bias_term: false``.

    Numerical care: the bottom holds whole numbers from 0 to input_dim - 1; any other is an error (Caffe reads
    whatever lies there in memory). Without a weight_filler the weights are zeros.

    Source: BVLC Caffe, embed_layer; Bengio, Ducharme, Vincent and Jauvin, A Neural Probabilistic Language Model,
    JMLR 2003.

    Example::

        layer { name: "words" type: "Input" top: "words" input_param { shape { dim: 2 dim: 5 } } }
        layer { name: "vectors" type: "Embed" bottom: "words" top: "vectors"
                embed_param { input_dim: 100 num_output: 8 bias_term: false weight_filler { type: "uniform" } } }
    """

    options_field = "embed_param"
    differentiable = False
    backward_reads = frozenset()
    constraints = {"num_output": positive(required=True), "input_dim": positive(required=True)}

    def __init__(self, spec):
        super().__init__(spec)
        self.param_names = ("weights", "bias") if self.options.bias_term else ("weights",)

    def infer(self, bottom_shapes):
        shape, o = tuple(bottom_shapes[0]), self.options
        params = [ParamInit("weights", (o.input_dim, o.num_output), o.weight_filler, "weight_filler")]
        if o.bias_term:
            params.append(ParamInit("bias", (o.num_output,), o.bias_filler, "bias_filler"))
        return Inferred(tops=[(*shape, o.num_output)], params=params,
                        workspace={"index": Array((math.prod(shape),), "int64")})

    def forward(self, ctx, bottoms, params, tops):
        index, y = ctx.workspace["index"], self._rows(tops[0].data)
        read_indices(self.spec, bottoms[0].data, self.options.input_dim, 0, index.reshape(bottoms[0].shape))
        K.take_rows(params[0].data, index, y)
        if self.options.bias_term:
            K.bias_add(y[:, :, None], params[1].data)

    def backward(self, ctx, tops, params, bottoms, need):
        dy = self._rows(tops[0].diff)
        if need.params[0]:
            K.add_rows(dy, ctx.workspace["index"], params[0].diff)
        if self.options.bias_term and need.params[1]:
            K.bias_grad(dy[:, :, None], params[1].diff)

    def _rows(self, a):
        """(places, num_output), a view."""
        return a.reshape(math.prod(a.shape[:-1]), a.shape[-1])
