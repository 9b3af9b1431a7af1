"""Shapes of blobs whose data are not here: what the layer's own options say, and what ``--assume BLOB=N,C,H,W`` gives.

For looking at a net without its databases, its lists of pictures, or the Python modules that make its data. Only
describing uses this; a net that runs is built without assumptions and fails where its data are missing.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from netdef.errors import ConfigError, GraphError, NetdefError, did_you_mean
from netdef.graph.assumed import Assumed, PythonCode, unknown_class
from netdef.graph.model import Dropped, LayerNode, Value
from netdef.layers.base import Layer, LayerSpec, Shape

WHERE = "--assume"
_ABSENT = re.compile(r"no file '|no such file|is not installed|no module '", re.IGNORECASE)
_SQUARE, _PAIRS = "crop_size", (("new_height", "new_width"), ("crop_height", "crop_width"), ("crop_h", "crop_w"))
_BOXES = 8  # values of a box in SSD's labels


class BadAssumption(ConfigError):
    """An assumption that cannot be read, or that names a blob which is not assumed; the command line calls it usage."""


@dataclass(frozen=True)
class Assumptions:
    """What may be assumed of a net: the shapes of blobs by name, and with ``everything`` also what types that are not
    here do (for questions about gradients)."""

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    everything: bool = False

    @staticmethod
    def read(texts: Iterable[str], everything: bool = False) -> Assumptions:
        """From texts such as ``data=1,3,224,224``. Raises BadAssumption."""
        shapes: dict[str, Shape] = {}
        for text in texts:
            blob, shape = read_shape(text)
            if blob in shapes:
                raise BadAssumption(f"'{blob}' is given twice", where=WHERE)
            shapes[blob] = shape
        return Assumptions(shapes, everything)

    def all_of(self, names: Sequence[str]) -> bool:
        """Whether every one of these blobs is given a shape (and there is one)."""
        return bool(names) and all(name in self.shapes for name in names)


def read_shape(text: str) -> tuple[str, Shape]:
    """``data=1,3,224,224`` (or ``data=1x3x224x224``) -> ("data", (1, 3, 224, 224)). Raises BadAssumption."""
    blob, equals, sizes = text.rpartition("=")
    parts = re.split(r"\s*[,x]\s*", sizes.strip())
    if not equals or not blob or not all(p.isdecimal() and 0 < int(p) < 2**31 for p in parts) or len(parts) > 32:
        raise BadAssumption(f"expected BLOB=SIZE,SIZE,... with sizes of at least 1, such as data=1,3,224,224, got '{text}'",
                            where=WHERE)
    return blob, tuple(int(p) for p in parts)


def is_source(spec: LayerSpec) -> bool:
    """Whether a layer brings data into the net: it has tops and reads nothing."""
    return spec.num_bottoms == 0 and spec.num_tops > 0


def why_absent(error: BaseException | None) -> str:
    """What is not here, if that is what an error says: a file, a package, a module; else an empty string."""
    found = ""
    while error is not None:
        text = error.message if isinstance(error, NetdefError) else str(error)
        if isinstance(error, ImportError) or _ABSENT.search(text):
            found = text  # the innermost says it best
        error = error.__cause__
    return re.sub(r"^layer '.*?' \(\w+\): (\w+: )?", "", found).partition(": tried ")[0]


def stand_in(cls: type[Layer], spec: LayerSpec, assumptions: Assumptions, error: NetdefError | None) -> Layer | None:
    """What stands for a layer whose data (or Python module) are not here, or to whose blobs the user gave shapes.

    None where there is nothing to stand in for: the layer makes no data, or ``error`` says something else.
    """
    given = any(top in assumptions.shapes for top in spec.message.top)
    absent = why_absent(error)
    if not (is_source(spec) or cls.type == "Python") or not (given or absent):
        return None
    if error is not None and not absent:
        return None
    layer: Assumed = PythonCode(spec) if cls.type == "Python" else Absent(spec)
    if cls.type == "Python" and assumptions.everything and not given:
        return layer
    what = "its module is" if cls.type == "Python" else "its data are"
    layer.assumed = give_shapes(layer, assumptions, f"{what} not here ({absent})" if absent else f"{what} not looked at")
    return layer


class Absent(Assumed):
    """A data layer of a known type whose data are somewhere else."""


def unknown_type(message: Any, assumptions: Assumptions) -> type[Layer] | None:
    """The stand-in's class for a type that is not registered, where all its tops are given shapes; else None."""
    return unknown_class(message) if assumptions.all_of(message.top) else None


def shaped(layer: Assumed, assumptions: Assumptions) -> Assumed:
    """A stand-in for an unknown type, with the shapes that are given to its tops."""
    if any(top in assumptions.shapes for top in layer.spec.message.top):
        layer.assumed = give_shapes(layer, assumptions, layer.assumed)
    return layer


def give_shapes(layer: Assumed, assumptions: Assumptions, reason: str) -> str:
    """Set the shapes that are known of a stand-in's tops; says them, and what to type for the others."""
    spec = layer.spec
    names, given = list(spec.message.top), assumptions.shapes
    first = given.get(names[0]) if names else None
    guessed = guess(spec, first) if is_source(spec) else [(None, "")] * len(names)
    layer.shapes = tuple(given.get(name, shape) for name, (shape, _) in zip(names, guessed, strict=True))
    in_place = {*spec.message.bottom} & {*names}
    said = [_said(name, shape, "--assume" if name in given else how)
            for name, shape, (_, how) in zip(names, layer.shapes, guessed, strict=True) if name not in in_place]
    return "; ".join([reason, *said])


def _said(name: str, shape: Shape | None, how: str) -> str:
    if shape is not None:
        return f"{name} is taken as {'x'.join(map(str, shape))} from {how}"
    return f"the shape of {name} is unknown, `{WHERE} {name}={how or 'N,...'}` gives it"


def guess(spec: LayerSpec, first: Shape | None = None) -> list[tuple[Shape | None, str]]:
    """For each top of a data layer: the shape that its options lead to, and which ones these are.

    Pictures are N x C x H x W with N of ``batch_size``, H and W of a crop or a new size, and 3 channels or 1
    (``force_gray``, ``is_color: false``); a second top has a label for each. Where the shape stays unknown the text is
    what is known of it, for the hint: "64,C,H,W". ``first`` is the shape of top 0 where that was given.
    """
    o, tops = spec.options, spec.num_tops
    batch = first[0] if first else _number(o, "batch_size") or _number(_inner(spec.message, "data_param"), "batch_size")
    if not batch:
        return [(None, "")] * tops
    if spec.type == "HDF5Data":  # rows of any shape
        return [(None, f"{batch},...")] * tops
    size, how = _size(spec)
    channels, colour = _channels(spec)
    image = (batch, channels, *size) if size else None
    found: list[tuple[Shape | None, str]] = [(image, f"batch_size, {colour} and {how}" if image else f"{batch},C,H,W")]
    found += [_label(spec, first or image, batch)] * (tops - 1)
    return found


def _size(spec: LayerSpec) -> tuple[Shape, str]:
    """Height and width after the transform, and where they come from; empty where only the data know."""
    for message, prefix in ((_inner(spec.message, "transform_param"), "transform_param."), (spec.options, "")):
        crop = _number(message, _SQUARE)
        if crop:
            return (crop, crop), f"{prefix}{_SQUARE}"
        resize = _inner(message, "resize_param")
        if _number(resize, "height") and _number(resize, "width"):
            return (_number(resize, "height"), _number(resize, "width")), f"{prefix}resize_param"
        for pair in _PAIRS:
            if all(_number(message, name) for name in pair):
                return (_number(message, pair[0]), _number(message, pair[1])), " and ".join(prefix + n for n in pair)
    return (), ""


def _channels(spec: LayerSpec) -> tuple[int, str]:
    transform = _inner(spec.message, "transform_param")
    if getattr(transform, "force_gray", False) or getattr(spec.options, "is_color", True) is False:
        return 1, "1 channel (grey)"
    return 3, "3 channels"


def _label(spec: LayerSpec, image: Shape | None, batch: int) -> tuple[Shape | None, str]:
    if spec.type in ("AnnotatedData", "VOCData"):
        return (1, 1, 1, _BOXES), "one box"
    if spec.type == "DenseImageData":
        every = _number(spec.options, "label_divide_factor") or 1
        return ((batch, 1, *(n // every for n in image[2:])), "the picture's size") if image else (None, f"{batch},1,H,W")
    return (batch,), "batch_size" if image is None or image[0] == _number(spec.options, "batch_size") else "the batch above"


def _inner(message: Message | None, name: str) -> Message | None:
    return getattr(message, name, None)


def _number(message: Message | None, name: str) -> int:
    """A positive integer field, or 0 where there is none of this name."""
    value = getattr(message, name, 0)
    return value if isinstance(value, int) and value > 0 else 0


def check_used(assumptions: Assumptions, layers: Sequence[LayerNode], values: Sequence[Value],
               dropped: Sequence[Dropped]) -> None:
    """Raise BadAssumption where a shape was given to a blob that is not one of a layer standing in."""
    made = {value.blob: layers[value.maker] for value in reversed(values)}
    open_ones = [v.blob for v in values if is_source(layers[v.maker].spec) or layers[v.maker].type == "Python"]
    for blob in assumptions.shapes:
        node = made.get(blob)
        if node is None:
            left_out = next((d for d in dropped if blob in d.tops), None)
            known = f"the blobs that data layers make: {', '.join(dict.fromkeys(open_ones))}" if open_ones else ""
            raise BadAssumption(f"no blob '{blob}' in this net", where=WHERE, hint=(
                f"layer '{left_out.name}' makes it, but is left out here: {left_out.reason}" if left_out
                else did_you_mean(blob, open_ones) or did_you_mean(blob, made) or known))
        if not isinstance(node.layer, Assumed) and node.layer is not None:
            raise BadAssumption(f"'{blob}' is made by {node.who} at {node.located.span}, which infers its shape",
                                where=WHERE, hint="give the shapes of blobs that data layers make"
                                + (f": {', '.join(dict.fromkeys(open_ones))}" if open_ones else ""))


def refuse(layers: Iterable[LayerNode]) -> None:
    """Raise GraphError for a net that has stand-ins: it was made to be looked at, and cannot run."""
    for node in layers:
        if isinstance(node.layer, Assumed):
            raise GraphError(f"{node.who}: cannot run: {node.layer.assumed}", where=node.located.span)
