"""How the answer to `netdef explain --why` reads."""
from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from netdef.graph.assumed import Assumed
from netdef.graph.model import Dropped, GraphPlan, LayerNode
from netdef.graph.paths import Hop, Path
from netdef.graph.render import shape_text
from netdef.graph.target import param_name
from netdef.graph.why import Arrival, Sum, Way, Why

WIDTH = 120
MOST = 12  # lines of one kind, before "and N more"
LONG = 20  # layers of a path that are all shown
ENDS = 5  # layers shown at both ends of a longer one


def render_why(w: Why, set_aside: int = 0) -> str:
    """The verdict, where gradients arrive, where they are stopped, what is assumed. ``set_aside``: a number of
    mistakes in options that ``build.survey`` left alone."""
    parts: list[str] = [_verdict(w)]
    for title, lines in (("params:", _params(w)),
                         ("nothing at or below it learns:", _some([f"  {x}" for x in w.unasked if w.arrivals])),
                         (_arrival_title(w), list(_arrivals(w))),
                         ("a gradient is stopped:", list(_stops(w))),
                         ("gradients are added up on the way:", _some([f"  {_sum(w.plan, s)}" for s in w.sums])),
                         ("assumed:", _some([f"  {n.name} ({n.type}): {_note(n)} [{n.located.span}]"
                                             for n in w.assumed]))):
        if lines:
            parts += ["", title, *lines]
    if w.ends and (w.arrivals or w.stops):
        parts += ["", *_wrapped("leads to no loss: " + ", ".join(f"{n.name} ({n.type})" for n in w.ends[:MOST])
                                + _more(w.ends), "")]
    if set_aside:
        parts += ["", f"set aside: {_count(set_aside, 'mistake')} in the layers' options, which decide no path; "
                  "`netdef explain NET` shows them"]
    return "\n".join(parts)


def _verdict(w: Why) -> str:
    plan, target = w.plan, w.target
    if target.only_params:
        p = target.params[0]
        shape = plan.shapes.inferred[p.layer] and shape_text(tuple(p.init.shape))
        what = f"param {param_name(plan, p)} ({shape or '?'})"
    else:
        what = f"'{target.name}' ({', '.join(shape_text(plan.shapes.values[v]) for v in target.values) or 'no tops'})"
    sure = [_loss_name(plan, a.loss) for a in w.arrivals if a.sure]
    if w.asked and sure:
        return f"{what} gets a gradient, from {', '.join(sure[:MOST])}{_more(sure)}"
    if w.asked and w.arrivals:
        return f"{what}: unknown; whatever could reach it passes Python code, which alone knows"
    return f"{what} gets no gradient: {_why_none(w)}"


def _arrival_title(w: Why) -> str:
    if w.asked:
        return "a gradient arrives:"
    return ("a gradient would arrive, if it learned:" if w.target.only_params else
            "a gradient would arrive, if it were asked for (by propagate_down or force_backward):")


def _why_none(w: Why) -> str:
    if not w.plan.losses:
        return f"the net has no loss ({w.plan.description.state})"
    if w.arrivals:
        return "it does not learn" if w.target.only_params else "nothing at or below it learns, so none is computed"
    if w.stops:
        return "every path to a loss is stopped"
    return "it leads to no loss" if w.ends else "nobody reads it, and it is no loss"


def _params(w: Why) -> list[str]:
    lines = []
    for p in w.target.params:
        inferred = w.plan.shapes.inferred[p.layer]
        forced = w.plan.steps[p.layer].need.params[p.index]
        gets = (f"lr_mult {p.lr_mult:g}" if p.learns else f"{p.reason}, but force_backward computes its gradient"
                if forced else f"none, {p.reason}")
        if p.learns and not w.arrivals:
            gets += ", but no gradient arrives"
        if p.owner != p.id:
            gets += f"; its memory is that of {param_name(w.plan, w.plan.params[p.owner])}, where gradients are added up"
        shape = "?" if inferred is None else shape_text(tuple(p.init.shape))
        lines.append(f"  {param_name(w.plan, p)} ({shape}): {gets}")
    return lines


def _arrivals(w: Why) -> Iterator[str]:
    for a in w.arrivals[:MOST]:
        yield f"  from {_loss(w.plan, a.loss)}, {_weight(a.weight)}: {_count(a.paths, 'path')}{_unsure(a)}"
        ways = sorted(a.ways, key=lambda way: len(way.shortest))
        for way in ways[:MOST]:
            yield from _wrapped(_by(w, way, len(ways)) + _chain(w, way.shortest, []), "    ")
        if len(ways) > MOST:
            yield f"    ... and by {len(ways) - MOST} more"
    if len(w.arrivals) > MOST:
        yield f"  ... and from {len(w.arrivals) - MOST} more losses"


def _unsure(a: Arrival) -> str:
    unsure = sum(way.unsure for way in a.ways)
    if not unsure:
        return ""
    return f" ({'all' if unsure == a.paths else f'{unsure:,} of them'} through Python code, which alone knows)"


def _by(w: Why, way: Way, ways: int) -> str:
    if ways == 1 or way.by is None:
        return ""
    return f"{way.paths:,} by {w.plan.description.layers[way.by[0]].name}: "


def _stops(w: Why) -> Iterator[str]:
    told: dict[object, str] = {}  # stops above that were listed before, at which place
    for stop in w.stops[:MOST]:
        yield f"  at {_place(w.plan, stop.layer, stop.bottom)}: {stop.reason}"
        losses = [_loss_name(w.plan, x) for x in stop.losses]
        lost = f" of {', '.join(losses[:MOST])}{_more(losses)}" if losses else ""
        lead = f"{_count(stop.paths, 'path')}{lost}" + (", the shortest: " if stop.paths > 1 else ": ")
        blocked = [h for h, _ in stop.above]
        if isinstance(stop.layer, LayerNode):
            blocked += [hop for hop in stop.shortest if hop[0] == stop.layer.index]
        end = f"{stop.layer.name} -x " if isinstance(stop.layer, Dropped) else ""
        yield from _wrapped(lead + end + _chain(w, stop.shortest, blocked), "    ")
        if stop.above and stop.above in told:
            yield f"    above it as at {told[stop.above]}"
        elif stop.above:
            told[stop.above] = _place(w.plan, stop.layer, stop.bottom)
            yield "    above it, these pass nothing down either:"
            yield from _some([f"      {_place(w.plan, w.plan.description.layers[layer], bottom)}: {reason}"
                              for (layer, bottom), reason in stop.above])
    if len(w.stops) > MOST:
        yield f"  ... and at {len(w.stops) - MOST} more places"


def _place(plan: GraphPlan, layer: LayerNode | Dropped, bottom: int | None) -> str:
    if bottom is None or isinstance(layer, Dropped):
        return f"{layer.name} ({layer.type})"
    return f"{layer.name}, bottom {bottom} '{layer.located.message.bottom[bottom]}'"


def _chain(w: Why, path: Path, blocked: Sequence[Hop]) -> str:
    """``loss -> ip2 -> ip1 -> 'data'`` from the loss down, ``-x`` behind a layer that passes nothing on."""
    names = [w.plan.description.layers[layer].name for layer, _ in reversed(path)]
    stopped = [hop in blocked for hop in reversed(path)]
    kept = _kept(stopped)
    text, left_out = "", 0
    for name, stop, keep in zip(names, stopped, kept, strict=True):
        if keep:
            text += (f"... {left_out} layers ... -> " if left_out else "") + f"{name} {'-x' if stop else '->'} "
            left_out = 0
        else:
            left_out += 1
    return text + _end(w, path)


def _end(w: Why, path: Path) -> str:
    """What a path leads down to; of a param that several layers share, the one at its end."""
    d = w.plan.description
    start = d.layers[path[0][0]].bottoms[path[0][1]] if path else w.target.values[0]
    if not w.target.only_params or start is None:
        return f"'{w.target.name}'"
    param = next((p for p in w.target.params if p.layer == d.values[start].maker), w.target.params[0])
    return f"({d.layers[param.layer].name}[{param.index}])"


def _kept(stopped: Sequence[bool]) -> list[bool]:
    """Which layers of a path to show: all of a short one, else both ends and the neighbours of stops."""
    n = len(stopped)
    if n <= LONG:
        return [True] * n
    kept = [i < ENDS or i >= n - ENDS or any(stopped[max(i - 1, 0): i + 2]) for i in range(n)]
    return [k or any(kept[i + 1: i + 3]) and any(kept[max(i - 2, 0): i]) for i, k in enumerate(kept)]


def _sum(plan: GraphPlan, s: Sum) -> str:
    names = ["its own loss" if hop is None else plan.description.layers[hop[0]].name for hop in s.parts]
    nothing = ", ".join(plan.description.layers[layer].name for layer, _ in s.nothing)
    return (f"{plan.description.version_name(s.value)} = {' + '.join(names)}"
            + (f" (nothing from {nothing})" if nothing else ""))


def _note(node: LayerNode) -> str:
    if isinstance(node.layer, Assumed):
        return node.layer.assumed
    return "Python code; whether its backward passes a gradient, only it knows"


def _loss(plan: GraphPlan, value: int) -> str:
    return f"{_loss_name(plan, value)} ({plan.description.layers[plan.description.values[value].maker].type})"


def _loss_name(plan: GraphPlan, value: int) -> str:
    """The layer's name; the top's too where the layer has several losses."""
    v = plan.description.values[value]
    node = plan.description.layers[v.maker]
    several = sum(t in plan.losses for t in node.tops) > 1
    return f"{node.name}'s {v.blob}" if several else node.name


def _weight(weight: float) -> str:
    return f"loss_weight {weight:g}"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}" if n < 10**15 else f"{float(n):.3g} {what}s"


def _some(lines: Sequence[str]) -> list[str]:
    return [*lines[:MOST], *([f"  ... and {len(lines) - MOST} more"] if len(lines) > MOST else [])]


def _more(items: Sequence[object]) -> str:
    return f" and {len(items) - MOST} more" if len(items) > MOST else ""


def _wrapped(text: str, indent: str) -> Iterable[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False,
                         break_long_words=False)
