"""Which Caffe a net was written for: told from its layer types, its fields, and in binary files from their numbers."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from google.protobuf.message import Message

from netdef.config import dialects, dialects_inner, forks, schema, wire
from netdef.config.located import Located
from netdef.config.tree import Node
from netdef.config.wire import BYTES, VARINT

_INSIDE = {  # fields of one name that two forks fill differently: what stands inside tells them apart
    "bn_param": {"segnet": "scale_filler shift_filler bn_mode", "pspnet": "slope_filler bias_filler momentum eps frozen",
                 "tsn": "slope_filler bias_filler momentum eps frozen"},
    "upsample_param": {"segnet": "pad_out_h pad_out_w upsample_h upsample_w scale_h scale_w"},
    "ctc_loss_param": {"warpctc": "alphabet_size time_step blank_label",
                       "ctc": "output_delay blank_index preprocess_collapse_repeated ctc_merge_repeated loss_calculation_t"},
}
_LAYERS = ("LayerParameter", "V1LayerParameter")
_UPSAMPLE = {1: ("yolo",), 2: ("segnet",)}  # number of bottoms: SegNet's takes a mask, too
_NVIDIA_FLAGS = range(145, 150)  # numbers that are plain integers in NVIDIA's files and messages elsewhere


class Trait(NamedTuple):
    """One thing that BVLC Caffe does not have, and the forks (short names) that do."""

    what: str
    forks: tuple[str, ...]


@dataclass(frozen=True)
class Dialect:
    """The forks that explain a net, fewest first, and by which evidence; no fork at all: plain Caffe.

    ``evidence`` is (what was found, which forks have it, how often). ``given``: the user said so.
    """

    forks: tuple[str, ...] = ()
    evidence: tuple[tuple[str, tuple[str, ...], int], ...] = ()
    given: bool = False

    @property
    def plain(self) -> bool:
        """Whether nothing in the net belongs to a fork."""
        return not self.forks and not self.evidence

    def __str__(self) -> str:
        names = ", ".join(forks.NAMES[f] for f in self.forks) or (forks.BVLC if not self.evidence else "a fork of Caffe")
        if self.given:
            return f"{names} (given)"
        said = [what + (f" x{n}" if n > 1 else "") for what, _, n in self.evidence]
        more = f" and {len(said) - 5} more" if len(said) > 5 else ""
        return f"{names} ({', '.join(said[:5])}{more})" if said else names


def recognise(net: Message | Located | Node | memoryview, given: str | None = None) -> Dialect:
    """The dialect of a net: a message, its tree before it was bound (which keeps unknown fields), or a binary's bytes.

    ``given`` is a fork that the user names, by what ``--dialect`` takes; it overrides. Raises FieldError for another,
    and WireError for bytes that are damaged.
    """
    if given is not None:
        return Dialect((forks.short(given),), given=True)
    if isinstance(net, Located):
        net = net.message
    if isinstance(net, memoryview):
        traits = _of_bytes(net)
    else:
        traits = _of_tree(net, "NetParameter") if isinstance(net, Node) else _of_message(net)
    return explained(Counter(traits))


def explained(found: Counter[Trait]) -> Dialect:
    """The fewest forks that have all traits, most telling first; ties go to the earlier in ``forks.NAMES``."""
    rest = [t for t in found if t.forks]
    chosen: list[str] = []
    order = list(forks.NAMES)
    while rest:
        best = max(order, key=lambda fork: (sum(fork in t.forks for t in rest), -order.index(fork)))
        chosen.append(best)
        rest = [t for t in rest if best not in t.forks]
    return Dialect(tuple(chosen), tuple((t.what, t.forks, n) for t, n in found.items()))


def _type(name: str, bottoms: int) -> Iterator[Trait]:
    known = forks.TYPES.get(name)
    if known is not None:
        yield Trait(f"layer type {name}", _UPSAMPLE.get(bottoms, known.forks) if name == "Upsample" else known.forks)


def _field(message_name: str, name: str) -> Iterator[Trait]:
    owners = dialects.owners(message_name, name)
    shorts = tuple(key for key, label in forks.NAMES.items() if label in owners.split(", "))
    if shorts:
        yield Trait(f"field {name}", shorts)


def _inside(name: str, fields: list[str]) -> Iterator[Trait]:
    for field in fields:
        who = tuple(fork for fork, names in _INSIDE.get(name, {}).items() if field in names.split())
        if who:
            yield Trait(f"{name}.{field}", who)


def _of_tree(node: Node, message_name: str) -> Iterator[Trait]:
    known = schema.fields(message_name)
    if message_name in _LAYERS:
        found = node.find("type")
        bottoms = sum(len(list(c.values())) for c in node.children if c.name == "bottom")
        yield from _type(found.text if found is not None else "", bottoms)
    for child in node.children:
        yield from _field(message_name, child.name)
        for element in child.values():
            if element.kind != "message":
                continue
            yield from _inside(child.name, [c.name for c in element.children])
            info = known.get(child.name)
            if info is not None and info.kind == "message" and info.type_name:
                yield from _of_tree(element, info.type_name)


def _of_message(message: Any) -> Iterator[Trait]:
    name = message.DESCRIPTOR.name
    if name in _LAYERS:
        yield from _type(message.type if isinstance(message.type, str) else "", len(message.bottom))
    for field, value in message.ListFields():
        yield from _field(name, field.name)
        if field.message_type is None or field.name == "blobs":
            continue
        for inner in value if hasattr(value, "append") or hasattr(value, "add") else [value]:
            yield from _inside(field.name, [f.name for f, _ in inner.ListFields()])
            yield from _of_message(inner)


def _of_bytes(data: memoryview) -> Iterator[Trait]:
    for layer in wire.Fields(data, 0, len(data)):
        if layer.number == 100 and layer.kind == BYTES:
            yield from layer_traits(data, layer)


def layer_traits(data: memoryview, layer: wire.Field) -> Iterator[Trait]:
    """What the bytes of one saved layer (V2) say; the params are stepped over. Raises WireError."""
    found = list(wire.Fields(data, layer.start, layer.end))
    type_name = next((wire.text(data, f, "type") for f in found if f.number == 2), "")
    known = {info.number: name for name, info in schema.fields("LayerParameter").items()}
    yield from _type(type_name, sum(f.number == 3 for f in found))
    for f in found:
        name = dialects.field_of(type_name, f.number)
        flag = f.number in _NVIDIA_FLAGS and f.kind == VARINT
        if flag or name is not None:
            who = tuple(k for k, numbers in forks.NUMBERS.items() if name is None or numbers.get(f.number) == name)
            yield Trait(f"field {f.number} of {type_name} layers", ("nvcaffe",) if flag else who)
        name = name or known.get(f.number)
        if name is not None and f.kind == BYTES:
            yield from _inner_traits(data, f, name)


def _inner_traits(data: memoryview, whole: wire.Field, name: str) -> Iterator[Trait]:
    """What the numbers inside a message say that several Caffes share."""
    try:
        message = schema.field_info("LayerParameter", name).type_name
    except KeyError:
        return  # a fork's, which netdef does not have
    if message not in dialects_inner.MESSAGES:
        return
    inside = list(wire.Fields(data, whole.start, whole.end))
    times = Counter(f.number for f in inside)
    for f in inside:
        who = dialects_inner.owners(dialects_inner.Place(message, f, times[f.number], whole.number))
        if who:
            yield Trait(f"field {f.number} of {name}", who)


def scores(data: memoryview) -> dict[str, int]:
    """How many kinds of evidence in a binary net each fork explains. Raises WireError."""
    traits = set(_of_bytes(data))
    return {fork: sum(fork in t.forks for t in traits) for fork in forks.NAMES}
