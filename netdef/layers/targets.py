"""Targets as one number a class: what the losses over a softmax share once a label is more than one class. No types here.

With p the probabilities and T the targets, both (outer, classes, inner), every loss here is -sum(T log p), whose gradient
by the scores is p sum_c(T) - T: it holds for any T, also one that does not sum to 1, and never divides by p.
"""
from __future__ import annotations

import numpy as np

from netdef.errors import DataError, FieldError, ShapeError
from netdef.layers.base import LayerSpec

Array = np.ndarray
SEGNET = ("class_weighting", "weight_by_label_freqs")  # its names for class_weight, and the switch it wants


def loss(prob: Array, target: Array, smallest: float, scratch: Array) -> float:
    """-sum(target * log(max(prob, smallest))); where a target is 0 nothing is added, even by NaN. All of one shape."""
    np.maximum(prob, smallest, out=scratch)
    np.log(scratch, out=scratch)
    with np.errstate(invalid="ignore"):  # NaN stays NaN
        np.multiply(scratch, target, out=scratch)
    np.copyto(scratch, 0, where=target == 0)
    return -float(scratch.sum(dtype=np.float64))


def gradient(prob: Array, target: Array, scale: float, dx: Array) -> None:
    """dx = scale * (prob * sum of target over the classes - target); 0 in places without any target, even for NaN."""
    total = target.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        np.multiply(prob, total, out=dx)
    np.copyto(dx, 0, where=total == 0)
    np.subtract(dx, target, out=dx)
    np.multiply(dx, dx.dtype.type(scale), out=dx)


def from_classes(labels: Array, ignore: int | None, out: Array) -> Array:
    """Write 1 at each label's class and 0 elsewhere; labels (outer, inner) that are classes, or ``ignore``.

    Returns which places count, (outer, inner) bools.
    """
    counts = np.ones(labels.shape, bool) if ignore is None else labels != ignore
    out[...] = 0
    if out.size:
        wanted = np.where(counts, labels, 0).astype(np.int64)
        np.put_along_axis(out, wanted[:, None, :], counts[:, None, :].astype(out.dtype), axis=1)
    return counts


def from_shares(spec: LayerSpec, labels: Array, ignore: int | None, out: Array) -> Array:
    """Write each place's label values divided by their sum, so that each of k labels of 1 counts 1/k.

    labels and out are (outer, classes, inner). A place without any, or full of ``ignore``, gets zeros and does not
    count. Returns which places do, (outer, inner). Raises DataError for a value that is negative or not finite.
    """
    counts: Array = np.asarray(labels.any(axis=1))
    if ignore is not None:
        counts &= (labels != ignore).any(axis=1)
    good = (labels >= 0) & (labels < np.inf) | ~counts[:, None, :]
    if not good.all():
        item, number, place = (int(k) for k in np.argwhere(~good)[0])
        raise DataError(f"{spec.who}: label blob '{spec.message.bottom[1]}', item {item} of the batch, class {number}, "
                        f"place {place}: expected a number of at least 0, got {labels[item, number, place]:.9g}",
                        where=spec.span("bottom", 1),
                        hint="labels in the shape of the scores are shares, or 0 and 1 for several labels")
    sums = np.where(counts, labels.sum(axis=1), 1)
    np.divide(labels, sums[:, None, :], out=out)
    np.copyto(out, 0, where=~counts[:, None, :])
    return counts


def smooth(target: Array, counts: Array, share: float) -> None:
    """Spread ``share`` of each target that counts evenly over the classes, in place."""
    target *= 1 - share
    target += counts[:, None, :] * target.dtype.type(share / max(1, target.shape[1]))


def read_smoothing(spec: LayerSpec) -> float:
    """``loss_param { label_smoothing }``. Raises FieldError unless 0 <= it < 1."""
    share = spec.message.loss_param.label_smoothing
    if not 0 <= share < 1:
        raise FieldError(f"{spec.who}: label_smoothing: expected a number in [0, 1), got {share:g}",
                         where=spec.span("loss_param", "label_smoothing"))
    return float(share)


def read_class_weights(spec: LayerSpec) -> tuple[float, ...]:
    """``loss_param { class_weight }``, or SegNet's ``class_weighting``; empty where neither counts.

    Raises FieldError for one that is negative or no number, for both names, and for SegNet's switch without weights.
    """
    loss = spec.message.loss_param
    name = _weights_field(spec)
    if name == "class_weighting" and not loss.weight_by_label_freqs:
        spec.warn("loss_param { class_weighting } counts only with weight_by_label_freqs: true, as in SegNet")
        return ()
    weights = tuple(getattr(loss, name))
    if loss.weight_by_label_freqs and not weights:
        raise FieldError(f"{spec.who}: weight_by_label_freqs: expected class_weighting beside it, got none",
                         where=spec.span("loss_param", "weight_by_label_freqs"),
                         hint="write one number for each class, such as its median frequency over its own")
    for i, weight in enumerate(weights):
        if not 0 <= weight < np.inf:
            raise FieldError(f"{spec.who}: {name}: expected numbers of at least 0, got {weight:g} for class {i}",
                             where=spec.span("loss_param", name, i))
    return weights


def _weights_field(spec: LayerSpec) -> str:
    """Which of the two names a layer gives the classes' weights by."""
    loss = spec.message.loss_param
    if len(loss.class_weight) and (len(loss.class_weighting) or loss.weight_by_label_freqs):
        raise FieldError(f"{spec.who}: expected either class_weight or SegNet's weight_by_label_freqs and class_weighting, "
                         "got both", where=spec.span("loss_param", "class_weight"), hint="keep class_weight")
    return "class_weighting" if len(loss.class_weighting) else "class_weight"


def check_class_count(spec: LayerSpec, weights: tuple[float, ...], classes: int) -> None:
    """Raise ShapeError unless there are no weights, or one for each class."""
    if weights and len(weights) != classes:
        name = _weights_field(spec)
        raise ShapeError(f"{spec.who}: {name}: expected one number for each of the {classes} classes, got "
                         f"{len(weights)}", where=spec.span("loss_param", name))


def refuse(spec: LayerSpec, *options: str) -> None:
    """Raise FieldError where ``loss_param`` gives an option that this type of loss does not read."""
    loss_param = spec.message.loss_param
    given = [field.name for field, _ in loss_param.ListFields()]
    for option in (*options, *(SEGNET if "class_weight" in options else ())):
        if option in given:
            raise FieldError(f"{spec.who}: loss_param {{ {option} }} has no meaning in this type",
                             where=spec.span("loss_param", option), hint="remove it")
