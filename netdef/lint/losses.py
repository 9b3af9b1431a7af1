"""Losses: what stands before a loss or an accuracy, and what they compare."""
from __future__ import annotations

from collections.abc import Iterator

from netdef.errors import NetdefError
from netdef.graph.model import LayerNode
from netdef.layers.infogain_loss import read_prices
from netdef.lint.rules import Hit, rule
from netdef.lint.subject import View, is_loss, is_source, known, option

SOFTMAX = ("SoftmaxWithLoss", "SoftmaxLoss", "InfogainLoss", "FocalLoss")
CLASSES = (*SOFTMAX, "HingeLoss", "MultinomialLogisticLoss", "Accuracy")
_SHAPE = ("Flatten", "Reshape", "Dropout", "Split", "Permute", "Crop")


@rule("softmax-twice", "error", "state")
def softmax_twice(view: View) -> Iterator[Hit]:
    """SoftmaxWithLoss (and InfogainLoss) applies a softmax itself, SigmoidCrossEntropyLoss a sigmoid. A layer of that
    kind before it squashes the scores into 0 to 1 first: the loss cannot come near 0, and learning is slow or stops."""
    for node in view.d.layers:
        kind = "Softmax" if node.type in SOFTMAX else "Sigmoid" if node.type == "SigmoidCrossEntropyLoss" else ""
        if node.type == "FocalLoss" and known(node) and option(node, "mode"):
            kind = "Sigmoid"
        below = view.maker(node, 0, _SHAPE) if kind else None
        if below is not None and below.type == kind:
            yield Hit(node.located.span_of("bottom", 0), f"{node.who}: its bottom '{view.blob(node, 0)}' went through "
                      f"'{below.name}' ({kind}) already", f"let it read '{view.blob(below, 0)}', what {below.name} reads")


@rule("scores-as-probabilities", "error", "state")
def scores_as_probabilities(view: View) -> Iterator[Hit]:
    """MultinomialLogisticLoss takes probabilities and computes the logarithm of one of them. Raw scores of an
    InnerProduct or Convolution are none: they are negative or above 1."""
    for node in view.d.layers:
        below = view.maker(node, 0, _SHAPE) if node.type == "MultinomialLogisticLoss" else None
        if below is not None and below.type in ("InnerProduct", "Convolution", "Scale", "BatchNorm"):
            yield Hit(node.located.span_of("bottom", 0), f"{node.who}: reads the scores of '{below.name}' ({below.type})",
                      "SoftmaxWithLoss, or a Softmax layer between them")


@rule("relu-on-scores", "warning", "train")
def relu_on_scores(view: View) -> Iterator[Hit]:
    """A ReLU on the scores of a classification cuts all negative ones to 0. A class whose scores are below 0 gets no
    gradient any more."""
    for node in view.d.layers:
        if node.type not in (*SOFTMAX, "SigmoidCrossEntropyLoss"):
            continue
        below = view.maker(node, 0, ("Flatten", "Reshape", "Dropout"))
        scores = view.maker(below) if below is not None else None
        if below is not None and scores is not None and below.type == "ReLU" and not option(below, "negative_slope"):
            yield Hit(below.located.span, f"{below.who}: stands between the scores of '{scores.name}' and the loss "
                      f"'{node.name}'", "leave it out")


@rule("dropout-before-loss", "warning", "train")
def dropout_before_loss(view: View) -> Iterator[Hit]:
    """Dropout directly before a loss sets scores of random classes to 0 instead of hiding features: the loss is noise
    that no layer can learn away."""
    for node in view.d.layers:
        if node.type != "Dropout":
            continue
        losses = [n for n in view.above(node) if is_loss(n) and node.tops[0] == n.bottoms[0]]
        below = view.maker(node)
        if losses and below is not None and not is_source(below):
            yield Hit(node.located.span, f"{node.who}: drops the scores that '{losses[0].name}' ({losses[0].type}) reads",
                      "put it before the layer that makes the scores, or leave it out")


@rule("swapped-labels", "error", "state")
def swapped_labels(view: View) -> Iterator[Hit]:
    """A classification loss and Accuracy read the scores first and the labels second. In the other order the labels
    are taken for scores."""
    learned = {p.layer for p in view.plan.params}
    for node in view.d.layers:
        if node.type in CLASSES and len(node.bottoms) > 1 and None not in node.bottoms[:2]:
            scores, labels = (view.below(b) for b in node.bottoms[:2])
            first = view.maker(node, 0)
            if not scores & learned and labels & learned and first is not None and is_source(first):
                yield Hit(node.located.span_of("bottom", 0), f"{node.who}: bottom 0 is '{view.blob(node, 0)}' of '{first.name}' "
                          f"({first.type}), and bottom 1 '{view.blob(node, 1)}' is what the net computes",
                          f"bottom: \"{view.blob(node, 1)}\" bottom: \"{view.blob(node, 0)}\"")


@rule("picture-as-label", "error", "state")
def picture_as_label(view: View) -> Iterator[Hit]:
    """The labels of a classification are class numbers, the second top of a data layer; its first top are the
    pictures."""
    for node in view.d.layers:
        if node.type not in CLASSES or len(node.bottoms) < 2 or node.bottoms[1] is None:
            continue
        value = view.d.values[node.bottoms[1]]
        made = view.d.layers[value.maker]
        if made.type in ("Data", "ImageData") and value.top == 0 and len(made.tops) > 1:
            yield Hit(node.located.span_of("bottom", 1), f"{node.who}: its labels '{value.blob}' are the pictures of "
                      f"'{made.name}'",
                      f"bottom: \"{view.d.value_name(made.tops[1])}\"")


@rule("label-as-picture", "error", "state")
def label_as_picture(view: View) -> Iterator[Hit]:
    """The second top of a Data or ImageData layer are class numbers. A Convolution, Pooling or LRN over them computes
    nothing of use."""
    for node in view.d.layers:
        if node.type not in ("Convolution", "Deconvolution", "Pooling", "LRN") or not node.bottoms or node.bottoms[0] is None:
            continue
        value = view.d.values[node.bottoms[0]]
        made = view.d.layers[value.maker]
        if made.type in ("Data", "ImageData") and value.top == 1:
            yield Hit(node.located.span_of("bottom", 0), f"{node.who}: reads '{value.blob}', the labels of '{made.name}'",
                      f"bottom: \"{view.d.value_name(made.tops[0])}\"")


@rule("one-class", "error", "state")
def one_class(view: View) -> Iterator[Hit]:
    """A softmax over a single class is always 1: its loss is 0 and has no gradient, whatever the net does."""
    for node in view.d.layers:
        if node.type in ("SoftmaxWithLoss", "SoftmaxLoss") and node.bottoms:
            classes = _classes(view, node)
            below = view.maker(node, 0)
            if classes == 1 and below is not None:
                yield Hit(node.located.span_of("bottom", 0), f"{node.who}: its scores have one class (made by '{below.name}')",
                          "num_output: 2, or SigmoidCrossEntropyLoss for one yes-or-no answer")


@rule("top-k-too-large", "warning", "state")
def top_k_too_large(view: View) -> Iterator[Hit]:
    """An Accuracy whose top_k is not below the number of classes is always 1."""
    for node in view.d.layers:
        if node.type == "Accuracy" and known(node):
            classes = _classes(view, node)
            if classes and option(node, "top_k") >= classes > 0:
                yield Hit(node.spec.option_span("top_k"), f"{node.who}: top_k {option(node, 'top_k')} of {classes} classes",
                          "a smaller top_k")


def _classes(view: View, node: LayerNode) -> int:
    """The number of classes that a layer's scores have; 0 where it is not known."""
    shape = view.shape(node.bottoms[0])
    named = getattr(node.spec.message, "softmax_param" if node.type.startswith("Softmax") else "accuracy_param")
    return 0 if shape is None or not -len(shape) <= named.axis < len(shape) else shape[named.axis]


@rule("infogain-diagonal", "warning", "state")
def infogain_diagonal(view: View) -> Iterator[Hit]:
    """InfogainLoss weights each class by its row of H, as a similarity: the identity matrix gives SoftmaxWithLoss. A
    matrix with zeros on its diagonal is one of distances and rewards the wrong classes."""
    for node in view.d.layers:
        if node.type != "InfogainLoss" or not option(node, "source"):
            continue
        try:
            h = read_prices(node.spec)
        except NetdefError:
            continue  # said elsewhere, or not here
        h = h.reshape(h.shape[-2:]) if h.ndim > 1 else h
        if h.ndim == 2 and h.shape[0] == h.shape[1] > 1 and not h.diagonal().any() and h.any():
            yield Hit(node.spec.option_span("source"), f"{node.who}: the diagonal of '{option(node, 'source')}' is 0 throughout",
                      "a matrix that is largest on its diagonal")
