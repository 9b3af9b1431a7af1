"""LayerParameter is put together from the layers' own files; this is the one place that does it.

``tools/gen_schema.py`` attaches the fields that stand in ``proto/layers``, ``schema.register_options`` those that a
user adds at run time. Works on FileDescriptorProtos and knows no pool.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

PACKAGE = "netdef"
NET_FILE = "netdef.proto"
OWN_NUMBERS = 50000
"""Fields of forks and of ours have numbers from here up; BVLC Caffe's own end at LAST_BVLC."""
LAST_BVLC = 148
SCALARS = {
    name: getattr(FieldDescriptorProto, f"TYPE_{name.upper()}")
    for name in ("double", "float", "int64", "uint64", "int32", "uint32", "bool", "string", "bytes")
}
_NAME = r"[a-z][a-z0-9_]*"
_MESSAGE, _FIELD = 4, 2  # steps of a path in SourceCodeInfo: FileDescriptorProto.message_type, DescriptorProto.field
_HIGHEST, _RESERVED = (1 << 29) - 1, range(19000, 20000)  # protobuf's own limits


def attach(net: FileDescriptorProto, field: str, number: int, message: str, file: FileDescriptorProto,
           comment: str = "") -> None:
    """Add ``field = number`` of type ``message`` (which stands in ``file``) to LayerParameter in ``net``, in place.

    Raises ValueError where the name is no snake_case word, the name or the number is taken, or the number lies in a
    range kept for others.
    """
    layer_index, layer = next((i, m) for i, m in enumerate(net.message_type) if m.name == "LayerParameter")
    who = f"{file.name}: layer field '{field}: {number} {message}'"
    _check_number(who, number)
    if not re.fullmatch(_NAME, field):
        raise ValueError(f"{who}: expected a snake_case name, got '{field}'")
    for other in layer.field:
        same = "name" if other.name == field else "number" if other.number == number else ""
        if same:
            kind = f" {other.type_name.rpartition('.')[2]}" if other.type_name else ""
            raise ValueError(f"{who}: the {same} is taken by '{other.name}: {other.number}{kind}' of LayerParameter")
    if message not in (m.name for m in file.message_type):
        raise ValueError(f"{who}: the file holds no message {message}")
    layer.field.add(name=field, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL,
                    type=FieldDescriptorProto.TYPE_MESSAGE, type_name=f".{PACKAGE}.{message}")
    set_comment(net, (_MESSAGE, layer_index, _FIELD, len(layer.field) - 1), comment)
    if file.name not in net.dependency:
        net.dependency.append(file.name)


def _check_number(who: str, number: int) -> None:
    if not 1 <= number <= _HIGHEST or number in _RESERVED:
        raise ValueError(f"{who}: protobuf allows the numbers 1 to {_HIGHEST} without 19000 to 19999")
    if LAST_BVLC < number < OWN_NUMBERS:
        raise ValueError(f"{who}: numbers below {OWN_NUMBERS} are BVLC Caffe's; take one from {OWN_NUMBERS} up")


def set_comment(file: FileDescriptorProto, path: tuple[int, ...], comment: str) -> None:
    """Keep ``comment`` beside the element at ``path`` (none where it is empty)."""
    if comment:
        file.source_code_info.location.add(path=path, leading_comments=comment)


def message_name(field: str) -> str:
    """``twice_param`` -> ``TwiceParameter``: the message of options that is built from a dict."""
    stem = field[: -len("_param")] if field.endswith("_param") else field
    return "".join(part.capitalize() for part in stem.split("_")) + "Parameter"


def file_from_dict(field: str, options: Mapping[str, Any], messages: Mapping[str, str], enums: Mapping[str, str],
                   comment: str = "") -> FileDescriptorProto:
    """A file with one message made from ``{"alpha": ("float", 1.0, "slope")}``: type, default, comment.

    Default and comment may be left out; a default of None means none. A type is one of the scalars of SCALARS, the
    name of a message or an enum of the schema (``messages`` and ``enums``: name -> the file that holds it), or
    "repeated " and one of these. Raises ValueError for any other type, and for a default that does not fit.
    """
    name = message_name(field)
    file = FileDescriptorProto(name=f"user/{field}.proto", package=PACKAGE, syntax="proto2")
    message: DescriptorProto = file.message_type.add(name=name)
    set_comment(file, (_MESSAGE, 0), comment)
    for index, (option, given) in enumerate(options.items()):
        if not re.fullmatch(_NAME, option):
            raise ValueError(f"{name}: expected a snake_case name for an option, got '{option}'")
        kind, default, text = _three(f"{name}.{option}", given)
        made = message.field.add(name=option, number=index + 1)
        _set_type(made, f"{name}.{option}", kind, messages, enums, file)
        if default is not None:
            made.default_value = _default_text(made, f"{name}.{option}", kind, default)
        set_comment(file, (_MESSAGE, 0, _FIELD, index), text)
    return file


def _three(who: str, given: Any) -> tuple[str, Any, str]:
    parts = (given,) if isinstance(given, str) else tuple(given)
    if not 1 <= len(parts) <= 3 or not isinstance(parts[0], str):
        raise ValueError(f"{who}: expected a type or (type, default, comment), got {given!r}")
    kind, default, text = (*parts, None, "")[:3] if len(parts) == 1 else (*parts, "")[:3]
    return kind, default, text or ""


def _set_type(made: FieldDescriptorProto, who: str, kind: str, messages: Mapping[str, str], enums: Mapping[str, str],
              file: FileDescriptorProto) -> None:
    label, _, bare = kind.rpartition(" ")
    if label not in ("", "optional", "repeated"):
        raise ValueError(f"{who}: expected a type such as 'float' or 'repeated float', got '{kind}'")
    made.label = FieldDescriptorProto.LABEL_REPEATED if label == "repeated" else FieldDescriptorProto.LABEL_OPTIONAL
    if bare in SCALARS:
        made.type = SCALARS[bare]
        return
    home = messages.get(bare) or enums.get(bare)
    if home is None:
        raise ValueError(f"{who}: unknown type '{bare}'; expected one of {', '.join(SCALARS)}, a message or an enum")
    made.type = FieldDescriptorProto.TYPE_MESSAGE if bare in messages else FieldDescriptorProto.TYPE_ENUM
    made.type_name = f".{PACKAGE}.{bare}"
    if home not in file.dependency:
        file.dependency.append(home)


def _default_text(made: FieldDescriptorProto, who: str, kind: str, default: Any) -> str:
    wanted: tuple[type, ...] = (int,)
    if made.type in (SCALARS["float"], SCALARS["double"]):
        wanted = (int, float)
    elif made.type in (SCALARS["string"], FieldDescriptorProto.TYPE_ENUM):
        wanted = (str,)
    elif made.type == SCALARS["bool"]:
        wanted = (bool,)
    allowed = made.label != FieldDescriptorProto.LABEL_REPEATED and made.type not in (
        SCALARS["bytes"], FieldDescriptorProto.TYPE_MESSAGE)
    if not allowed:
        raise ValueError(f"{who}: a field of type '{kind}' has no default; write None")
    if not isinstance(default, wanted) or (isinstance(default, bool) and bool not in wanted):
        raise ValueError(f"{who}: expected a default of type {kind}, got {default!r}")
    return str(default).lower() if isinstance(default, bool) else str(default)
