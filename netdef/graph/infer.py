"""infer: NetDescription -> NetShapes, layer by layer in file order. Opens nothing and computes no values."""
from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message

from netdef import fillers
from netdef.errors import Collector, ConfigError, FieldError, ShapeError
from netdef.graph.assumed import Assumed
from netdef.graph.model import LayerNode, NetDescription, NetShapes
from netdef.layers.base import Inferred, ParamInit, Shape


def infer(description: NetDescription, inputs: Mapping[str, Shape] | None = None,
          errors: Collector | None = None) -> NetShapes:
    """The shape of every value.

    ``inputs`` replaces the shapes of Input tops by name. Behind a layer whose shapes are unknown nothing is said
    again. Raises ShapeError (ConfigErrors for several) unless a collector is given.
    """
    collector = errors if errors is not None else Collector()
    values: list[Shape | None] = [None] * len(description.values)
    inferred: list[Inferred | None] = []
    for node in description.layers:
        result = None
        shapes = [None if b is None else values[b] for b in node.bottoms]
        if node.layer is not None and not isinstance(node.layer, Assumed) and None not in shapes:
            with collector:
                result = (_given(description, node, inputs or {})
                          or infer_layer(description, node, tuple(s for s in shapes if s is not None)))
        inferred.append(result)
        if result is not None:
            for top, shape in zip(node.tops, result.tops, strict=True):
                values[top] = tuple(shape)
        elif isinstance(node.layer, Assumed):
            for i, top in enumerate(node.tops):
                replaced = description.values[top].replaces
                known = node.layer.shapes[i] if i < len(node.layer.shapes) else None
                values[top] = values[replaced] if known is None and replaced is not None else known
    if errors is None:
        collector.raise_all()
    return NetShapes(description, tuple(values), tuple(inferred))


def _given(description: NetDescription, node: LayerNode, inputs: Mapping[str, Shape]) -> Inferred | None:
    """An Input layer whose tops the caller gives shapes; tops that are not given keep those of the config."""
    names = [description.value_name(t) for t in node.tops]
    if node.type != "Input" or not any(n in inputs for n in names):
        return None
    if all(n in inputs for n in names):
        return Inferred(tops=[tuple(inputs[n]) for n in names])
    written = infer_layer(description, node, ()).tops
    return Inferred(tops=[tuple(inputs.get(n, shape)) for n, shape in zip(names, written, strict=True)])


def infer_layer(description: NetDescription, node: LayerNode, shapes: tuple[Shape, ...]) -> Inferred:
    """One layer's shapes; a ShapeError is told who made its bottoms."""
    assert node.layer is not None
    try:
        result = node.layer.infer(shapes)
    except ShapeError as e:
        raise ShapeError(e.message, where=e.where, hint=e.hint, notes=_made_by(description, node, shapes)) from None
    for i, top in enumerate(node.tops):
        replaced = description.values[top].replaces
        if replaced is not None and tuple(result.tops[i]) != tuple(shapes[i]):
            raise ShapeError(f"{node.who}: works in place on '{description.value_name(top)}' but changes its shape "
                             f"from {shapes[i]} to {tuple(result.tops[i])}", where=node.located.span_of("top", i),
                             hint="give the top a name of its own")
    _check_size(node, result)
    for param in result.params:
        if isinstance(param.filler, Message):
            _check_filler(node, param)
    return result


def _check_filler(node: LayerNode, param: ParamInit) -> None:
    """A filler that cannot work is a mistake in the config, found before anything is filled."""
    field = node.spec.options_field
    where = node.located.span_of(field, param.option, "type") if field and param.option else node.located.span
    try:
        fillers.check(param.filler, where)
    except FieldError as e:
        raise FieldError(f"{node.who}: {e.message}", where=e.where, hint=e.hint) from None


def _made_by(description: NetDescription, node: LayerNode, shapes: tuple[Shape, ...]) -> list[str]:
    lines = []
    for i, (value, shape) in enumerate(zip(node.bottoms, shapes, strict=True)):
        assert value is not None
        maker = description.layers[description.values[value].maker]
        lines.append(f"bottom {i} '{description.value_name(value)}' has shape {shape}, made by {maker.who} "
                     f"at {maker.located.span}")
    return lines


def _check_size(node: LayerNode, result: Inferred) -> None:
    """Refuse what no machine could hold before anything tries to allocate it."""
    for shape in [*result.tops, *(p.shape for p in result.params)]:
        count = 1
        for n in shape:
            if n < 0:
                raise ConfigError(f"{node.who}: a size in {tuple(shape)} is negative", where=node.located.span)
            count *= n
        if count >= 2**40:
            raise ShapeError(f"{node.who}: an array of shape {tuple(shape)} has {count} values, more than fit in "
                             "memory", where=node.located.span)
