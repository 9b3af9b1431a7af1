"""Learning: params that cannot learn, or not what was meant."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netdef.graph.model import LayerNode
from netdef.lint.rules import Hit, rule
from netdef.lint.subject import View, is_loss, known, option, width

RANDOM = ("uniform", "gaussian", "xavier", "msra", "positive_unitball")
_CHANNELWISE = ("BatchNorm", "Scale", "Bias", "PReLU", "BN", "GroupNorm", "LayerNorm", "Normalize")
_LINEAR = ("Dropout", "Scale", "Bias", "Flatten")


def filler(view: View, node: LayerNode) -> Any:
    """The filler of a layer's weights (of their owner, where they are shared); None where the type has none."""
    params = view.params(node)
    if params and params[0].owner != params[0].id:
        node = view.d.layers[view.plan.params[params[0].owner].layer]
    return option(node, "weight_filler") if known(node) else None


def weighted(view: View) -> list[LayerNode]:
    """The layers with weights that have a filler: Convolution, InnerProduct and their like."""
    return [n for n in view.d.layers if filler(view, n) is not None and n.bottoms]


def unfilled(view: View) -> bool:
    """Whether most layers have no filler: such a net is meant to get its weights from a file."""
    layers = weighted(view)
    return len(layers) > 2 and 2 * sum(not _written(n) for n in layers) >= len(layers)


def _written(node: LayerNode) -> bool:
    return bool(node.spec.has("weight_filler"))


def _equal(view: View, node: LayerNode) -> bool:
    """Whether all weights begin as one number."""
    made = filler(view, node)
    return made is not None and made.type == "constant"


def _learns(view: View, node: LayerNode) -> bool:
    params = view.params(node)
    return bool(params) and params[0].learns


def _next(view: View, node: LayerNode) -> list[LayerNode] | None:
    """The layers with weights that a layer's output comes to next; None where it comes to a loss or what is not known."""
    found, todo, seen = [], view.above(node), set()
    while todo:
        at = todo.pop()
        if at.index in seen:
            continue
        seen.add(at.index)
        if is_loss(at) or not known(at) or at.type == "Python":
            return None
        if filler(view, at) is not None:
            found.append(at)
        elif at.layer is not None and at.layer.param_names and at.type not in _CHANNELWISE:
            return None
        else:
            todo += view.above(at)
    return found


@rule("zero-weights", "warning", "train")
def zero_weights(view: View) -> Iterator[Hit]:
    """A layer whose weights begin equal gives equal outputs, and learns different ones only if the layer above
    tells its outputs apart. Without a weight_filler they begin at 0 (Caffe's default); a ReLU behind it then passes no
    gradient at all, and a layer above that also begins equal gives every unit the same gradient for ever. A last layer
    of zeros learns and is not reported."""
    if view.loaded or unfilled(view):
        return
    for node in weighted(view):
        if not _equal(view, node) or not _learns(view, node):
            continue
        span = node.spec.option_span("weight_filler" if _written(node) else "")
        made, do = filler(view, node), "weight_filler { type: \"xavier\" }, or msra before a ReLU"
        value = f"begin at {made.value:g}" + ("" if _written(node) else " (no weight_filler is written)")
        relu = [n for n in view.above(node) if n.type == "ReLU" and not option(n, "negative_slope")]
        ups = _next(view, node)
        if made.value == 0 and relu and len(relu) == len(view.above(node)) and not _biased(node):
            yield Hit(span, f"{node.who}: its weights {value}, and ReLU '{relu[0].name}' lets no gradient back "
                      "through outputs of 0", do, "error")
        elif width(node) > 1 and ups and all(_equal(view, up) for up in ups):
            yield Hit(span, f"{node.who}: its weights {value} and so do those of '{ups[0].name}' above: its {width(node)} "
                      "outputs stay equal", do)


def _biased(node: LayerNode) -> bool:
    made = option(node, "bias_filler")
    return bool(option(node, "bias_term")) and made is not None and (made.type != "constant" or made.value > 0)


@rule("needs-weights", "note", "train")
def needs_weights(view: View) -> Iterator[Hit]:
    """Most layers of this net have no weight_filler, so that their weights begin at 0. Such nets are made to start
    from trained weights; trained from scratch they learn nothing."""
    if view.loaded or not unfilled(view):
        return
    missing = [n for n in weighted(view) if not _written(n)]
    first = missing[0]
    yield Hit(first.located.span, f"{first.who} and {len(missing) - 1} more layers have no weight_filler",
              "train it with --weights FILE or the solver's `weights`, or give it fillers; --loaded says that it has weights")


@rule("zero-scale", "warning", "train")
def zero_scale(view: View) -> Iterator[Hit]:
    """A Scale with a filler of 0 gives only zeros at first and passes no gradient down. An explicit filler
    without a value means 0, not the 1 that Scale has by default. As the last Scale of a residual branch it is a known
    trick and is not reported."""
    for node in view.d.layers:
        if node.type != "Scale" or not known(node) or view.loaded or not node.spec.has("filler"):
            continue
        made = option(node, "filler")
        if made.type == "constant" and made.value == 0 and not any(n.type == "Eltwise" for n in view.above(node)):
            yield Hit(node.spec.option_span("filler"), f"{node.who}: its factors begin at 0, and so does all its output",
                      "leave the filler out, or write filler { value: 1 }")


@rule("frozen-random", "warning", "train")
def frozen_random(view: View) -> Iterator[Hit]:
    """A layer with lr_mult 0 and a random filler keeps its first random weights, unless trained ones are loaded."""
    for node in () if view.loaded or unfilled(view) else view.d.layers:
        made = filler(view, node)
        params = view.params(node)
        if made is None or made.type not in RANDOM or not params or params[0].lr_mult != 0 or not node.bottoms:
            continue
        if params[0].owner == params[0].id:
            yield Hit(params[0].reason.span or node.located.span, f"{node.who}: its weights are random ({made.type}) and "
                      "frozen by lr_mult 0", "lr_mult 1, or load weights (--loaded says that this is done)")


@rule("no-gradient", "warning", "train")
def no_gradient(view: View) -> Iterator[Hit]:
    """A layer with params that learn, of which no loss depends: it is computed in every pass and never changes."""
    if not view.plan.losses:
        return
    cut = {p.layer for p in view.plan.params if p.learns and p.init.learns and not view.plan.steps[p.layer].backward}
    for index in sorted(cut):
        node = view.d.layers[index]
        if not any(index in view.below(top) for other in cut - {index} for top in view.d.layers[other].tops):
            lower = len(cut & {i for top in node.tops for i in view.below(top)}) - 1
            more = f", nor do {lower} layers below it" if lower > 1 else ", nor does the layer below it" if lower else ""
            yield Hit(node.located.span, f"{node.who}: its params get no gradient{more}: "
                      f"{view.plan.steps[index].reason.text}",
                      "lead its output to a loss, or freeze it with param { lr_mult: 0 }, or leave it out of TRAIN")


@rule("no-loss-counts", "error", "train")
def no_loss_counts(view: View) -> Iterator[Hit]:
    """Every loss of the net has loss_weight 0, so that there is nothing to learn from."""
    losses = [n for n in view.d.layers if is_loss(n)]
    if losses and not view.plan.losses:
        yield Hit(losses[0].located.span_of("loss_weight"), f"{losses[0].who}: the only loss counts with weight 0"
                  if len(losses) == 1 else f"all {len(losses)} losses count with weight 0", "a loss_weight of 1 (the default)")


@rule("linear-pair", "warning", "train")
def linear_pair(view: View) -> Iterator[Hit]:
    """Two InnerProduct layers with no activation between them compute no more than one would: a product of two
    matrices is a matrix. A narrow first layer (a bottleneck, a factored matrix) is meant and not reported."""
    for node in view.d.layers:
        if node.type != "InnerProduct" or not _learns(view, node):
            continue
        lower = view.maker(node, 0, _LINEAR)
        if lower is None or lower.type != "InnerProduct" or not _learns(view, lower) or len(view.above(lower)) != 1:
            continue
        before = view.shape(lower.bottoms[0]) or ()
        size = 1
        for n in before[int(option(lower, "axis") or 1):]:
            size *= n
        if width(lower) >= width(node) and (not before or width(lower) >= min(size, width(node))):
            yield Hit(node.located.span, f"{node.who}: reads '{lower.name}' (InnerProduct) with no activation between them",
                      f"a ReLU, Sigmoid or TanH behind '{lower.name}', or one layer in place of both")
