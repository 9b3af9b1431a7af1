"""The schema: message classes, fields, defaults and comments of everything that a config can hold.

The committed set ``schema.binpb`` (made from proto/ by tools/gen_schema.py) is loaded on first use into a descriptor
pool of our own, so that a real ``caffe_pb2``, ``onnx`` and netdef live in one process. Names are short:
"ConvolutionParameter", "PoolingParameter.PoolMethod"; a leading "netdef." is allowed. Unknown names raise KeyError with
the nearest known one.
"""
from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import Message

from netdef.config import layer_field
from netdef.config.schemaset import PREFIX, VALUE, FieldInfo, SchemaSet, pick

__all__ = ["FieldInfo"]  # the rest is defined here

_SET = Path(__file__).with_name("schema.binpb")
_FIRST_USER_NUMBER = 60000

_lock = threading.RLock()
_loaded: SchemaSet | None = None


def _schema() -> SchemaSet:
    global _loaded
    if _loaded is None:
        with _lock:
            if _loaded is None:
                _loaded = SchemaSet(list(FileDescriptorSet.FromString(_SET.read_bytes()).file))
    return _loaded


def _short(name: str) -> str:
    return name.removeprefix(PREFIX)


def message_class(name: str) -> type[Message]:
    """The class of a message; it stays valid, but ``register_options`` makes new ones."""
    return _schema().message_class(_short(name))


def new(name: str) -> Any:
    """A new, empty message."""
    return message_class(name)()


def descriptor(name: str) -> Any:
    """protobuf's runtime descriptor of a message (or of an enum), in our pool."""
    loaded, short = _schema(), _short(name)
    if short in loaded.enums:
        return loaded.pool.FindEnumTypeByName(PREFIX + short)
    return loaded.message_class(short).DESCRIPTOR


def message_names() -> list[str]:
    """The short names of all messages, sorted."""
    return sorted(_schema().messages)


def enum_names() -> list[str]:
    """The short names of all enums, sorted."""
    return sorted(_schema().enums)


def full_names() -> list[str]:
    """The names of all messages and enums with the package before them, sorted."""
    return sorted(PREFIX + name for name in (*_schema().messages, *_schema().enums))


def enum_values(enum_name: str) -> dict[str, int]:
    """The values of an enum, name to number, in the order in which they are declared."""
    enum: EnumDescriptorProto = pick(_schema().enums, _short(enum_name), "enum").proto
    return {value.name: value.number for value in enum.value}


def fields(message: str) -> dict[str, FieldInfo]:
    """All fields of a message by name, in the order in which they are declared."""
    return dict(_schema().fields(_short(message)))


def field_info(message: str, field: str) -> FieldInfo:
    """What the schema says of one field."""
    return pick(_schema().fields(_short(message)), field, f"field of {_short(message)}")


def is_repeated(message: str, field: str) -> bool:
    """Whether a field is a list."""
    return field_info(message, field).repeated


def default_of(message: str, field: str) -> Any:
    """What an unset field counts as: the declared default, else its type's zero.

    An enum's value is given by name; a repeated field gives (), a message None.
    """
    info = field_info(message, field)
    if info.repeated:
        return ()
    if info.default is not None or info.kind == "message":
        return info.default
    if info.kind == "enum":
        return next(iter(enum_values(str(info.type_name))))
    return {"bool": False, "string": "", "bytes": b"", "float": 0.0, "double": 0.0}.get(info.kind, 0)


def message_comment(message: str) -> str:
    """The documentation of a message, one paragraph a line."""
    loaded = _schema()
    return loaded.comment(pick(loaded.messages, _short(message), "message"))


def field_comment(message: str, field: str) -> str:
    """The documentation of a field, one paragraph a line."""
    return field_info(message, field).comment


def enum_comment(enum_name: str) -> str:
    """The documentation of an enum."""
    loaded = _schema()
    return loaded.comment(pick(loaded.enums, _short(enum_name), "enum"))


def enum_value_comment(enum_name: str, value: str) -> str:
    """The documentation of one value of an enum."""
    loaded, names = _schema(), list(enum_values(enum_name))
    pick(dict.fromkeys(names), value, f"value of {_short(enum_name)}")
    return loaded.comment(loaded.enums[_short(enum_name)], VALUE, names.index(value))


def layer_fields() -> dict[str, str]:
    """The fields of LayerParameter that hold the options of layer types, each with its message.

    Without ``transform_param`` and ``loss_param``, which several types share.
    """
    loaded = _schema()
    homes = ("layers/", "user/")
    return {f.name: f.type_name for f in loaded.fields("LayerParameter").values()
            if f.type_name in loaded.messages and loaded.messages[f.type_name].file.name.startswith(homes)}


def adopt(message: Message) -> Any:
    """``message`` itself, or where a class of before ``register_options`` made it, the same as a message of today's.

    Raises TypeError for messages of other packages: their field numbers may mean something else (print them as text
    and read that).
    """
    name = message.DESCRIPTOR.full_name
    if not name.startswith(PREFIX):
        raise TypeError(f"expected a message of netdef's schema, got {name}; str(message) is text that netdef reads")
    cls = message_class(name)
    return message if isinstance(message, cls) else cls.FromString(message.SerializePartialToString())


def register_options(field_name: str, number: int | None, message: FileDescriptorProto | Mapping[str, Any], *,
                     message_name: str | None = None, comment: str = "") -> str:
    """Add a field to LayerParameter at run time, for the options of a user's own layer; returns its message's name.

    ``message`` is a file of package netdef whose first message (or ``message_name``) holds the options, or a dict that
    says them, each with type, default and comment, the last two if wanted:
    ``{"alpha": ("float", 1.0, "slope below zero"), "axis": "repeated int32", "weight_filler": "FillerParameter"}``.
    ``number`` is the field's number in binary files, from 50000 up; None takes the next free one from 60000 up.

    Saying the same once more is allowed (a notebook's cell runs again); anything else under a name or number that is
    taken raises ValueError. All message classes are made anew; ``adopt`` brings older messages over.
    """
    global _loaded
    with _lock:
        loaded = _schema()
        file = _options_file(loaded, field_name, message, comment)
        name = message_name or file.message_type[0].name
        if not _registered(loaded, field_name, number, name, file):
            number = _free_number(loaded) if number is None else number
            _loaded = _extended(loaded, field_name, number, name, file, comment)
        return name


def _extended(loaded: SchemaSet, field: str, number: int, message: str, file: FileDescriptorProto,
              comment: str) -> SchemaSet:
    at = next(i for i, f in enumerate(loaded.files) if f.name == layer_field.NET_FILE)
    net = FileDescriptorProto()
    net.CopyFrom(loaded.files[at])
    layer_field.attach(net, field, number, message, file, comment)
    for made in (*(m.name for m in file.message_type), *(e.name for e in file.enum_type)):
        old = loaded.messages.get(made) or loaded.enums.get(made)
        if old:
            raise ValueError(f"{file.name}: {made} is defined in {old.file.name} already")
    if file.name in (f.name for f in loaded.files):
        raise ValueError(f"a file {file.name} is part of the schema already")
    extended = SchemaSet([*loaded.files[:at], file, net, *loaded.files[at + 1:]])
    try:
        extended.message_class("LayerParameter")  # protobuf checks the new file here
    except (TypeError, KeyError) as error:
        raise ValueError(f"{file.name}: {error}") from error
    return extended


def _options_file(loaded: SchemaSet, field: str, message: FileDescriptorProto | Mapping[str, Any],
                  comment: str) -> FileDescriptorProto:
    if isinstance(message, Mapping):
        messages, enums = ({n: f.file.name for n, f in table.items()} for table in (loaded.messages, loaded.enums))
        return layer_field.file_from_dict(field, message, messages, enums, comment)
    if message.package != layer_field.PACKAGE or not message.message_type:
        raise ValueError(f"{message.name}: expected a file of package {layer_field.PACKAGE} with a message in it")
    file = FileDescriptorProto()
    file.CopyFrom(message)
    if not file.name.startswith("user/"):
        file.name = "user/" + file.name
    return file


def _registered(loaded: SchemaSet, field: str, number: int | None, message: str, file: FileDescriptorProto) -> bool:
    old = loaded.fields("LayerParameter").get(field)
    return (old is not None and number in (None, old.number) and old.type_name == message
            and loaded.messages[message].file == file)


def _free_number(loaded: SchemaSet) -> int:
    return max(_FIRST_USER_NUMBER, 1 + max(f.number for f in loaded.fields("LayerParameter").values()))
