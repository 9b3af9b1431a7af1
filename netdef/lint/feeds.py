"""Data: how data layers read, and how those of TRAIN and TEST differ."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from netdef.errors import NetdefError
from netdef.graph.model import LayerNode
from netdef.lint.rules import Hit, rule
from netdef.lint.subject import NetCase, View, is_source, option

_FOLDERS = ("folder:", "list:")
_WHOLE = ("Data", "ImageData", "HDF5Data", "WindowData")  # types whose source is all that they read
_NOISE = "builtin:noise"  # stands for data that are not here
_VALUES = ("scale", "mean_value", "mean_file", "force_color", "force_gray")


def _sources(view: View) -> list[LayerNode]:
    return [n for n in view.d.layers if is_source(n)]


@rule("mirror-in-test", "warning", "state")
def mirror_in_test(view: View) -> Iterator[Hit]:
    """`mirror: true` flips pictures at random in phase TEST too, as in Caffe (a crop is random in TRAIN only). The
    results of a test then change from one to the next."""
    for node in _sources(view) if view.state.phase == "TEST" and not view.guessed else ():
        if node.located.message.transform_param.mirror:
            yield Hit(node.located.span_of("transform_param", "mirror"), f"{node.who}: flips pictures at random in phase TEST",
                      "a data layer of its own for TEST, without mirror")


def _pairs(net: NetCase) -> Iterator[tuple[LayerNode, LayerNode]]:
    """A data layer of each training state with those of TEST that make the same first blob."""
    for train in net.training:
        for test in net.views:
            if test.state.phase == "TEST" and not any("train" in stage for stage in test.state.stages):
                for a in _sources(train):
                    for b in _sources(test):
                        if a.type == b.type and a.located.message.top[:1] == b.located.message.top[:1]:
                            yield a, b


@rule("test-on-train", "warning", "net")
def test_on_train(net: NetCase) -> Iterator[Hit]:
    """The TEST phase reads the records that TRAIN learns from. How well they are known says nothing of new ones. Where
    it is meant, a stage with `train` in its name keeps this rule silent."""
    for a, b in _pairs(net):
        source = option(b, "source")
        same = source and source == option(a, "source") and a.type in _WHOLE and not source.startswith(_NOISE)
        if same and a.located.span != b.located.span:
            yield Hit(b.spec.option_span("source"), f"{b.who}: tests on '{source}', from which '{a.name}' at "
                      f"{a.located.span} trains", "the data that were held back for testing")


@rule("transform-differs", "warning", "net")
def transform_differs(net: NetCase) -> Iterator[Hit]:
    """The data layers of TRAIN and TEST prepare values differently: another scale or mean, or grey in one and colour in
    the other. The net is then tested on values that it has never seen."""
    for a, b in _pairs(net):
        if a.located.span == b.located.span:
            continue
        ta, tb = a.located.message.transform_param, b.located.message.transform_param
        different = [name for name in _VALUES if _plain(getattr(ta, name)) != _plain(getattr(tb, name))]
        if different:
            said = ", ".join(f"{name} {_shown(ta, name)} in TRAIN, {_shown(tb, name)} in TEST" for name in different)
            span = b.located.span_of("transform_param", different[0])
            yield Hit(span, f"{b.who}: {said}", f"the same values as '{a.name}' at {a.located.span}")


def _plain(value: Any) -> Any:
    return list(value) if hasattr(value, "extend") else value


def _shown(transform: Any, name: str) -> str:
    value = _plain(getattr(transform, name))
    if isinstance(value, list):
        return ", ".join(f"{v:g}" for v in value) or "none"
    return f"{value:.8g}" if isinstance(value, float) else str(value) or "none"


@rule("unshuffled", "warning", "train")
def unshuffled(view: View) -> Iterator[Hit]:
    """A list or folder of pictures is read in its order, which is often one class after the other: a batch then holds
    one class, and the net forgets the others. A list that was shuffled when it was made is fine."""
    for node in _sources(view):
        listed = node.type in ("ImageData", "DenseImageData") or (
            node.type == "Data" and str(option(node, "source") or "").startswith(_FOLDERS))
        if listed and option(node, "shuffle") is False and not node.located.message.HasField("sampling_param"):
            yield Hit(node.spec.option_span("source"), f"{node.who}: reads '{option(node, 'source')}' in its order",
                      "shuffle: true", "" if str(option(node, "source")).startswith("folder:") else "note")


@rule("mean-units", "warning", "state")
def mean_units(view: View) -> Iterator[Hit]:
    """The mean is taken off before the values are scaled: (x - mean) * scale. Beside a scale of about 1/255 a mean_value
    between 0 and 1, as other frameworks write it, takes almost nothing off."""
    for node in _sources(view):
        t = node.located.message.transform_param
        if t.mean_value and all(0 < m <= 1 for m in t.mean_value) and 0 < t.scale < 0.02:
            said = ", ".join(f"{m:g}" for m in t.mean_value)
            yield Hit(node.located.span_of("transform_param", "mean_value"), f"{node.who}: mean_value {said} is taken off "
                      f"values that `scale: {t.scale:.6g}` has not reached yet",
                      "means of the unscaled values, such as " + ", ".join(f"{m / t.scale:.4g}" for m in t.mean_value))


@rule("mean-channels", "warning", "state")
def mean_channels(view: View) -> Iterator[Hit]:
    """mean_value takes one number for all channels, or one for each."""
    for node in _sources(view):
        n, t = len(node.located.message.transform_param.mean_value), node.located.message.transform_param
        gray = t.force_gray or option(node, "is_color") is False
        if n == 2 or n > 4 or (n > 1 and gray):
            pictures = "grey pictures" if gray else "pictures of 1 or 3 channels"
            yield Hit(node.located.span_of("transform_param", "mean_value"), f"{node.who}: {n} mean_value for {pictures}",
                      "one mean_value, or one for each channel")


@rule("more-classes-than-scores", "error", "state")
def more_classes_than_scores(view: View) -> Iterator[Hit]:
    """The data have a class for which the loss has no score: a label beyond the scores stops the training. Looked at
    only where the data are here and in memory, or their classes have names."""
    for node in view.d.layers:
        if node.type not in ("SoftmaxWithLoss", "HingeLoss", "Accuracy") or len(node.bottoms) < 2 or node.bottoms[1] is None:
            continue
        labels, scores = view.d.values[node.bottoms[1]], view.shape(node.bottoms[0])
        made = view.d.layers[labels.maker]
        if labels.top != 1 or scores is None or len(scores) != 2:
            continue
        loss = node.located.message.loss_param
        n = _classes(made, loss.ignore_label if loss.HasField("ignore_label") else None)
        if n > scores[1]:
            yield Hit(node.located.span_of("bottom", 0), f"{node.who}: {scores[1]} scores for the {n} classes of "
                      f"'{option(made, 'source')}'", f"num_output: {n} in the layer that makes the scores")


def _classes(node: LayerNode, ignored: int | None) -> int:
    """The number of classes of a data layer's source; 0 where that is not known at once."""
    in_memory = getattr(node.spec.peeked, "in_memory", False)

    def count(source: Any) -> int:
        if source.class_names or not (in_memory and source.has_labels) or source.label_shape:
            return len(source.class_names)
        labels = source.labels()
        labels = labels[labels != ignored] if ignored is not None else labels
        return int(labels.max(initial=-1)) + 1 if labels.dtype.kind in "iu" else 0

    return _opened(node, count)


def _opened(node: LayerNode, ask: Callable[[Any], int]) -> int:
    """What ``ask`` says of a data layer's source; 0 where the source is not here, or stands for one."""
    opening = getattr(node.spec.peeked, "open", None)
    if opening is None or str(option(node, "source") or "").startswith(_NOISE):
        return 0
    try:
        source = opening()
    except (NetdefError, OSError):
        return 0
    try:
        return ask(source)
    finally:
        source.close()


def records(node: LayerNode) -> int:
    """The number of records of a data layer's source; 0 where it is not here."""
    return _opened(node, len)
