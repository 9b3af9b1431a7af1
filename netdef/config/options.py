"""Which field of LayerParameter holds the options of a layer type: ``InnerProduct`` -> ``inner_product_param``.

Most follow from the name. Layers cannot be asked (config may not import them); types that borrow another's message
stand in the table below, and a user's own layer can be declared.
"""
from __future__ import annotations

from netdef.config import schema

# Types without options of their own name whose options stand in another type's message.
_BORROWED = {
    "Deconvolution": "convolution_param", "Im2col": "convolution_param", "DepthwiseConvolution": "convolution_param",
    "ConvolutionDepthwise": "convolution_param",
    "RNN": "recurrent_param", "LSTM": "recurrent_param",
    "SoftmaxWithLoss": "softmax_param", "SoftmaxWithLossOHEM": "softmax_param", "CTCLoss": "ctc_loss_param",
    "WarpCTCLoss": "ctc_loss_param",
    "Normalize": "norm_param", "AnnotatedData": "annotated_data_param", "MultiBoxLoss": "multibox_loss_param",
    "Yolov3DetectionOutput": "yolov3_detection_output_param", "BoxAnnotatorOHEM": "box_annotator_ohem_param",
}
# Type names that do not follow from their field word by word.
_SPELT = {
    "relu": "ReLU", "prelu": "PReLU", "elu": "ELU", "relu6": "ReLU6", "tanh": "TanH", "argmax": "ArgMax", "lrn": "LRN",
    "mvn": "MVN", "spp": "SPP", "hdf5_data": "HDF5Data", "hdf5_output": "HDF5Output", "roi_pooling": "ROIPooling",
    "psroi_pooling": "PSROIPooling", "lstm_unit": "LSTMUnit", "bn": "BN", "smooth_l1_loss": "SmoothL1Loss",
    "box_iou": "BoxIoU", "scaled_tanh": "ScaledTanH", "matmul": "MatMul", "roi_align": "ROIAlign",
    "imresize": "ImResize", "box_annotator_ohem": "BoxAnnotatorOHEM", "voc_data": "VOCData",
}
# Types that read no bottom, so that none is filled in for them by YAML's short form.
SOURCES = frozenset((
    "Data", "AnnotatedData", "VOCData", "ImageData", "DenseImageData", "VideoData", "HDF5Data", "MemoryData", "WindowData",
    "DummyData", "Input", "Parameter", "ContinuationIndicator",
))
# Types that make no top.
SINKS = frozenset(("Silence", "HDF5Output"))

_declared: dict[str, str] = {}


def declare_options(type_name: str, field: str) -> None:
    """Make a type's options field known here, where the name does not tell it (for layers of users)."""
    _declared[type_name] = field


def options_field(type_name: str) -> str | None:
    """The field of LayerParameter with this type's options; None for types without options, or unknown ones."""
    known = schema.layer_fields()
    special = _declared.get(type_name) or _BORROWED.get(type_name)
    if special is not None:
        return special if special in known else None
    return _by_name(known).get(_folded(type_name)) if type_name else None


def type_names() -> list[str]:
    """The types whose options are known, as Caffe spells them; for "did you mean"."""
    own = [f.removesuffix("_param") for f in _by_name(schema.layer_fields()).values()]
    spelt = [_SPELT.get(f) or "".join(p.capitalize() for p in f.split("_")) for f in own if f != "recurrent"]
    return [*(t for t in (*_BORROWED, *_declared) if options_field(t) is not None), *spelt]


def _by_name(known: dict[str, str]) -> dict[str, str]:
    """Fields by the folded name of their type: ``innerproduct`` -> ``inner_product_param``."""
    return {_folded(f.removesuffix("_param")): f for f in known if f.endswith("_param")}


def _folded(name: str) -> str:
    return name.replace("_", "").lower()
