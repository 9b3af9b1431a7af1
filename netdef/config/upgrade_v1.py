"""V1 to the current syntax: ``layers { type: CONVOLUTION blobs_lr: 1 }`` becomes ``layer { type: "Convolution" ... }``.

The rules are those of Caffe's src/caffe/util/upgrade_proto.cpp. Transformations inside data layers move to
transform_param here and nowhere else: in the current syntax Caffe ignores them.
"""
from __future__ import annotations

from netdef.config import schema
from netdef.config.located import Located
from netdef.config.upgrade_report import Report, given, moved, who
from netdef.errors import Span

TYPES = {
    "NONE": "", "ABSVAL": "AbsVal", "ACCURACY": "Accuracy", "ARGMAX": "ArgMax", "BNLL": "BNLL", "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss", "CONVOLUTION": "Convolution", "DATA": "Data",
    "DECONVOLUTION": "Deconvolution", "DROPOUT": "Dropout", "DUMMY_DATA": "DummyData",
    "EUCLIDEAN_LOSS": "EuclideanLoss", "ELTWISE": "Eltwise", "EXP": "Exp", "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data", "HDF5_OUTPUT": "HDF5Output", "HINGE_LOSS": "HingeLoss", "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData", "INFOGAIN_LOSS": "InfogainLoss", "INNER_PRODUCT": "InnerProduct", "LRN": "LRN",
    "MEMORY_DATA": "MemoryData", "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss", "MVN": "MVN",
    "POOLING": "Pooling", "POWER": "Power", "RELU": "ReLU", "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss", "SILENCE": "Silence", "SLICE": "Slice",
    "SOFTMAX": "Softmax", "SOFTMAX_LOSS": "SoftmaxWithLoss", "SPLIT": "Split", "TANH": "TanH",
    "THRESHOLD": "Threshold", "WINDOW_DATA": "WindowData",
}
"""Each value of V1's enum and the current type."""

TRANSFORMS = ("scale", "mean_file", "crop_size", "mirror")
_DATA = {"DATA": "data_param", "IMAGE_DATA": "image_data_param", "WINDOW_DATA": "window_data_param"}
_PARAMS = {"param": "name", "blob_share_mode": "share_mode", "blobs_lr": "lr_mult", "weight_decay": "decay_mult"}


def upgrade_v1(net: Located, report: Report) -> None:
    """Turn all ``layers`` of a net into ``layer``, in place."""
    old = [layer.copy() for layer in net.children("layers")]
    net.clear("layers")
    for layer in old:
        net.append("layer", _layer(layer, report))


def type_name(layer: Located) -> str:
    """The name of a V1 layer's type in its enum; empty where it has none."""
    if not layer.message.HasField("type"):
        return ""
    names = {number: name for name, number in schema.enum_values("V1LayerParameter.LayerType").items()}
    return names[layer.message.type]


def _layer(old: Located, report: Report) -> Located:
    old_type = type_name(old)
    _move_transforms(old, old_type, report)
    new = Located.bare(schema.new("LayerParameter"))
    new.spans.span, new.spans.broken = old.span, old.broken
    subject = who(old, old_type)
    if old_type:
        new.set("type", TYPES[old_type], old.span_of("type"))
        report.note(f"{subject}: is read as layer {{ type: \"{TYPES[old_type]}\" }}", old.span)
    for field in given(old.message):
        if field in _PARAMS:
            _move_params(old, field, new)
            report.note(f"{subject}: '{field}' is read as param {{ {_PARAMS[field]} }}", old.span_of(field, 0))
        elif field not in ("type", "layer"):
            moved(old, field, new)
    return new


def _move_transforms(layer: Located, old_type: str, report: Report) -> None:
    """The transformations of a data layer's own options, as before mid-2014, go to transform_param."""
    home = _DATA.get(old_type)
    if home is None or not layer.message.HasField(home):
        return
    options = layer.child(home)
    for field in TRANSFORMS:
        if options.message.HasField(field):
            report.note(f"{who(layer, old_type)}: '{home}.{field}' is read as transform_param {{ {field} }}",
                        options.span_of(field))
            moved(options, field, layer.child("transform_param"))
            options.clear(field)


def _move_params(old: Located, field: str, new: Located) -> None:
    """One of V1's four lists about params: element i goes to ``param`` number i."""
    for i, value in enumerate(getattr(old.message, field)):
        span = old.span_of(field, i)
        if len(new.message.param) <= i:
            new.append("param", _param(span))
        if value != "":
            new.child("param", i).set(_PARAMS[field], value, span)


def _param(span: Span) -> Located:
    spec = Located.bare(schema.new("ParamSpec"))
    spec.spans.span = span
    return spec
