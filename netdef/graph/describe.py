"""describe: message + state -> NetDescription.

Keeps the layers the rules keep, looks their types up, resolves bottoms and tops, marks in-place layers and numbers the
versions of each blob. File order is execution order, as in Caffe.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from netdef.config.located import Located
from netdef.errors import Collector, DuplicateTop, GraphError, NetdefError, Span, UnknownBlob, did_you_mean
from netdef.graph import assumed, standin
from netdef.graph.filter import PHASES, merged_state, reason_to_drop
from netdef.graph.model import AUTOMATIC, Dropped, LayerNode, NetDescription, State, Value
from netdef.graph.standin import Assumptions
from netdef.layers import registry
from netdef.layers.base import Layer, LayerSpec


def describe(net: Located, phase: str | None = None, level: int | None = None, stages: tuple[str, ...] = (),
             errors: Collector | None = None, assume: Assumptions | None = None) -> NetDescription:
    """The description of a NetParameter for one state.

    With ``assume``, data layers without data and Python layers without their modules are replaced by stand-ins that
    have shapes as far as these are known (``standin.py``); with ``assume.everything`` so are unknown types, and types
    that cannot be made (``assumed.py``). Such a net is looked at and does not run. BadAssumption for a shape that is
    given to a blob which is not open to it.

    Mistakes go into ``errors`` (and the description goes on without the bad edge); without a collector they are
    raised together: UnknownLayerType, UnknownBlob, DuplicateTop, GraphError, FieldError.
    """
    collector = errors if errors is not None else Collector()
    state = merged_state(net.message, phase, level, tuple(stages))
    kept, dropped = _filtered(net, state, collector)
    builder = _Builder(state, kept, dropped, collector, assume)
    for located in kept:
        builder.add(located)
    if assume is not None:
        standin.check_used(assume, builder.nodes, builder.values, dropped)
    description = builder.finish(net)
    if errors is None:
        collector.raise_all()
    return description


def _filtered(net: Located, state: State, errors: Collector) -> tuple[list[Located], list[Dropped]]:
    kept, dropped = [], []
    for located in net.children("layer"):
        reason = None
        with errors:
            reason = reason_to_drop(located, state)
        if reason is None:
            kept.append(located)
        else:
            m = located.message
            dropped.append(Dropped(m.name, m.type, tuple(m.bottom), tuple(m.top), reason, located.span,
                                   _would_be_loss(m)))
    return kept, dropped


def _would_be_loss(message: Any) -> bool:
    """Whether a layer that is left out would have had a loss: as written, else by its type."""
    if message.loss_weight:
        return any(message.loss_weight)
    cls = registry.layer_types().get(message.type)
    return cls.is_loss if cls is not None else message.type.endswith("Loss")


class _Builder:
    """Walks the kept layers in file order and keeps who made which blob last."""

    def __init__(self, state: State, kept: list[Located], dropped: list[Dropped], errors: Collector,
                 assume: Assumptions | None) -> None:
        self.state = state
        self.assume = assume
        self.kept = kept
        self.dropped = dropped
        self.errors = errors
        self.nodes: list[LayerNode] = []
        self.values: list[Value] = []
        self.current: dict[str, int] = {}  # blob -> its newest version
        self.names: dict[str, Span] = {}  # of layers with params

    def add(self, located: Located) -> None:
        cls = self._find_type(located)
        phase = PHASES[located.message.phase] if located.message.HasField("phase") else self.state.phase
        bottoms = self._bottoms(located)
        tops = self._tops(located, bottoms)
        spec, layer = self._make_layer(located, cls, phase, tops)
        self._check_name(located, layer)
        if cls is not None and cls.is_loss:
            while len(tops) < cls.tops.least:
                tops = (*tops, self._new_value(AUTOMATIC, len(tops), None))
        weights = self._loss_weights(located, cls, len(tops))
        self.nodes.append(LayerNode(len(self.nodes), located.message.name, located.message.type, located, spec, layer,
                                    bottoms, tops, weights))

    def _check_name(self, located: Located, layer: Layer | None) -> None:
        """Two layers may have one name (two losses called "loss", say), as in Caffe, unless both have params: weights
        files tell params apart by the names of their layers."""
        if layer is None or not layer.param_names:
            return
        name = located.message.name
        first = self.names.setdefault(name, located.span)
        if first is not located.span:
            self.errors.add(GraphError(f"layer '{name}' ({located.message.type}): a layer with params of this name stands "
                                       f"at {first}", where=located.span_of("name"),
                                       hint="weights are matched by the names of layers, so each needs one of its own"))

    def _find_type(self, located: Located) -> type[Layer] | None:
        m = located.message
        with self.errors:
            if not m.type:
                if not located.broken:
                    raise GraphError(f"layer '{m.name}': has no type", where=located.span)
                return None
            if self.assume is not None and m.type not in registry.layer_types():
                made = assumed.unknown_class(m) if self.assume.everything else standin.unknown_type(m, self.assume)
                if made is not None:
                    return made
            if self.assume is not None and self.assume.everything and assumed.known_python(m):
                return assumed.unknown_class(m)
            return registry.find(m.type, located.span_of("type"), f"layer '{m.name}'")
        return None

    def _bottoms(self, located: Located) -> tuple[int | None, ...]:
        ids: list[int | None] = []
        for i, blob in enumerate(located.message.bottom):
            value = self.current.get(blob)
            if value is None:
                self.errors.add(self._unknown_blob(located, i, blob))
            else:
                v = self.values[value]
                self.values[value] = replace(v, readers=(*v.readers, (len(self.nodes), i)))
            ids.append(value)
        return tuple(ids)

    def _unknown_blob(self, located: Located, i: int, blob: str) -> UnknownBlob:
        m = located.message
        later = next((k for k in self.kept[len(self.nodes):] if blob in k.message.top), None)
        left_out = next((d for d in self.dropped if blob in d.tops), None)
        if later is not None and later.message is not m:
            hint = (f"layer '{later.message.name}' makes it, but stands behind at {later.span}; "
                    "layers run in the order of the file")
        elif left_out is not None:
            hint = f"layer '{left_out.name}' at {left_out.span} makes it, but is left out here: {left_out.reason}"
        else:
            hint = did_you_mean(blob, self.current) or (
                f"blobs so far: {', '.join(self.current)}" if 0 < len(self.current) <= 8 else "")
        return UnknownBlob(f"layer '{m.name}' ({m.type}): bottom '{blob}' is made by no layer before it "
                           f"(phase {self.state.phase})", where=located.span_of("bottom", i), hint=hint)

    def _tops(self, located: Located, bottoms: tuple[int | None, ...]) -> tuple[int, ...]:
        m = located.message
        ids = []
        for i, blob in enumerate(m.top):
            in_place = i < len(m.bottom) and m.bottom[i] == blob
            if in_place:
                self._check_only_reader(located, i, bottoms[i])
            elif blob in self.current:
                self.errors.add(self._duplicate(located, i, blob))
            ids.append(self._new_value(blob, i, bottoms[i] if in_place else None))
        return tuple(ids)

    def _check_only_reader(self, located: Located, i: int, value: int | None) -> None:
        """An in-place layer changes what earlier readers saw; Caffe refuses this as two makers of one blob."""
        if value is None:
            return
        others = [r for r in self.values[value].readers if r != (len(self.nodes), i)]
        if others:
            m, other = located.message, self.nodes[others[0][0]] if others[0][0] < len(self.nodes) else None
            reader = (f"layer '{other.name}' ({other.type}) at {other.located.span}" if other
                      else "another bottom of the same layer")
            self.errors.add(GraphError(
                f"layer '{m.name}' ({m.type}): works in place on '{m.top[i]}', which {reader} reads too and "
                "would find changed in backward", where=located.span_of("top", i),
                hint="give the top a name of its own, or put the in-place layer first"))

    def _duplicate(self, located: Located, i: int, blob: str) -> DuplicateTop:
        m = located.message
        value = self.values[self.current[blob]]
        same = value.maker == len(self.nodes)
        maker = located if same else self.nodes[value.maker].located
        where = "this layer's own top " + str(value.top) if same else (
            f"layer '{maker.message.name}' ({maker.message.type}) at {maker.span_of('top', value.top)}")
        hint = "give it another name"
        if blob in m.bottom:
            hint += f", or make it in place: bottom and top number {i} must be the same"
        return DuplicateTop(f"layer '{m.name}' ({m.type}): top '{blob}' is already made by {where}",
                            where=located.span_of("top", i), hint=hint)

    def _new_value(self, blob: str, top: int, replaces: int | None) -> int:
        value = Value(len(self.values), blob, len(self.nodes), top, (), replaces)
        self.values.append(value)
        if not value.automatic:
            self.current[blob] = value.id
        return value.id

    def _make_layer(self, located: Located, cls: type[Layer] | None, phase: str, tops: tuple[int, ...]
                    ) -> tuple[LayerSpec, Layer | None]:
        m = located.message
        num_tops = max(len(tops), cls.tops.least) if cls is not None and cls.is_loss else len(tops)
        spec = LayerSpec(located, phase, cls.options_field if cls else None, len(m.bottom), num_tops)
        if cls is None or (located.broken and not (self.assume and self.assume.everything)):
            return spec, None
        found = len(self.errors.found)
        layer: Layer | None = None
        with self.errors:
            self._check_arity(spec, cls)
            layer = cls(spec) if self.assume is None else self._make_or_assume(spec, cls, self.assume)
            if self.assume is None:
                spec.peeked = _peek(cls, spec)
        kept = len(self.errors.found) == found or (self.assume and self.assume.everything)
        return spec, layer if kept else None

    def _make_or_assume(self, spec: LayerSpec, cls: type[Layer], assume: Assumptions) -> Layer:
        """The layer, or what stands in for it. Raises what is no reason for a stand-in."""
        if issubclass(cls, assumed.Assumed):
            return standin.shaped(cls(spec), assume)
        if spec.located.broken:
            return assumed.stand_in(cls, spec, None)
        error = None
        try:
            layer: Layer = cls(spec)
            spec.peeked = _peek(cls, spec)
        except NetdefError as e:
            error = e
        made = standin.stand_in(cls, spec, assume, error)
        if made is not None:
            return made
        if error is None:
            return layer
        if assume.everything:
            return assumed.stand_in(cls, spec, error)
        raise error

    def _check_arity(self, spec: LayerSpec, cls: type[Layer]) -> None:
        for what, n, arity in (("bottom", spec.num_bottoms, cls.bottoms), ("top", spec.num_tops, cls.tops)):
            if not arity.allows(n):
                s = "" if str(arity) == "1" else "s"
                where = spec.span(what, arity.most) if arity.most is not None and n > arity.most else spec.span()
                self.errors.add(GraphError(f"{spec.who}: expected {arity} {what}{s}, got {n}", where=where))
        if cls.same_number and spec.num_bottoms != spec.num_tops:
            self.errors.add(GraphError(f"{spec.who}: expected as many tops as bottoms, got {spec.num_bottoms} "
                                       f"bottoms and {spec.num_tops} tops", where=spec.span()))

    def _loss_weights(self, located: Located, cls: type[Layer] | None, num_tops: int) -> tuple[float, ...]:
        m = located.message
        given = list(m.loss_weight)
        if given and len(given) != num_tops:
            self.errors.add(GraphError(f"layer '{m.name}' ({m.type}): expected one loss_weight a top ({num_tops}), "
                                       f"got {len(given)}", where=located.span_of("loss_weight", 0)))
            given = []
        if given:
            return tuple(given)
        is_loss = cls is not None and cls.is_loss
        return tuple(1.0 if is_loss and i == 0 else 0.0 for i in range(num_tops))

    def finish(self, net: Located) -> NetDescription:
        inputs = [v.blob for v in self.values if self.nodes[v.maker].type == "Input"]
        outputs = sorted(v.blob for v in self.values if not v.readers and not v.automatic
                         and self.current.get(v.blob) == v.id)
        return NetDescription(net.message.name, self.state, tuple(self.nodes), tuple(self.values), tuple(self.dropped),
                              tuple(inputs), tuple(outputs), net.message.force_backward, net)


def _peek(cls: type[Layer], spec: LayerSpec):
    try:
        return cls.peek(spec)
    except NetdefError as e:
        if e.where is None or not isinstance(e.where, Span):
            raise GraphError(f"{spec.who}: {e.message}", where=spec.option_span("source"), hint=e.hint) from e
        raise
