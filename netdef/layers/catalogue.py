"""The catalogue: what is known of a layer type from its class and its options' comments, as text."""
from __future__ import annotations

import inspect
import textwrap

from netdef.config import schema
from netdef.layers import registry
from netdef.layers.base import Layer


def list_types() -> str:
    """One line a type: its name and the first sentence of its docstring."""
    types = registry.layer_types()
    width = max(len(name) for name in types)
    return "\n".join(f"{name:<{width}}  {first_sentence(cls)}" for name, cls in types.items())


def first_sentence(cls: type[Layer]) -> str:
    """The first paragraph of the class's docstring, on one line."""
    return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())


def page(name: str) -> str:
    """Everything about one type. Raises UnknownLayerType with a did-you-mean."""
    cls = registry.find(name)
    lines = [f"{cls.type}", "=" * len(cls.type), "", inspect.getdoc(cls) or "", "",
             f"Bottoms: {cls.bottoms}" + (", as many tops as bottoms" if cls.same_number else f"; tops: {cls.tops}")]
    if cls.options_field:
        lines += ["", f"Options ({cls.options_field}):", *_options(cls.options_field)]
    return "\n".join(lines)


def _options(field: str) -> list[str]:
    message = schema.layer_fields()[field]
    lines = []
    for info in schema.fields(message).values():
        kind = (info.type_name or info.kind) + (", several" if info.repeated else "")
        default = "" if info.repeated or info.type_name and info.default is None else f" = {_shown(info)}"
        lines.append(f"  {info.name}: {kind}{default}")
        lines += textwrap.wrap(" ".join(info.comment.split()), 96, initial_indent="      ",
                               subsequent_indent="      ")
    return lines


def _shown(info) -> str:
    if info.default is None:
        return "unset"
    return f"{info.default:g}" if isinstance(info.default, float) else str(info.default)
