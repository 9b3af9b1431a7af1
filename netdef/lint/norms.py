"""Normalisation: BatchNorm with the wrong statistics, or beside what it makes useless."""
from __future__ import annotations

import math
from collections.abc import Iterator

from netdef.lint.rules import Hit, rule
from netdef.lint.subject import View, is_source, known, option


@rule("bias-before-batch-norm", "note", "train")
def bias_before_batch_norm(view: View) -> Iterator[Hit]:
    """BatchNorm takes the mean of each channel away, and with it any bias that the layer before added: the bias gets a
    gradient of 0 and costs memory. It does no harm."""
    for node in view.d.layers:
        below = view.maker(node) if node.type == "BatchNorm" else None
        if below is None or below.type not in ("Convolution", "InnerProduct", "Deconvolution") or not known(below):
            continue
        if option(below, "bias_term") and len(view.above(below)) == 1 and not _stored(node) and _bias_learns(view, below):
            yield Hit(below.located.span, f"{below.who}: '{node.name}' (BatchNorm) takes its bias away again",
                      "bias_term: false")


def _bias_learns(view: View, node: object) -> bool:
    params = view.params(node)  # type: ignore[arg-type]
    return len(params) > 1 and params[1].learns


def _stored(node: object) -> bool:
    return bool(getattr(getattr(node, "layer", None), "stored", False))


@rule("batch-norm-untrained", "warning", "train")
def batch_norm_untrained(view: View) -> Iterator[Hit]:
    """use_global_stats: true in phase TRAIN uses stored statistics and gathers none. From scratch these are mean 0 and
    variance 0: all values are divided by the root of eps, 316 times too large by default. It is right for fine-tuning
    with loaded weights."""
    for node in () if view.loaded else view.d.layers:
        if node.type == "BatchNorm" and _stored(node):
            yield Hit(node.spec.option_span("use_global_stats"), f"{node.who}: uses stored statistics in phase TRAIN",
                      "leave use_global_stats out (--loaded says that weights are loaded)")


@rule("batch-norm-of-the-batch", "warning", "state")
def batch_norm_of_the_batch(view: View) -> Iterator[Hit]:
    """use_global_stats: false in phase TEST normalises each batch by itself: an answer depends on what else is in the
    batch, and alone a picture gets another one. Left out, netdef and Caffe choose by the phase."""
    for node in view.d.layers if view.state.phase == "TEST" and not view.guessed else ():
        if node.type == "BatchNorm" and node.spec.has("use_global_stats") and not _stored(node):
            yield Hit(node.spec.option_span("use_global_stats"), f"{node.who}: uses the batch's own statistics in phase TEST",
                      "leave use_global_stats out")


@rule("batch-norm-of-one", "error", "train")
def batch_norm_of_one(view: View) -> Iterator[Hit]:
    """The batch's statistics need more than one value a channel. Of a single value BatchNorm makes 0, always, and
    nothing below it learns."""
    for node in view.d.layers:
        shape = view.shape(node.bottoms[0]) if node.type == "BatchNorm" and node.bottoms else None
        if shape and len(shape) > 1 and shape[0] * math.prod(shape[2:]) == 1 and not _stored(node):
            yield Hit(node.located.span, f"{node.who}: has one value a channel: its bottom is {'x'.join(map(str, shape))}",
                      "a larger batch_size")


@rule("batch-norm-without-scale", "note", "train")
def batch_norm_without_scale(view: View) -> Iterator[Hit]:
    """Caffe's BatchNorm has no factor and no offset to learn, unlike that of other frameworks: these are a Scale layer
    with bias_term behind it. Without them every channel keeps mean 0 and variance 1, so that a ReLU always cuts about
    half of it."""
    for node in view.d.layers:
        if node.type != "BatchNorm" or not known(node) or len(view.params(node)) != 3:
            continue
        above, below = view.above(node), view.maker(node)
        if above and not any(n.type in ("Scale", "Bias") for n in above) and not (below and is_source(below)):
            relu = next((n for n in above if n.type in ("ReLU", "Sigmoid", "TanH")), None)
            if relu is not None:
                yield Hit(node.located.span, f"{node.who}: '{relu.name}' ({relu.type}) reads it, with no Scale between them",
                          "layer { type: \"Scale\" scale_param { bias_term: true } } behind it")
