"""Kinds of layers, so that a drawing can tell them apart at a glance: a word for each, and its colours."""
from __future__ import annotations

from typing import NamedTuple

from netdef.graph.model import LayerNode


class Colours(NamedTuple):
    """How a kind is drawn: ``fill`` and ``edge`` of its boxes on a light page, and both on a dark one."""

    fill: str
    edge: str
    dark_fill: str
    dark_edge: str


INK, DARK_INK = "#16191d", "#eef1f4"  # of what is written in boxes
PAPER, DARK_PAPER = "#ffffff", "#14171a"

KINDS = {
    "data": Colours("#dfe4ea", "#6b7785", "#37414d", "#8b98a7"),
    "convolution": Colours("#cfe2ff", "#3a6fc4", "#1d3f73", "#6c9df0"),
    "dense": Colours("#ddd6fb", "#6a55c2", "#41347f", "#9c8bee"),
    "pooling": Colours("#ffe0c2", "#b8661b", "#6b3a0c", "#e09a55"),
    "norm": Colours("#d3f0ee", "#238079", "#154f4b", "#58b7af"),
    "activation": Colours("#d9f2d0", "#4b8a30", "#2c541c", "#86c46b"),
    "shape": Colours("#fdf0bd", "#8f7511", "#574807", "#c9ae49"),
    "loss": Colours("#ffd6d9", "#c03a48", "#74202a", "#ee8089"),
    "measure": Colours("#fbdcf3", "#a8418c", "#672454", "#d985c2"),
    "other": Colours("#eceae6", "#79736a", "#46423c", "#a19a8f"),
}
"""Kind -> colours, in the order of the legend."""

_TYPES = {
    "convolution": "Convolution ConvolutionDepthwise DepthwiseConvolution Deconvolution Correlation Im2col",
    "dense": "InnerProduct Embed LSTM LSTMUnit RNN MatMul",
    "pooling": "Pooling SPP ROIPooling ROIAlign PSROIPooling",
    "norm": "BatchNorm BN GroupNorm LayerNorm Scale Bias LRN MVN Normalize",
    "activation": "AbsVal BNLL Softmax",
    "shape": "Axpy BatchReindex Concat Crop Eltwise Filter Flatten FlowWarp ImResize Interp Pad Permute Reduction Reorg "
             "Reshape ShuffleChannel Slice Split Tile Upsample",
    "measure": "Accuracy ArgMax BoxIoU ConfusionMatrix CoordinateError DetectionEvaluate DetectionOutput HDF5Output "
               "LabelsequenceAccuracy MultiLabelAccuracy Nms PriorBox Silence YoloDetectionOutput Yolov3DetectionOutput",
}
_KIND_OF = {name: kind for kind, names in _TYPES.items() for name in names.split()}


def kind_of(node: LayerNode) -> str:
    """A key of KINDS: by type, else by what the layer is (a loss, a source of data, something that may work in place)."""
    if node.type in _KIND_OF:
        return _KIND_OF[node.type]
    if (node.layer is not None and node.layer.is_loss) or node.type.endswith("Loss"):
        return "loss"
    if node.tops and not node.bottoms:
        return "data"
    return "activation" if node.layer is not None and type(node.layer).in_place != "no" and _known(node) else "other"


def _known(node: LayerNode) -> bool:
    from netdef.layers import registry

    return node.type in registry.layer_types() and node.type != "Python"
