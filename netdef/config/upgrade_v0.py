"""V0 to V1: layers of 2013, ``layers { layer { type: "conv" kernelsize: 5 } }``, become layers of 2014.

The rules are those of Caffe's src/caffe/util/upgrade_proto.cpp: padding layers are folded into the convolution or
pooling behind them first, then every option moves from the one list of V0 into the message of its type. What has no
home there is dropped, in Caffe with a line in the log, here with a warning.
"""
from __future__ import annotations

from netdef.config import schema
from netdef.config.located import Located
from netdef.config.upgrade_report import Report, given, moved, who
from netdef.errors import Collector, FieldError, did_you_mean

TYPES = {
    "accuracy": "ACCURACY", "bnll": "BNLL", "concat": "CONCAT", "conv": "CONVOLUTION", "data": "DATA",
    "dropout": "DROPOUT", "euclidean_loss": "EUCLIDEAN_LOSS", "flatten": "FLATTEN", "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT", "im2col": "IM2COL", "images": "IMAGE_DATA", "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT", "lrn": "LRN", "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING", "relu": "RELU", "sigmoid": "SIGMOID", "softmax": "SOFTMAX", "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT", "tanh": "TANH", "window_data": "WINDOW_DATA",
}
"""Each type of V0 and its name in V1's enum."""

PADDING = "padding"
_OPTIONS = {
    "conv": "convolution_param", "pool": "pooling_param", "innerproduct": "inner_product_param",
    "dropout": "dropout_param", "lrn": "lrn_param", "data": "data_param", "hdf5_data": "hdf5_data_param",
    "images": "image_data_param", "window_data": "window_data_param", "infogain_loss": "infogain_loss_param",
    "concat": "concat_param",
}
_LEARNS = ("conv", "innerproduct")
_READS = ("data", "hdf5_data", "images", "window_data")
_FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {  # V0's name -> the name in the options, and the types that have it
    "num_output": ("num_output", _LEARNS), "biasterm": ("bias_term", _LEARNS),
    "weight_filler": ("weight_filler", _LEARNS), "bias_filler": ("bias_filler", _LEARNS),
    "pad": ("pad", ("conv", "pool")), "kernelsize": ("kernel_size", ("conv", "pool")),
    "stride": ("stride", ("conv", "pool")), "group": ("group", ("conv",)), "pool": ("pool", ("pool",)),
    "dropout_ratio": ("dropout_ratio", ("dropout",)), "local_size": ("local_size", ("lrn",)),
    "alpha": ("alpha", ("lrn",)), "beta": ("beta", ("lrn",)), "k": ("k", ("lrn",)),
    "source": ("source", (*_READS, "infogain_loss")), "batchsize": ("batch_size", _READS),
    "rand_skip": ("rand_skip", ("data", "images")), "shuffle_images": ("shuffle", ("images",)),
    "new_height": ("new_height", ("images",)), "new_width": ("new_width", ("images",)),
    "concat_dim": ("concat_dim", ("concat",)), "det_fg_threshold": ("fg_threshold", ("window_data",)),
    "det_bg_threshold": ("bg_threshold", ("window_data",)), "det_fg_fraction": ("fg_fraction", ("window_data",)),
    "det_context_pad": ("context_pad", ("window_data",)), "det_crop_mode": ("crop_mode", ("window_data",)),
}
_TRANSFORMS = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror",  # of any type
               "subtraction": "mean_value"}
_OF_THE_LAYER = ("name", "blobs", "blobs_lr", "weight_decay")  # the same fields in V1


def upgrade_v0(net: Located, report: Report, errors: Collector) -> None:
    """Turn the ``layers`` of a net that have a ``layer`` inside into V1 layers, in place; nothing else is touched."""
    if not any(layer.message.HasField("layer") for layer in net.children("layers")):
        return
    connections = _without_padding(net, report, errors)
    net.clear("layers")
    for old in connections:
        with errors:
            net.append("layers", _layer(old, report) if old.message.HasField("layer") else old)


def _type(layer: Located) -> str:
    return str(layer.message.layer.type)


def _without_padding(net: Located, report: Report, errors: Collector) -> list[Located]:
    """Copies of the net's layers, the pad of each padding layer given to the one layer that reads it."""
    kept: list[Located] = []
    makers: dict[str, Located] = {}  # blob -> who made it last
    for layer in [child.copy() for child in net.children("layers")]:
        sources = [makers.get(blob) for blob in layer.message.bottom]
        for i, source in enumerate(sources):
            if source is not None and _type(source) == PADDING:
                with errors:
                    _fold(source, layer, i, report)
        if _type(layer) != PADDING:
            kept.append(layer)
        makers.update(dict.fromkeys(layer.message.top, layer))
    return kept


def _fold(padding: Located, layer: Located, bottom: int, report: Report) -> None:
    """Give ``layer`` the pad and the bottom of the padding layer before it."""
    inner, name = layer.child("layer"), padding.message.layer.name
    subject = who(inner, _type(layer))
    if _type(layer) not in ("conv", "pool") or len(layer.message.bottom) != 1:
        raise FieldError(f"{subject}: reads the padding layer '{name}'; expected a conv or pool with one bottom",
                         where=layer.span_of("bottom", bottom), hint="Caffe refuses this net too")
    if len(padding.message.bottom) != 1 or len(padding.message.top) != 1:
        raise FieldError(f"layer '{name}' ({PADDING}): expected 1 bottom and 1 top, got "
                         f"{len(padding.message.bottom)} and {len(padding.message.top)}", where=padding.span)
    pad, place = padding.message.layer.pad, padding.span_of("layer", "pad")
    inner.set("pad", pad, place.noted(f"upgraded from the padding layer '{name}'"))
    layer.set("bottom", padding.message.bottom[0], padding.span_of("bottom", 0), index=0)
    report.note(f"padding layer '{name}' is folded into {subject} as pad: {pad}", place)


def _layer(old: Located, report: Report) -> Located:
    """The V1 layer of a V0 connection."""
    inner, name = old.child("layer"), _type(old)
    new = Located.bare(schema.new("V1LayerParameter"))
    new.spans.span, new.spans.broken = old.span, old.broken or inner.broken
    for field in ("bottom", "top"):
        moved(old, field, new)
    if inner.message.HasField("type"):
        if name not in TYPES:
            hint = did_you_mean(name, TYPES) or f"the types of 2013 are {', '.join(TYPES)}"
            raise FieldError(f"{who(inner, name)}: no such type of layer in the V0 syntax",
                             where=inner.span_of("type"), hint=hint)
        new.set("type", schema.enum_values("V1LayerParameter.LayerType")[TYPES[name]], inner.span_of("type"))
    for field in given(inner.message):
        if field != "type":
            _option(inner, name, field, new, report)
    return new


def _option(inner: Located, name: str, field: str, new: Located, report: Report) -> None:
    """Move one V0 field to where V1 has it."""
    option, types = _FIELDS.get(field, ("", ()))
    subject, span = who(inner, name), inner.span_of(field)
    if field in _OF_THE_LAYER or (field == "hdf5_output_param" and name == "hdf5_output"):
        moved(inner, field, new)
        return
    if field in _TRANSFORMS:
        home, option = "transform_param", _TRANSFORMS[field]
    elif name in types:
        home = _OPTIONS[name]
    else:
        report.stress(f"{subject}: '{field}' means nothing for this type and is dropped", span)
        return
    moved(inner, field, new.child(home), option)
    report.note(f"{subject}: '{field}' is read as {home} {{ {option} }}", span)
