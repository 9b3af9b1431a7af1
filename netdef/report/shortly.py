"""A layer's options in a few words: ``3x3/2 pad 1, 64``."""
from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from netdef.graph.model import LayerNode

_WINDOWED = ("convolution_param", "pooling_param")
_UNSAID = {"engine", "bias_term", "force_nd_im2col", "backend", "in_place", "moving_average_fraction", "eps", "rand_skip",
           "prefetch", "threads", "scale_train"}
_BARE = {"num_output", "dropout_ratio", "operation", "module", "source", "norm_region", "pool"}  # said without their names
_MOST = 3


def short_options(node: LayerNode) -> str:
    """What sets this layer apart from others of its type; empty where nothing does."""
    spec = node.spec
    if node.type == "Python":
        return f"{spec.message.python_param.module}.{spec.message.python_param.layer}"
    if spec.options is None:
        return ""
    if spec.options_field == "convolution_param":
        return _joined(_window(spec.options), _named(spec.options, "group", 1), str(spec.options.num_output or ""))
    if node.type == "Pooling":
        how = ("max", "ave", "stochastic")[spec.options.pool]
        return f"{how} {'global' if spec.options.global_pooling else _window(spec.options)}"
    return _joined(*_others(spec.options))


def _joined(*parts: str) -> str:
    return ", ".join(p for p in parts if p)


def _window(o: Any) -> str:
    """``3x3/2 pad 1 dilation 2`` of a convolution or a pooling; one side alone where both are equal only behind the x."""
    kernel, stride, pad = (_pair(o, *names) for names in (("kernel_size", "kernel"), ("stride", "stride"), ("pad", "pad")))
    text = "x".join(kernel if len(kernel) > 1 else kernel * 2)
    if any(s not in ("", "1") for s in stride):
        text += "/" + "x".join(stride)
    if any(p not in ("", "0") for p in pad):
        text += " pad " + "x".join(pad)
    dilation = [str(d) for d in getattr(o, "dilation", ())]
    return text + (f" dilation {'x'.join(dict.fromkeys(dilation))}" if any(d != "1" for d in dilation) else "")


def _pair(o: Any, whole: str, stem: str) -> list[str]:
    """The sizes that are written, one where all are equal; empty where none is."""
    sides = [f"{stem}_{side}" for side in "hw"]
    if any(o.HasField(s) for s in sides):
        sizes = [str(getattr(o, s)) for s in sides]
    else:
        value = getattr(o, whole)
        sizes = [str(v) for v in value] if hasattr(value, "append") else [str(value)]
    return sizes[:1] if len(set(sizes)) == 1 else sizes


def _named(o: Any, name: str, default: object) -> str:
    value = getattr(o, name)
    return "" if value == default else f"{name} {value}"


def _others(o: Any) -> list[str]:
    """The first few fields that are written and differ from their defaults; no messages, no paths beyond their last part."""
    found = []
    for field, value in o.ListFields():
        if field.name in _UNSAID or field.type == FieldDescriptor.TYPE_MESSAGE:
            continue
        several = hasattr(value, "append")
        if not several and field.has_default_value and value == field.default_value and field.name not in _BARE:
            continue
        values = [_word(field, v) for v in (value if several else [value])]
        text = ",".join(values[:4]) + ("…" if len(values) > 4 else "")
        found.append(text if field.name in _BARE else f"{field.name} {text}")
    return found[:_MOST]


def _word(field: Any, value: Any) -> str:
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name).lower()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).rstrip("/").rpartition("/")[2]
