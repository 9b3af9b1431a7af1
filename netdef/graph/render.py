"""How each stage prints: what `netdef explain` shows, and answers to "what bookkeeping?"."""
from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from netdef.config.recognise import Dialect, recognise
from netdef.graph.assumed import Assumed
from netdef.graph.memorytext import peak_lines, plan_lines, size
from netdef.graph.model import GraphPlan, LayerNode, NetDescription, NetShapes, Step
from netdef.layers.base import Shape


def table(rows: Iterable[Sequence[object]], head: Sequence[str], right: Iterable[int] = ()) -> str:
    """Columns as wide as their widest cell; the columns in ``right`` are aligned to the right."""
    cells = [[str(c) for c in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    numeric = set(right)
    return "\n".join("  ".join(c.rjust(w) if i in numeric else c.ljust(w)
                               for i, (c, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in cells)


def shape_text(shape: Shape | None) -> str:
    """``64x20x24x24``; ``scalar`` for no axes, ``?`` where unknown."""
    if shape is None:
        return "?"
    return "x".join(map(str, shape)) if shape else "scalar"


def render_shape(s: NetShapes, value: int) -> str:
    """A value's shape, marked where it is assumed because its data are not here."""
    maker = s.description.layers[s.description.values[value].maker].layer
    marked = isinstance(maker, Assumed) and s.values[value] is not None
    return shape_text(s.values[value]) + (" (assumed)" if marked else "")


def assumptions(d: NetDescription) -> list[str]:
    """What is assumed of layers whose data or modules are not here: a title and a line each, or nothing."""
    lines = [f"  {n.name} ({n.type}): {n.layer.assumed} [{n.located.span}]" for n in d.layers if isinstance(n.layer, Assumed)]
    return ["", "assumed, for want of data or code:", *lines] if lines else []


def render_description(d: NetDescription) -> str:
    """Layers kept, in order, with bottoms and tops; then what was left out and why."""
    rows = [(i, n.name, n.type, _names(d, n.bottoms) or "-", _tops(d, n), n.located.span)
            for i, n in enumerate(d.layers)]
    parts = [f"net '{d.name}', {d.state}", "", table(rows, ("#", "layer", "type", "bottoms", "tops", "where"), [0])]
    if d.dropped:
        parts += ["", "left out:"]
        parts += [f"  {x.name} ({x.type}) at {x.span}: {x.reason}" for x in d.dropped]
    parts += ["", f"inputs:  {', '.join(d.inputs) or '-'}", f"outputs: {', '.join(d.outputs) or '-'}", *assumptions(d)]
    return "\n".join(parts)


def _names(d: NetDescription, values: Iterable[int | None]) -> str:
    return ", ".join("?" if v is None else d.value_name(v) for v in values)


def _tops(d: NetDescription, node: LayerNode) -> str:
    names = []
    for value, weight in zip(node.tops, node.loss_weights, strict=True):
        name = d.value_name(value)
        if d.values[value].replaces is not None:
            name += " (in place)"
        if weight:
            name += f" (loss, weight {weight:g})"
        names.append(name)
    return ", ".join(names) or "-"


def render_shapes(s: NetShapes) -> str:
    """Every layer's tops, params and multiply-adds."""
    rows = []
    for node, inferred in zip(s.description.layers, s.inferred, strict=True):
        tops = ", ".join(f"{s.description.value_name(t)} {render_shape(s, t)}" for t in node.tops) or "-"
        params = macs = "?"
        if inferred is not None:
            params = ", ".join(f"{p.name} {shape_text(p.shape)}" for p in inferred.params) or "-"
            macs = f"{inferred.macs:,}" if inferred.macs else "-"
        rows.append((node.name, node.type, tops, params, macs))
    return "\n".join([table(rows, ("layer", "type", "tops", "params", "multiply-adds"), [4]), *assumptions(s.description)])


def render_plan(p: GraphPlan) -> str:
    """The bookkeeping: both orders, every blob's maker, readers and gradient, sums, stops, sharing."""
    d = p.description
    parts = [f"net '{d.name}', {d.state}", "",
             "forward:  " + " -> ".join(s.node.name for s in p.steps),
             "backward: " + (" -> ".join(p.steps[i].node.name for i in p.backward_order) or "nothing runs: "
                             + _why_nothing(p)), ""]
    parts.append(_blob_table(p))
    for title, lines in (("losses:", _losses(p)), ("gradients are added up at:", _sum_lines(p)),
                         ("gradients stop at:", _stops(p)), ("params:", _params(p))):
        if lines:
            parts += ["", title, *(f"  {line}" for line in lines)]
    parts += plan_lines(p)
    return "\n".join([*parts, *assumptions(d)])


def _why_nothing(p: GraphPlan) -> str:
    if not p.losses:
        return "the net has no loss"
    return "nothing learns" if not any(x.learns for x in p.params) else "no loss depends on a param"


def _blob_table(p: GraphPlan) -> str:
    d, rows = p.description, []
    for value in d.values:
        maker = d.layers[value.maker]
        readers = ", ".join(dict.fromkeys(d.layers[layer].name for layer, _ in value.readers))
        gets = value.id in p.with_gradient
        why = p.gradients[value.id] if gets or not _wanted(p, value.id) else _no_reader(p, value.id)
        name = value.blob + (" (in place)" if value.replaces is not None else "")
        rows.append((name, render_shape(p.shapes, value.id), maker.name, readers or "nobody (output)",
                     "yes" if gets else "no", why))
    return table(rows, ("blob", "shape", "made by", "read by", "gradient", "why"))


def _wanted(p: GraphPlan, value: int) -> bool:
    """Whether something below a value learns, so that a missing gradient is the readers' doing."""
    text = p.gradients[value].text
    return "nothing below" not in text and any(word in text for word in ("learns", "force"))


def _no_reader(p: GraphPlan, value: int) -> str:
    readers = p.description.values[value].readers
    if not readers:
        return "nobody reads it and it is no loss"
    layer, bottom = readers[0]
    step = p.steps[layer]
    return str(step.edges[bottom].reason if step.backward else step.reason)


def _losses(p: GraphPlan) -> list[str]:
    return [f"{p.description.value_name(v)} (of {p.description.layers[p.description.values[v].maker].name}), "
            f"weight {w:g}" for v, w in p.losses.items()]


def _sum_lines(p: GraphPlan) -> list[str]:
    lines = []
    for value, edges in p.sums.items():
        if value not in p.with_gradient:
            continue
        users = p.uses(value)
        d = p.description
        names = [f"{d.layers[e[0]].name} ({d.split_name(value, users.index(e))})" for e in edges]
        if value in p.losses:
            names.insert(0, f"its own loss weight {p.losses[value]:g}")
        lines.append(f"{p.description.value_name(value)} = {' + '.join(names) or '0'}")
    return lines


def _stops(p: GraphPlan) -> list[str]:
    return [line for step in p.steps for line in _stops_of(p, step)]


def _stops_of(p: GraphPlan, step: Step) -> list[str]:
    """Only edges where a gradient could be of use below; data and labels below which nothing learns stay out."""
    lines = []
    for i, edge in enumerate(step.edges):
        value = step.node.bottoms[i]
        if value is None or step.need.bottoms[i] or not _wanted(p, value):
            continue
        why = edge.reason if step.backward or not edge.flows else step.reason
        lines.append(f"{p.description.value_name(value)} -> {step.node.name} (bottom {i}): {why}")
    return lines


def _params(p: GraphPlan) -> list[str]:
    lines = []
    for param in p.params:
        name = f"{p.description.layers[param.layer].name}[{param.index}] {param.init.name}"
        text = (f"{name} {shape_text(tuple(param.init.shape))}, lr_mult {param.lr_mult:g}, "
                f"decay_mult {param.decay_mult:g}")
        if param.owner != param.id:
            owner = p.params[param.owner]
            text += f"; shares '{param.share_name}' with {p.description.layers[owner.layer].name}[{owner.index}]"
        if not param.learns:
            text += f"; frozen: {param.reason}"
        lines.append(text)
    return lines


def render_summary(p: GraphPlan, itemsize: int = 4, dialect: Dialect | None = None) -> str:
    """Layers, shapes, numbers of params, multiply-adds and memory, with totals; ``itemsize`` in bytes a value.

    ``dialect`` is the Caffe that the net was written for; None: it is recognised, and said unless it is plain Caffe.
    """
    dialect = dialect or recognise(p.description.located)
    d, rows, macs = p.description, [], 0
    for step in p.steps:
        n = sum(math.prod(x.shape) for x in step.inferred.params)
        macs += step.inferred.macs
        known = p.shapes.inferred[step.node.index] is not None or isinstance(step.node.layer, Assumed)
        tops = ", ".join(render_shape(p.shapes, t) for t in step.node.tops) or "-"
        rows.append((step.node.name, step.node.type, tops, f"{n:,}" if n else "-" if known else "?",
                     f"{step.inferred.macs:,}" if step.inferred.macs else "-" if known else "?"))
    params = sum(math.prod(x.init.shape) for x in p.params if x.owner == x.id and p.shapes.inferred[x.layer] is not None)
    sizes = {v.id: math.prod(shape) * itemsize for v in d.values
             if v.replaces is None and (shape := p.shapes.values[v.id]) is not None}
    diffs = sum(size for value, size in sizes.items() if value in p.with_gradient)
    unknown = sum(n.layer is not None and x is None and not isinstance(n.layer, Assumed)
                  for n, x in zip(d.layers, p.shapes.inferred, strict=True))
    lines = [f"net '{d.name}', {d.state}", "",
             table(rows, ("layer", "type", "tops", "params", "multiply-adds"), [3, 4]), "",
             f"layers         {len(p.steps)}" + (f", {unknown} of unknown shape, not counted below" if unknown else ""),
             f"params         {params:,} ({size(params * itemsize)})",
             f"multiply-adds  {macs:,} a forward pass",
             f"memory         {size(sum(sizes.values()))} for blobs, {size(diffs)} for their gradients"]
    lines += peak_lines(p, itemsize)
    if not dialect.plain:
        lines.append(f"dialect        {dialect}")
    return "\n".join([*lines, *assumptions(d)])
