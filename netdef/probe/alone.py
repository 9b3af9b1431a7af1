"""One layer of a net by itself: forward and backward on arrays of any batch size, with blobs of its own."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netdef.blob import Blob
from netdef.graph.model import LayerNode
from netdef.layers.base import Array, Context, Inferred, Need, Shape
from netdef.rng import Stream


class Alone:
    """A layer with params that are given (those of a net, or none). Calls touch nothing of a net.

    >>> import netdef
    >>> net = netdef.Net("configs/lenet/net.prototxt")                                  # doctest: +SKIP
    >>> Alone(net.steps[1].node, net.steps[1].params).forward(net.blobs["data"].data)   # doctest: +SKIP
    """

    def __init__(self, node: LayerNode, params: list[Blob] | None = None, dtype: str | np.dtype = "float64") -> None:
        assert node.layer is not None
        self.layer = type(node.layer)(node.spec)
        self.node, self.params, self.dtype = node, params or [], np.dtype(dtype)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The first top for one bottom."""
        return self._run([x])[1][0].data

    def backward(self, shape: Shape, dy: np.ndarray) -> np.ndarray:
        """The gradient by a bottom of ``shape``, at zeros, for a gradient ``dy`` of the first top: for a linear layer, its
        transpose."""
        return self.transpose([shape], [dy])[0]

    def transpose(self, shapes: Sequence[Shape], dys: Sequence[np.ndarray | None]) -> list[np.ndarray]:
        """The gradients by bottoms of ``shapes``, at zeros, for gradients of all tops (None: 0); 0 by those that it does not
        differentiate."""
        bottoms, tops, ctx = self._run([np.zeros(shape, self.dtype) for shape in shapes])
        for top, dy in zip(tops, dys, strict=True):
            top.diff[...] = 0 if dy is None else np.asarray(dy).reshape(top.shape)
        need = Need(tuple(self.layer.differentiates(i) for i in range(len(shapes))), (False,) * len(self.params))
        self.layer.backward(ctx, tops, self.params, bottoms, need)
        return [b.diff for b in bottoms]

    def _run(self, xs: Sequence[np.ndarray]) -> tuple[list[Blob], list[Blob], Context]:
        bottoms = [Blob(f"x{i}", x.shape, self.dtype) for i, x in enumerate(xs)]
        for blob, x in zip(bottoms, xs, strict=True):
            blob.data[...] = x
        made: Inferred = self.layer.infer([x.shape for x in xs])
        tops = [Blob(f"y{i}", tuple(shape), self.dtype) for i, shape in enumerate(made.tops)]
        spec = self.node.spec
        ctx = Context(spec.phase, 0, self.dtype, Stream(0, self.node.name), self._arrays(made.workspace),
                      self._arrays(made.scratch))
        self.layer.forward(ctx, bottoms, self.params, tops)
        return bottoms, tops, ctx

    def _arrays(self, wanted: Mapping[str, Array]) -> dict[str, np.ndarray]:
        return {name: np.zeros(a.shape, self.dtype if a.dtype == "real" else a.dtype) for name, a in wanted.items()}
