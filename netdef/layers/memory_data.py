"""MemoryData: batches from arrays that a program holds."""
from __future__ import annotations

import numpy as np

from netdef.errors import DataError, warn
from netdef.layers.base import Inferred, Layer, LayerSpec, exactly
from netdef.layers.constraints import positive
from netdef.layers.registry import register


@register("MemoryData")
class MemoryData(Layer):
    r"""Reads batches, one after another and round again, from two arrays given to it by ``reset``.

    Formula: pass k gives the items k * batch_size and on.

    Shapes: no bottoms; tops (batch_size, channels, height, width) and labels (batch_size). The arrays are
    (n, channels, height, width) and n labels, n a multiple of ``batch_size``.

    Numerical care: none. ``transform_param`` does not touch such arrays, as in Caffe; there is a warning.

    Source: BVLC Caffe, memory_data_layer.

    Example::

        layer { name: "data" type: "MemoryData" top: "data" top: "label"
                memory_data_param { batch_size: 2 channels: 1 height: 4 width: 4 } }
    """

    options_field = "memory_data_param"
    bottoms = exactly(0)
    tops = exactly(2)
    backward_reads = frozenset()
    constraints = {name: positive(required=True) for name in ("batch_size", "channels", "height", "width")}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        o = self.options
        self.shape = (o.batch_size, o.channels, o.height, o.width)
        self.data: np.ndarray | None = None
        self.labels: np.ndarray | None = None
        self.position = 0

    def reset(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Read from these arrays from now on, beginning with item 0; they are kept, not copied.

        ``data`` (n, channels, height, width), ``labels`` n values of any shape. Raises DataError where they do not fit.
        """
        data, labels = np.asarray(data), np.asarray(labels)
        batch, *item = self.shape
        if data.ndim != 4 or data.shape[1:] != tuple(item):
            raise self._bad(f"expected data of shape (n, {', '.join(map(str, item))}), got {data.shape}")
        if not len(data) or len(data) % batch:
            raise self._bad(f"expected a multiple of batch_size ({batch}) items, got {len(data)}")
        if labels.size != len(data):
            raise self._bad(f"expected one label for each of the {len(data)} items, got shape {labels.shape}")
        if self.spec.message.HasField("transform_param"):
            warn(f"{self.spec.who}: transform_param does not change arrays in memory",
                 self.spec.span("transform_param"))
        self.data, self.labels, self.position = data, labels.reshape(-1), 0

    def infer(self, bottom_shapes):
        return Inferred(tops=[self.shape, self.shape[:1]])

    def forward(self, ctx, bottoms, params, tops):
        if self.data is None or self.labels is None:
            raise self._bad("has no data yet", hint="call net.set_input_arrays(data, labels) first")
        start = self.position % len(self.data)
        items = slice(start, start + self.shape[0])
        tops[0].data[...] = self.data[items]
        tops[1].data[...] = self.labels[items]
        self.position = items.stop % len(self.data)

    def record_at(self, item):
        return None if self.data is None else (self.position - self.shape[0] + item) % len(self.data)

    def state(self):
        return {"position": self.position}

    def set_state(self, state):
        self.position = int(state["position"])

    def _bad(self, text: str, hint: str = "") -> DataError:
        return DataError(f"{self.spec.who}: {text}", where=self.spec.span(), hint=hint)
