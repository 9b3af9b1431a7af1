"""A net that lives inside a .caffemodel: the layers as Caffe saved them, without the params.

The file is walked field by field and the blobs are stepped over, so that a file of any size opens at once. What is
left is parsed with the schema. Three things differ from a net in text. A saved net holds only the layers of its own
phase, and each notes this phase: include and exclude rules and the phase of the layers have done their work and are
dropped, so that the net can run in either phase. And numbers of fields mean different things in different forks:
``dialects.py`` says which ones are known for a type of layer, ``dialects_inner.py`` which ones inside messages that forks
share. Where nothing decides between two meanings, the field is left as it is and a warning says so.
"""
from __future__ import annotations

import mmap
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from netdef.config import dialects, dialects_inner, recognise, schema, wire
from netdef.config.blobproto import encode_varint, tagged
from netdef.config.located import Located
from netdef.config.wire import BYTES, VARINT, Field, WireError
from netdef.errors import ConfigError, warn

_HEAD = 1 << 12
_MOST = 1 << 26  # bytes of a net without its params
_CONTROL = bytes({*range(9), *range(14, 27), *range(28, 32)})  # bytes that no text has
_NAME, _LAYERS, _INPUT, _LAYER = 1, 2, 3, 100
_TYPE = 2  # of a current layer
_TOP = {_NAME: "name", _LAYERS: "layers", _INPUT: "input", 8: "input_shape", 6: "state", _LAYER: "layer"}
_BLOBS = {"layer": 7, "layers": 6, "inner": 50}
_TEXTS = {"layer": (1, 2, 3, 4), "layers": (2, 3, 4), "inner": (1, 2)}  # name, type, bottom, top where they are strings
_NAMES = {"layer": 1, "layers": 4}
_MESSAGE = {"layer": "LayerParameter", "layers": "V1LayerParameter"}
_V0 = 1  # the V0 layer inside a V1 one
_RULES = ("phase", "include", "exclude")


def holds_net(path: Path) -> bool:
    """Whether a file is a binary NetParameter with at least one layer; False for what cannot be read."""
    return _trouble(path) is None


def why_not(path: Path) -> str:
    """A sentence about a file that is no text and holds no net: what stands at which byte."""
    return f"nor is it a whole .caffemodel: {_trouble(path)}"


def read_net(path: Path, shown: str, fork: str | None = None) -> Located:
    """The net of a binary file, its params left out; ``shown`` is its name in messages, ``fork`` the Caffe that wrote it
    where the user knows (a short name of ``forks.NAMES``); else the types of the layers tell.

    It is of the generation in which it was saved (``upgrade_net`` comes after). Raises ConfigError with the byte.
    """
    data = _bytes(path)
    try:
        walk = _Walk(data, fork)
        skeleton = b"".join(walk.net())
        if len(skeleton) > _MOST:
            raise ConfigError(f"its layers alone take {len(skeleton)} bytes", where=shown)
        message = schema.new("NetParameter")
        message.ParseFromString(skeleton)
    except WireError as error:
        raise ConfigError(f"expected a binary net; byte {error.offset} of {len(data)}: {error.args[0]}",
                          where=shown) from error
    except (DecodeError, RecursionError) as error:
        raise ConfigError(f"expected a binary net: {error}", where=shown) from error
    for layer in (*message.layer, *message.layers):
        for rule in _RULES:
            if rule in layer.DESCRIPTOR.fields_by_name:
                layer.ClearField(rule)
    walk.warn(shown)
    return Located.bare(message, shown)


def _bytes(path: Path) -> memoryview:
    with open(path, "rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _trouble(path: Path) -> str | None:
    """Why a file is no binary net; None where it is one."""
    if not path.is_file():
        return "it is no plain file"  # what is read of a pipe is gone
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        return error.strerror or "it cannot be read"
    if len(head) == len(head.translate(None, _CONTROL)):
        return "it is text"
    data = _bytes(path)
    layers = 0
    try:
        for field in wire.Fields(data, 0, len(data)):
            if field.number in _TOP:
                wire.expect(field, BYTES, _TOP[field.number])
            layers += field.number in (_LAYERS, _LAYER)
    except WireError as error:
        return str(error)
    return None if layers else "it has no layers"


class _Walk:
    """Steps through the file and gives its fields but the blobs, those of a known fork under our numbers."""

    def __init__(self, data: memoryview, fork: str | None) -> None:
        self.data, self.fork = data, fork
        self.known = {info.number for info in schema.fields("LayerParameter").values()}
        self.left_out: Counter[tuple[str, str]] = Counter()  # type of layer and field -> how many layers
        self.doubts: defaultdict[str, list[str]] = defaultdict(list)  # what may be meant -> names of layers
        self.messages = {kind: {info.number: info.type_name for info in schema.fields(name).values()
                                if info.type_name in dialects_inner.MESSAGES}
                         for kind, name in _MESSAGE.items()}
        self._scores: dict[str, int] | None = None

    def net(self) -> Iterator[bytes]:
        """The bytes of the net."""
        for field in wire.Fields(self.data, 0, len(self.data)):
            if field.number == _LAYER:
                yield _framed(_LAYER, b"".join(self._layer(field, "layer", self._type(field))))
            elif field.number == _LAYERS:
                yield _framed(_LAYERS, b"".join(self._layer(field, "layers")))
            elif field.number in (_NAME, _INPUT):
                yield _text(self.data, field)
            else:
                yield bytes(self.data[field.at : field.end])

    def warn(self, shown: str) -> None:
        """One line for each kind of field that was left out, and for each that may mean two things."""
        for what, names in self.doubts.items():
            layers = f"layer '{names[0]}'" if len(names) == 1 else f"{len(names)} layers, the first '{names[0]}'"
            warn(f"{what}, in {layers}: nothing in the net decides, so it is left as it is", shown,
                 "--dialect names the Caffe that wrote the file")
        for (layer_type, what), count in self.left_out.items():
            layers = "1 layer" if count == 1 else f"{count} layers"
            warn(f"{what} of {layers} of type {layer_type} is not known here and is left out", shown,
                 "a prototxt of the net may say it by name")

    def _layer(self, whole: Field, kind: str, layer_type: str = "") -> Iterator[bytes]:
        for field in wire.Fields(self.data, whole.start, whole.end):
            if field.number == _BLOBS[kind]:
                continue
            number = self._number(layer_type, field) if kind == "layer" else field.number
            if field.number in _TEXTS[kind]:
                yield _text(self.data, field)
            elif kind == "layers" and field.number == _V0:
                wire.expect(field, BYTES, "layer")
                yield _framed(_V0, b"".join(self._layer(field, "inner")))
            elif number and number in self.messages.get(kind, ()) and field.kind == BYTES:
                yield _framed(number, b"".join(self._inside(field, self.messages[kind][number], number, whole, kind)))
            elif number == field.number:
                yield bytes(self.data[field.at : field.end])
            elif number:
                yield _framed(number, bytes(self.data[field.start : field.end]))

    def _inside(self, outer: Field, message: str, number: int, layer: Field, kind: str) -> Iterator[bytes]:
        """The fields of a message that forks share, under our numbers."""
        found = list(wire.Fields(self.data, outer.start, outer.end))
        times = Counter(f.number for f in found)
        for field in found:
            place = dialects_inner.Place(message, field, times[field.number], outer.number)
            reading = dialects_inner.read(place, self.fork, self.scores)
            if reading.doubt:
                may = " or ".join(f"{meaning} ({', '.join(who)})" for meaning, who in reading.doubt.items())
                name = next(n for n, info in schema.fields(_MESSAGE[kind]).items() if info.number == number)
                self.doubts[f"field {field.number} of {name} may be {may}"].append(self._name(layer, kind))
            if reading.value is not None:
                yield tagged(reading.number or field.number, VARINT) + encode_varint(reading.value)
            elif reading.number in (0, field.number):
                yield bytes(self.data[field.at : field.end])
            else:
                yield tagged(reading.number, field.kind) + self._payload(field)

    def scores(self) -> dict[str, int]:
        """How much of the net each fork explains."""
        if self._scores is None:
            self._scores = recognise.scores(self.data)
        return self._scores

    def _payload(self, field: Field) -> bytes:
        """The bytes of a field without its tag."""
        body = bytes(self.data[field.start : field.end])
        return encode_varint(len(body)) + body if field.kind == BYTES else body

    def _name(self, layer: Field, kind: str) -> str:
        number = _NAMES[kind]
        found = [f for f in wire.Fields(self.data, layer.start, layer.end) if f.number == number]
        return wire.text(self.data, found[-1], "a layer's name") if found else ""

    def _type(self, whole: Field) -> str:
        wire.expect(whole, BYTES, "layer")
        found = [f for f in wire.Fields(self.data, whole.start, whole.end) if f.number == _TYPE]
        return wire.text(self.data, found[-1], "a layer's type") if found else ""

    def _number(self, layer_type: str, field: Field) -> int:
        """Our number of a field in a current layer; 0 for one that nothing is known of."""
        name = dialects.field_of(layer_type, field.number, self.fork)
        ours: Any = schema.fields("LayerParameter").get(name) if name else None
        if ours is not None and field.kind == BYTES:
            return int(ours.number)
        if name is None and field.number in self.known:
            return field.number
        owners = dialects.owners("LayerParameter", name) if name else ""
        self.left_out[layer_type, f"{name} ({owners})" if name else f"field {field.number}"] += 1
        return 0


def _text(data: memoryview, field: Field) -> bytes:
    """A string field; bytes that are not UTF-8 become backslash escapes, as in the weights' names."""
    return _framed(field.number, wire.text(data, field, "text").encode("utf-8"))


def _framed(number: int, body: bytes) -> bytes:
    return tagged(number, BYTES) + encode_varint(len(body)) + body
