"""The deploy net of a train net: what stays when only predictions are wanted, as people write deploy.prototxt by hand.

Kept is what the predictions need, of the layers of phase TEST: a prediction is what a loss compares with labels, and
what no layer reads. Data layers become Input, losses their activations; rules, fillers and rates go, since they mean
nothing without training. A loss beside which another of its type reads the same labels and counts more is auxiliary
(GoogLeNet's heads), and what serves only such a loss goes with it.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from netdef.config import schema
from netdef.config.load import load_net
from netdef.config.located import Located
from netdef.config.options import options_field
from netdef.errors import Collector, GraphError
from netdef.graph.assumed import Assumed
from netdef.graph.describe import describe
from netdef.graph.filter import merged_state, reason_to_drop
from netdef.graph.infer import infer
from netdef.graph.model import LayerNode, NetDescription, NetShapes
from netdef.graph.standin import Assumptions
from netdef.layers import registry
from netdef.layers.base import Shape

# Layers that only report, on their way to no prediction.
REPORTS = frozenset(("Accuracy", "MultiLabelAccuracy", "ConfusionMatrix", "DetectionEvaluate", "Silence", "HDF5Output"))
_ACTIVATIONS = {"InfogainLoss": "Softmax", "FocalLoss": "Softmax", "MultinomialLogisticLoss": ""}
_TRAINING = ("include", "exclude", "loss_weight", "loss_param", "propagate_down", "transform_param", "blobs")
_SOURCES_KEPT = ("Parameter",)  # it reads nothing, but brings a param


@dataclass(frozen=True)
class Deployed:
    """A deploy net, and what people should know of it.

    ``expects``: for each input its shape and the preprocessing that the train net's data layer did; ``left_out``: the
    layers of phase TEST that went, each with a reason; ``notes``: what was assumed or needs a look.
    """

    message: Any
    expects: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def deploy(net: Any, batch: int | None = None, shapes: Mapping[str, Shape] | None = None, dropout: bool = True,
           stages: tuple[str, ...] = ()) -> Deployed:
    """The deploy net of ``net`` (a path or whatever ``load_net`` takes).

    ``batch`` is the number of items in a pass (1, or that of ``shapes``); ``shapes`` gives input blobs their shapes,
    needed where neither the data nor a crop size tell them; ``dropout`` False leaves Dropout layers out, which do
    nothing in phase TEST. Raises ConfigError for a net that cannot be described, GraphError where a shape is not known
    or nothing is predicted, BadAssumption for a shape given to a blob that is no input.
    """
    located, notes = _with_data_and_loss(load_net(net), stages)
    errors = Collector()
    description = describe(located, "TEST", None, stages, errors, Assumptions(shapes or {}, everything=True))
    inferred = infer(description, errors=Collector())
    doubtful = [e for e in errors.found if isinstance(e, GraphError)]
    if doubtful:
        raise doubtful[0]
    return _Deploy(description, inferred, batch, shapes or {}, dropout, notes).made()


def _with_data_and_loss(net: Located, stages: tuple[str, ...]) -> tuple[Located, list[str]]:
    """The net with the data layers and losses of phase TRAIN in phase TEST too, where that has none of its own.

    A detector needs no loss to tell what it predicts: that is what its DetectionOutput layer makes.
    """
    state = merged_state(net.message, "TEST", None, stages)
    layers = net.children("layer")
    kept = [reason_to_drop(layer, state) is None for layer in layers]
    notes, changed = [], net.copy()
    detects = any(k and layer.message.type.endswith("DetectionOutput") for k, layer in zip(kept, layers, strict=True))
    for what, wanted in (("data", _is_source), ("loss", _is_loss))[: 1 if detects else 2]:
        if any(k and wanted(layer.message) for k, layer in zip(kept, layers, strict=True)):
            continue
        for i, layer in enumerate(layers):
            if not kept[i] and wanted(layer.message):
                for rules in ("include", "exclude"):
                    changed.child("layer", i).clear(rules)
                notes.append(f"phase TEST has no {what} layer: '{layer.message.name}' of phase TRAIN is taken")
    return changed, notes


def _is_source(message: Any) -> bool:
    return not message.bottom and bool(message.top) and message.type not in _SOURCES_KEPT


def _is_loss(message: Any) -> bool:
    if message.loss_weight:
        return True
    cls = registry.layer_types().get(message.type)
    return cls.is_loss if cls is not None else message.type.endswith("Loss")


def activation(message: Any) -> str:
    """The layer type that gives what a loss layer computes from scores first: Softmax, Sigmoid, or an empty string."""
    type_name = message.type
    if type_name == "FocalLoss" and message.focal_loss_param.mode == message.focal_loss_param.SIGMOID:
        return "Sigmoid"
    if type_name in _ACTIVATIONS:
        return _ACTIVATIONS[type_name]
    if type_name.startswith("Softmax"):
        return "Softmax"
    return "Sigmoid" if type_name.startswith("Sigmoid") else ""


class _Deploy:
    """One derivation: which layers stay, then how each is written."""

    def __init__(self, description: NetDescription, inferred: NetShapes, batch: int | None,
                 shapes: Mapping[str, Shape], dropout: bool, notes: list[str]) -> None:
        self.d, self.inferred, self.batch, self.given = description, inferred, batch, shapes
        self.dropout, self.notes = dropout, notes
        self.losses = [n for n in description.layers if _is_loss(n.located.message)]
        self.learned = self._learned()
        self.auxiliary = {n.index for n in self.losses if self._is_auxiliary(n)}
        self.main = [n for n in self.losses if n.index not in self.auxiliary]
        self.needed = self._needed()
        self.expects: list[str] = []

    # -- what stays -----------------------------------------------------------------------------------------

    def _learned(self) -> set[int]:
        """Values behind a layer with params by ways that gradients go: scores, not labels, targets or pictures."""
        found: set[int] = set()
        for node in self.d.layers:
            own = bool(getattr(node.layer, "param_names", ())) or bool(node.located.message.param)
            if (own and node.bottoms) or any(b in found and _passes(node, i) for i, b in enumerate(node.bottoms)):
                found.update(node.tops)
        return found

    def _predictions(self, node: LayerNode) -> list[int]:
        """The bottoms of a loss that are no labels."""
        known = [b for b in node.bottoms if b is not None]
        return [b for b in known if b in self.learned] or known[:1]

    def _labels(self, node: LayerNode) -> set[int | None]:
        return set(node.bottoms) - set(self._predictions(node))

    def _is_auxiliary(self, node: LayerNode) -> bool:
        weight = max(node.loss_weights, default=0.0)
        return any(other.type == node.type and max(other.loss_weights, default=0.0) > weight
                   and self._labels(other) == self._labels(node) != set() for other in self.losses)

    def _needed(self) -> set[int]:
        """The layers that predictions are made by."""
        wanted = [b for node in self.main for b in self._predictions(node)]
        reports = [n for n in self.d.layers if n.type in REPORTS and n.bottoms and n.type != "Silence"]
        if not self.losses:
            wanted += [n.bottoms[0] for n in reports if n.bottoms[0] is not None]
        for loss in self.main:  # an output that the net has already
            wanted += [t for n in self.d.layers if n.type == activation(loss.located.message) and len(n.tops) == 1
                       and set(n.bottoms) & set(self._predictions(loss)) for t in n.tops]
        makers = self._ancestors(wanted)
        sources = {i for i in makers if not self.d.layers[i].bottoms}
        for node in self.d.layers:
            if _is_loss(node.located.message) or node.type in REPORTS or not node.bottoms or not node.tops:
                continue
            behind = self._ancestors(list(node.bottoms))
            ends = all(not self.d.values[t].readers for t in node.tops)
            mine = {i for i in behind if not self.d.layers[i].bottoms}
            if ends and (mine <= sources or not wanted) and not self._reads_label(node):
                makers |= {node.index} | behind
        if not makers:
            raise GraphError("nothing is predicted here: no loss and no output in phase TEST", where=self.d.located.span)
        return makers

    def _reads_label(self, node: LayerNode) -> bool:
        """Whether a layer reads, directly or not, a blob that a loss or report compares predictions with."""
        labels = {b for n in self.losses for b in self._labels(n)} | {
            b for n in self.d.layers if n.type in REPORTS for b in n.bottoms[1:]}
        seen, todo = set(), list(node.bottoms)
        while todo:
            value = todo.pop()
            if value is None or value in seen:
                continue
            seen.add(value)
            if value in labels and value not in self.learned:
                return True
            todo += self.d.layers[self.d.values[value].maker].bottoms
        return False

    def _ancestors(self, values: Sequence[int | None]) -> set[int]:
        """The layers that make these values, and those that these need."""
        found: set[int] = set()
        todo = [v for v in values if v is not None]
        while todo:
            maker = self.d.values[todo.pop()].maker
            if maker not in found:
                found.add(maker)
                todo += [b for b in self.d.layers[maker].bottoms if b is not None]
        return found

    # -- how it is written ----------------------------------------------------------------------------------

    def made(self) -> Deployed:
        """The deploy net and its report."""
        message, left_out = schema.new("NetParameter"), []
        if self.d.name:
            message.name = self.d.name
        for node in self.d.layers:
            if node.index in self.needed:
                if _is_source(node.located.message):
                    self._add_input(message, node)
                elif node.type == "Dropout" and not self.dropout and node.located.message.bottom == node.located.message.top:
                    left_out.append(f"{node.name} (Dropout): does nothing in phase TEST")
                else:
                    message.layer.add().CopyFrom(_cleaned(node.located.message))
            elif node in self.main and self._add_activation(message, node):
                continue
            else:
                left_out.append(f"{node.name} ({node.type}): {self._why_not(node)}")
        return Deployed(message, tuple(self.expects), tuple(left_out), tuple(self.notes))

    def _why_not(self, node: LayerNode) -> str:
        if node.index in self.auxiliary:
            return "an auxiliary loss: another loss of its type reads the same labels and counts more"
        if node in self.losses:
            return "a loss"
        return "it only reports" if node.type in REPORTS else "no prediction needs it"

    def _add_input(self, message: Any, node: LayerNode) -> None:
        """An Input layer for the tops that are read."""
        used = self.needed | {n.index for n in self.main}
        tops = [t for t in node.tops if any(r in self.needed for r, _ in self.d.values[t].readers)
                or (not any(r in used for r, _ in self.d.values[t].readers) and node.type == "Input")]
        names = [self.d.value_name(t) for t in tops]
        layer = message.layer.add(name=names[0] if len(names) == 1 else node.name, type="Input", top=names)
        if isinstance(node.layer, Assumed) and node.layer.assumed and not all(n in self.given for n in names):
            self.notes.append(f"{node.name}: {node.layer.assumed}")
        for name, top in zip(names, tops, strict=True):
            shape = self._shape(node, name, self.inferred.values[top])
            layer.input_param.shape.add(dim=shape)
            self.expects.append(f"{name}: {' x '.join(map(str, shape))}{preprocessing(node.located.message)}")

    def _shape(self, node: LayerNode, name: str, shape: Shape | None) -> Shape:
        shape = self.given.get(name, shape)
        if isinstance(node.layer, Assumed) and name not in self.given:
            index = [self.d.value_name(t) for t in node.tops].index(name)
            known = getattr(node.layer, "shapes", ())
            shape = None if index else known[0] if known else self._picture(node)
        if shape is None:
            raise GraphError(f"{node.who}: the shape of '{name}' is not known, since the data are not here",
                             where=node.located.span, hint=f"--assume {name}={self.batch or 1},C,H,W gives it")
        if node.type == "Input" and self.batch is None or not shape or (name in self.given and self.batch is None):
            return shape
        return (self.batch or 1, *shape[1:])

    def _picture(self, node: LayerNode) -> Shape | None:
        """The shape that a data layer of a type that is not here gives its pictures by a crop or a new size."""
        m, field = node.located.message, options_field(node.type)
        options = getattr(m, field) if field is not None else None
        size = m.transform_param.crop_size or getattr(options, "crop_size", 0)
        height, width = getattr(options, "new_height", 0), getattr(options, "new_width", 0)
        if not size and not (height and width):
            return None
        self.notes.append(f"{node.name}: 3 channels are assumed")
        return (1, 3, size or height, size or width)

    def _add_activation(self, message: Any, node: LayerNode) -> bool:
        """What a loss does to its scores before it compares them; False where it does nothing."""
        kind = activation(node.located.message)
        scores = self._predictions(node)
        if not kind or not scores:
            if node.type == "MultiBoxLoss":
                self.notes.append(f"{node.name} (MultiBoxLoss): boxes are decoded by a DetectionOutput layer, "
                                  "which is not written here")
            return False
        score = self.d.value_name(scores[0])
        if any(n.type == kind and n.index in self.needed and scores[0] in n.bottoms for n in self.d.layers):
            return False  # the net has this output already
        several = sum(bool(activation(n.located.message)) for n in self.main) > 1
        taken = {v.blob for v in self.d.values} | {n.name for n in self.d.layers if n not in self.main}
        name = "prob" if not several and "prob" not in taken else f"{score}_prob"
        layer = message.layer.add(name=name, type=kind, bottom=[score], top=[name])
        if kind == "Softmax" and node.located.message.HasField("softmax_param"):
            layer.softmax_param.CopyFrom(node.located.message.softmax_param)
            layer.softmax_param.ClearField("engine")
            if not layer.softmax_param.ListFields():
                layer.ClearField("softmax_param")
        return True


def _passes(node: LayerNode, bottom: int) -> bool:
    """Whether a layer can pass a gradient to a bottom: what it makes then depends on that bottom smoothly."""
    passes = getattr(node.layer, "differentiable", True)
    return passes if isinstance(passes, bool) else passes[min(bottom, len(passes) - 1)]


def _cleaned(message: Any) -> Any:
    """A layer without what only training reads; params that are shared keep their names."""
    layer = type(message)()
    layer.CopyFrom(message)
    for name in _TRAINING:
        layer.ClearField(name)
    named = [p.name for p in layer.param]
    layer.ClearField("param")
    if any(named):
        for name in named:
            layer.param.add(**({"name": name} if name else {}))
    _drop_fillers(layer)
    return layer


def _drop_fillers(message: Message) -> None:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.name == "FillerParameter":
            message.ClearField(field.name)
        else:
            for inner in value if hasattr(value, "extend") else [value]:
                _drop_fillers(inner)


def preprocessing(message: Any) -> str:
    """What a data layer does to each item in phase TEST, in the order in which it does it; empty for nothing."""
    t, said = message.transform_param, []
    options = getattr(message, "image_data_param", None)
    if options is not None and options.new_height:
        said.append(f"resized to {options.new_height} x {options.new_width}")
    if t.force_gray:
        said.append("grey")
    if t.crop_size:
        said.append(f"cropped to {t.crop_size} x {t.crop_size} at the centre")
    if t.mean_file:
        said.append(f"the mean in '{t.mean_file}' taken off")
    if t.mean_value:
        said.append(f"mean {', '.join(f'{v:g}' for v in t.mean_value)} taken off"
                    + (" (channel by channel)" if len(t.mean_value) > 1 else ""))
    if t.HasField("scale") and t.scale != 1:
        said.append(f"multiplied by {t.scale:.8g}")
    return f"; {', then '.join(said)}" if said else ""
