"""Whether two messages mean the same, field by field: a field that is not given counts as its default."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from netdef.config import schema
from netdef.config.located import Located
from netdef.config.spelling import value_text
from netdef.errors import Span
from netdef.layers import registry

_NO_MEANING = frozenset(("engine", "blobs", "debug_info"))  # which code computes, trained params, what is printed
_LONGEST = 60  # characters of a value


@dataclass(frozen=True)
class FieldDifference:
    """One field of two messages with its value and place in each; ``nothing`` stands for a value that is not there."""

    path: str
    a: str
    b: str
    at_a: Span
    at_b: Span

    def __str__(self) -> str:
        return f"{self.path}: {self.a} -> {self.b}  [{self.at_a} -> {self.at_b}]"


def differences_of(a: Located, b: Located, skip: frozenset[str] = frozenset()) -> list[FieldDifference]:
    """The fields in which two messages of one type differ, without those of the outermost message in ``skip``."""
    return [FieldDifference(".".join(_step(s) for s in path).replace(".[", "["), said_a, said_b, a.span_of(*path),
                            b.span_of(*path))
            for path, said_a, said_b in _walk(canonical(a.message), canonical(b.message), (), skip)]


def _step(step: str | int) -> str:
    return step if isinstance(step, str) else f"[{step}]"


def _walk(a: Message, b: Message, path: tuple[str | int, ...], skip: frozenset[str]
          ) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    for field in a.DESCRIPTOR.fields:
        name = field.name
        if name in skip or name in _NO_MEANING:
            continue
        here = (*path, name)
        va, vb = getattr(a, name), getattr(b, name)
        if hasattr(va, "extend"):
            yield from _lists(field, va, vb, here)
        elif field.message_type is not None:
            if a.HasField(name) or b.HasField(name):
                yield from _walk(canonical(va), canonical(vb), here, frozenset())
        elif va != vb and not (va != va and vb != vb):  # NaN is NaN
            yield here, _said(field, va), _said(field, vb)


def _lists(field: Any, a: Any, b: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    if field.message_type is None:
        if list(a) != list(b):
            yield path, _listed(field, a), _listed(field, b)
        return
    fills = field.message_type.name == "ParamSpec"  # a param without one has the default's rates
    if len(a) != len(b) and not fills:
        yield path, f"{len(a)} given", f"{len(b)} given"
    default = schema.new("ParamSpec")
    for i in range(max(len(a), len(b)) if fills else min(len(a), len(b))):
        yield from _walk(a[i] if i < len(a) else default, b[i] if i < len(b) else default, (*path, i), frozenset())


def _said(field: Any, value: Any) -> str:
    text = value_text(field, value)
    return text if len(text) <= _LONGEST else text[:_LONGEST - 3] + "..."


def _listed(field: Any, values: Any) -> str:
    said = [_said(field, v) for v in values]
    if len(said) == 2 and said[0] == said[1] and field.name in ("kernel_size", "stride", "pad", "dilation"):
        said = said[:1]
    text = ", ".join(said) or "nothing"
    return text if len(text) <= _LONGEST else text[:_LONGEST - 3] + "..."


# -- one spelling for what can be written in several ways -----------------------------------------------------


def canonical(message: Any) -> Any:
    """The message, or a copy in which what has several spellings has one: windows by height and width, loss weights."""
    name = message.DESCRIPTOR.name
    if name == "ConvolutionParameter":
        return _windows(message, {"kernel_size": ("kernel_h", "kernel_w", None), "pad": ("pad_h", "pad_w", 0),
                                  "stride": ("stride_h", "stride_w", 1), "dilation": (None, None, 1)})
    if name == "PoolingParameter":
        return _pooling(message)
    if name == "LayerParameter" and not message.loss_weight:
        cls = registry.layer_types().get(message.type)
        if cls is not None and cls.is_loss:
            message = _copy(message)
            message.loss_weight.append(1)
    return message


def _copy(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _windows(message: Any, fields: dict[str, tuple[str | None, str | None, int | None]]) -> Any:
    """Each size as a list of height and width; lists of another length stay."""
    made = _copy(message)
    for name, (high, wide, default) in fields.items():
        values = list(getattr(message, name))
        if high and wide and (message.HasField(high) or message.HasField(wide)):
            values = [getattr(message, high), getattr(message, wide)]
            made.ClearField(high)
            made.ClearField(wide)
        elif len(values) == 1:
            values *= 2
        elif not values and default is not None:
            values = [default, default]
        made.ClearField(name)
        getattr(made, name).extend(values)
    return made


def _pooling(message: Any) -> Any:
    """Each size as height and width."""
    made = _copy(message)
    for name, high, wide in (("kernel_size", "kernel_h", "kernel_w"), ("pad", "pad_h", "pad_w"),
                             ("stride", "stride_h", "stride_w")):
        if not (message.HasField(high) or message.HasField(wide)):
            setattr(made, high, getattr(message, name))
            setattr(made, wide, getattr(message, name))
        made.ClearField(name)
    return made
