"""The catalogue: what is known of a layer type from its class, its docstring and its options' comments, as data.

``netdef/graph/catalogue.py`` adds the shapes of the example and writes the page.
"""
from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

from netdef.config import schema
from netdef.config.schemaset import FieldInfo
from netdef.layers import registry
from netdef.layers.base import Layer

# The types that BVLC Caffe 1.0 registers. It has seen no release since 2017, so this list does not grow.
_NAMES = """
    AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss Convolution Crop Data Deconvolution
    Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten HDF5Data HDF5Output HingeLoss Im2col ImageData
    InfogainLoss InnerProduct Input LRN LSTM LSTMUnit Log MVN MemoryData MultinomialLogisticLoss PReLU Parameter Pooling
    Power Python RNN ReLU Reduction Reshape SPP Scale Sigmoid SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss
    Split Swish TanH Threshold Tile WindowData
"""
BVLC = frozenset(_NAMES.split())
FORKS = ("SSD", "py-faster-rcnn", "R-FCN", "SegNet", "PSPNet", "DeepLab", "NVCaffe", "FlowNet2", "MobileNet-YOLO",
         "warpctc", "ChWick", "rtpose", "caffe-face", "caffe-windows", "ShuffleNet")
SECTIONS = ("Formula", "Shapes", "Params", "Numerical care", "Traps", "Source")
SHARED = ("loss_param", "transform_param", "sampling_param")  # messages of LayerParameter that several types read
_HEAD = re.compile(rf"({'|'.join(SECTIONS)})(, [^:\n]*)?: ")


@dataclass(frozen=True)
class Option:
    """One field of an options message: its name, what it holds, its default ("" for lists and messages), its comment."""

    name: str
    kind: str
    message: str  # the type's name where the field holds a message or an enum, else ""
    default: str
    comment: str


@dataclass(frozen=True)
class Entry:
    """One layer type. ``sections`` are (title, text) of the docstring, in its order; ``options`` by field of
    LayerParameter; ``facts`` are (name, text) that come from the class's attributes."""

    type: str
    summary: str
    sections: tuple[tuple[str, str], ...]
    example: str
    facts: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, tuple[Option, ...]], ...]


def list_types() -> str:
    """One line a type: its name and the first paragraph of its docstring."""
    types = registry.layer_types()
    width = max(len(name) for name in types)
    return "\n".join(f"{name:<{width}}  {first_sentence(cls)}" for name, cls in types.items())


def first_sentence(cls: type[Layer]) -> str:
    """The first paragraph of the class's docstring, on one line."""
    return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())


def entry(name: str) -> Entry:
    """Everything about one type. Raises UnknownLayerType with a did-you-mean."""
    cls = registry.find(name)
    doc = inspect.getdoc(cls) or ""
    text, _, example = doc.partition("Example::\n")
    head, sections = _sections(text)
    fields = [cls.options_field, *(f for f in SHARED if f != cls.options_field and f"``{f}" in doc)]
    return Entry(cls.type, head, sections, inspect.cleandoc(example), tuple(_facts(cls, text)),
                 tuple((f, options(message_of(f))) for f in fields if f))


def agrees_with(cls: type[Layer]) -> str:
    """Which Caffe has this type, or "" where it is netdef's own: BVLC's by name, a fork's by the docstring's source."""
    if cls.type in BVLC:
        return "BVLC Caffe 1.0"
    source = dict(_sections(inspect.getdoc(cls) or "")[1]).get("Source", "")
    return ", ".join(fork for fork in FORKS if fork in source)


def message_of(field: str) -> str:
    """The message that a field of LayerParameter holds."""
    return schema.field_info("LayerParameter", field).type_name or ""


def options(message: str) -> tuple[Option, ...]:
    """The fields of a message of the schema."""
    return tuple(Option(info.name, _kind(info), info.type_name or "", _default(info), " ".join(info.comment.split()))
                 for info in schema.fields(message).values())


def _sections(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What stands before the first section, and the sections: a paragraph that begins ``Shapes: `` opens one."""
    head: list[str] = []
    found: list[tuple[str, list[str]]] = []
    for paragraph in text.strip().split("\n\n"):
        opening = _HEAD.match(paragraph)
        if opening:
            found.append((opening[1] + (opening[2] or ""), [paragraph[opening.end():]]))
        else:
            (found[-1][1] if found else head).append(paragraph)
    return "\n\n".join(head), tuple((title, "\n\n".join(body).rstrip()) for title, body in found)


def _facts(cls: type[Layer], text: str) -> list[tuple[str, str]]:
    tops = "as many as bottoms" if cls.same_number else str(cls.tops)
    facts = [("Bottoms", str(cls.bottoms)), ("Tops", tops)]
    if cls.bottoms.most != 0:
        facts.append(("Gradient", _gradient(cls.differentiable, cls.bottoms.most)))
    facts.append(("Agrees with", agrees_with(cls) or "no Caffe: this type is netdef's own"))
    return facts


def _gradient(flags: bool | tuple[bool, ...], most: int | None) -> str:
    """Which bottoms get one; the last flag goes for the rest."""
    if isinstance(flags, bool) or len(set(flags)) == 1:
        every = flags if isinstance(flags, bool) else flags[0]
        return "to all bottoms" if every else "none"
    parts = [f"bottom {i}" for i, flag in enumerate(flags) if flag]
    if flags[-1] and (most is None or most > len(flags)):
        parts[-1] += " and those behind it"
    return f"only to {', '.join(parts)}"


def _kind(info: FieldInfo) -> str:
    """``float``, ``FillerParameter``, ``uint32, several``."""
    kind = (info.type_name or info.kind).rpartition(".")[2]
    if info.kind == "enum" and info.type_name:
        kind = " | ".join(schema.enum_values(info.type_name))
    return kind + (", several" if info.repeated else "")


def _default(info: FieldInfo) -> str:
    if info.repeated or info.kind == "message":
        return ""
    if info.default is None:
        return "unset"
    if isinstance(info.default, bool):
        return str(info.default).lower()
    return f"{info.default:g}" if isinstance(info.default, float) else str(info.default) or '""'
