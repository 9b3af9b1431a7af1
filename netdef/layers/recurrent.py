"""What RNN and LSTM share: bottoms, tops, the products with the input, and the state kept from batch to batch."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from netdef import kernels as K
from netdef.blob import Blob
from netdef.errors import GraphError
from netdef.layers.base import Layer, LayerSpec, Need, ParamInit, Shape, between
from netdef.layers.constraints import positive

Array = np.ndarray


class Sizes(NamedTuple):
    """Steps T, sequences side by side N, values of x at one step, values of the static input, hidden state D."""

    steps: int
    streams: int
    inputs: int
    static: int
    hidden: int


class Recurrent(Layer):
    """Base of the recurrent layers, no type of its own.

    ``states`` is how many arrays the hidden state has, ``parts`` how many times D the sums have that x goes into,
    ``names`` the params' names: weights of x, bias, weights of the static input, then those of the recurrent part.
    """

    options_field = "recurrent_param"
    bottoms = between(2, 5)
    tops = between(1, 3)
    differentiable = (True, False, True)
    backward_reads = frozenset({"bottoms"})
    constraints = {"num_output": positive(required=True)}
    states: ClassVar[int]
    parts: ClassVar[int]
    names: ClassVar[tuple[str, ...]]

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.exposed = self.states if self.options.expose_hidden else 0
        least = 2 + self.exposed
        self._check_number("bottom", spec.num_bottoms, (least, least + 1))
        self._check_number("top", spec.num_tops, (1 + self.exposed,))
        self.static = spec.num_bottoms > least
        self.param_names = self.names if self.static else (*self.names[:2], *self.names[3:])
        self.hidden: list[Array] = []  # where the last batch ended; empty at the very start

    def _check_number(self, what: str, n: int, allowed: tuple[int, ...]) -> None:
        if n not in allowed:
            how = "true" if self.exposed else "false"
            raise GraphError(f"{self.spec.who}: expected {' or '.join(map(str, allowed))} {what}s where expose_hidden "
                             f"is {how}, got {n}", where=self.spec.span())

    # shapes and params ----------------------------------------------------------------------------------------

    def sizes(self, shapes: Sequence[Shape]) -> Sizes:
        """Read the bottoms' shapes. Raises ShapeError where they do not fit."""
        spec, x, cont, d = self.spec, tuple(shapes[0]), tuple(shapes[1]), self.options.num_output
        if len(x) < 3:
            raise spec.shape_error(f"expected (steps, sequences, values...), got {x}", 0)
        if cont != x[:2]:
            raise spec.shape_error(f"expected one number for each step and sequence, {x[:2]}, got {cont}", 1)
        static = tuple(shapes[2]) if self.static else ()
        if self.static and (len(static) < 2 or static[0] != x[1]):
            raise spec.shape_error(f"expected a static input ({x[1]}, values...), got {static}", 2)
        for i in range(len(shapes) - self.exposed, len(shapes)):
            if tuple(shapes[i]) != (1, x[1], d):
                raise spec.shape_error(f"expected a hidden state of shape {(1, x[1], d)}, got {tuple(shapes[i])}", i)
        inputs, static_inputs = math.prod(x[2:]), math.prod(static[1:]) if self.static else 0
        if inputs == 0:
            raise spec.shape_error(f"expected at least one value at each step, got none in {x}", 0)
        return Sizes(x[0], x[1], inputs, static_inputs, d)

    def top_shapes(self, s: Sizes) -> list[Shape]:
        """The outputs of all steps, then the last hidden state where it is exposed."""
        return [(s.steps, s.streams, s.hidden), *[(1, s.streams, s.hidden)] * self.exposed]

    def input_params(self, s: Sizes) -> list[ParamInit]:
        """Weights and bias of x, and weights of the static input where there is one."""
        rows = self.parts * s.hidden
        params = [self.weights(self.names[0], (rows, s.inputs)), self.bias(self.names[1], rows)]
        return [*params, self.weights(self.names[2], (rows, s.static))] if self.static else params

    def weights(self, name: str, shape: Shape) -> ParamInit:
        """A param that begins as weight_filler says."""
        return ParamInit(name, shape, self.options.weight_filler, "weight_filler")

    def bias(self, name: str, size: int) -> ParamInit:
        """A param that begins as bias_filler says."""
        return ParamInit(name, (size,), self.options.bias_filler, "bias_filler")

    def recurrent(self, params: Sequence[Blob]) -> Sequence[Blob]:
        """The params behind those of the inputs."""
        return params[2 + self.static:]

    # the parts of a pass that see all steps at once ------------------------------------------------------------

    def sum_inputs(self, bottoms: Sequence[Blob], params: Sequence[Blob], sums: Array) -> None:
        """sums (T, N, parts * D) = x W^T + b, one product for all steps, plus the static input's part at each."""
        rows = sums.shape[2]
        K.gemm(bottoms[0].data.reshape(-1, params[0].shape[1]), params[0].data, sums.reshape(-1, rows), trans_b=True)
        np.add(sums, params[1].data, out=sums)
        if self.static:
            static = bottoms[2].data.reshape(sums.shape[1], -1)
            np.add(sums, static @ params[2].data.T, out=sums)

    def inputs_backward(self, dsums: Array, bottoms: Sequence[Blob], params: Sequence[Blob], need: Need) -> None:
        """From the gradient by ``sums`` to x, the static input and their params."""
        rows = dsums.shape[2]
        flat, x = dsums.reshape(-1, rows), bottoms[0].data.reshape(-1, params[0].shape[1])
        if need.params[0]:
            K.gemm(flat, x, params[0].diff, trans_a=True, accumulate=True)
        if need.params[1]:
            K.bias_grad(flat[:, :, None], params[1].diff)
        if need.bottoms[0]:
            K.gemm(flat, params[0].data, bottoms[0].diff.reshape(x.shape))
        if self.static and (need.params[2] or need.bottoms[2]):
            over_steps = dsums.sum(axis=0)
            static = bottoms[2].data.reshape(over_steps.shape[0], -1)
            if need.params[2]:
                K.gemm(over_steps, static, params[2].diff, trans_a=True, accumulate=True)
            if need.bottoms[2]:
                K.gemm(over_steps, params[2].data, bottoms[2].diff.reshape(static.shape))

    # the hidden state ------------------------------------------------------------------------------------------

    def first_state(self, bottoms: Sequence[Blob], s: Sizes, dtype: np.dtype) -> list[Array]:
        """The state (N, D) before the first step: the exposed bottoms', the last batch's, or zeros.

        What another number of sequences left behind belongs to none of those that come now, and is dropped.
        """
        if self.exposed:
            return [b.data[0] for b in bottoms[len(bottoms) - self.exposed:]]
        shape = (s.streams, s.hidden)
        if not self.hidden or self.hidden[0].shape != shape:
            self.hidden = [np.zeros(shape, dtype) for _ in range(self.states)]
        return self.hidden

    def keep_state(self, tops: Sequence[Blob], last: Sequence[Array]) -> None:
        """Put the state after the last step into the exposed tops, or keep it for the next batch."""
        if self.exposed:
            for top, array in zip(tops[1:], last, strict=True):
                top.data[0] = array
        else:
            self.hidden = [np.array(a) for a in last]

    def last_diffs(self, tops: Sequence[Blob], out: Sequence[Array]) -> None:
        """The gradient by the state after the last step: that of the exposed tops, else 0 (none crosses batches)."""
        for i, array in enumerate(out):
            array[...] = tops[1 + i].diff[0] if self.exposed else 0

    def first_diffs(self, bottoms: Sequence[Blob], need: Need, diffs: Sequence[Array]) -> None:
        """Hand the gradient by the state before the first step to the exposed bottoms."""
        if self.exposed:
            first = len(bottoms) - self.exposed
            for i, array in enumerate(diffs, first):
                if need.bottoms[i]:
                    bottoms[i].diff[0] = array

    def state(self):
        return {} if self.exposed else {"hidden": list(self.hidden)}

    def set_state(self, state):
        self.hidden = [np.array(a) for a in state.get("hidden", [])]
