"""Graph: blobs that nobody reads, inputs that are overwritten, windows that leave values out."""
from __future__ import annotations

from collections.abc import Iterator

from netdef.graph.assumed import Assumed
from netdef.graph.deploy import REPORTS
from netdef.graph.model import LayerNode
from netdef.lint.rules import Hit, rule
from netdef.lint.subject import View, is_loss, is_source, known, option


@rule("dead-end", "warning", "train")
def dead_end(view: View) -> Iterator[Hit]:
    """A blob that nobody reads and that is no loss counts as an output: it is computed in every training pass and
    printed at every display. Often its name is misspelt where it should be read; if it is meant, Silence it."""
    for node in view.d.layers:
        if is_loss(node) or node.type in (*REPORTS, "ArgMax", "Python"):
            continue
        if isinstance(node.layer, Assumed) and not known(node):
            continue
        for i, top in enumerate(node.tops):
            if not view.d.values[top].readers and i < len(node.located.message.top) and not _extra(node, i):
                name = view.d.value_name(top)
                what = "labels" if is_source(node) and i else "output"
                yield Hit(node.located.span_of("top", i), f"{node.who}: nobody reads its {what} '{name}' in phase TRAIN",
                          f"a layer that reads it, layer {{ type: \"Silence\" bottom: \"{name}\" }}, or leave it out"
                          + ("" if is_source(node) else " of TRAIN (include { phase: TEST })"))


def _extra(node: LayerNode, top: int) -> bool:
    """Whether a top is one of several that the type cannot do without."""
    return node.type in ("Slice", "Split", "LSTM", "RNN") or (top > 0 and node.type == "Pooling")


@rule("in-place-on-input", "warning", "state")
def in_place_on_input(view: View) -> Iterator[Hit]:
    """A layer that works in place on an input overwrites what the caller put there. A second forward pass without
    filling the input again starts from the changed values and gives another answer."""
    for node in view.d.layers:
        for i, top in enumerate(node.tops):
            before = view.d.values[top].replaces
            while before is not None:
                maker = view.d.layers[view.d.values[before].maker]
                if maker.type == "Input" and not getattr(node.layer, "identity", False):
                    yield Hit(node.located.span_of("top", i), f"{node.who}: overwrites the input '{view.d.value_name(top)}'",
                              "give its top a name of its own")
                before = view.d.values[before].replaces


@rule("window-skips", "warning", "state")
def window_skips(view: View) -> Iterator[Hit]:
    """A stride larger than the window leaves rows and columns out that no output depends on. 1x1 windows, which do so in
    the shortcuts of ResNets, are not reported."""
    for node in view.d.layers:
        if node.type not in ("Convolution", "Pooling") or not known(node) or option(node, "global_pooling"):
            continue
        for field, along in (("kernel_h", "stride_h"), ("kernel_w", "stride_w")):
            kernel, stride = _size(node, field, "kernel_size"), _size(node, along, "stride")
            if 1 < kernel < stride and not any(d > 1 for d in option(node, "dilation") or ()):
                written = along if node.spec.has(along) else "stride"
                yield Hit(node.spec.option_span(written), f"{node.who}: a stride of {stride} with a window of {kernel}",
                          f"a stride of {kernel} or less")
                break


def _size(node: LayerNode, name: str, general: str) -> int:
    """A size along one axis: its own field, or the general one (its first or its last number)."""
    if node.spec.has(name):
        return int(option(node, name))
    value = option(node, general)
    numbers = [value] if isinstance(value, int) else list(value)
    return int(numbers[-1 if name.endswith("w") else 0]) if numbers else 1


@rule("unnormalised-loss", "note", "train")
def unnormalised_loss(view: View) -> Iterator[Hit]:
    """A loss that is not divided by the number of its answers (`normalization: NONE`) grows with the batch and with the
    size of pictures; so do its gradients, and base_lr must shrink with them."""
    for node in view.d.layers:
        loss = node.located.message.loss_param
        if is_loss(node) and loss.HasField("normalization") and loss.normalization == 3:
            yield Hit(node.located.span_of("loss_param", "normalization"), f"{node.who}: its loss is a sum, not a mean",
                      "leave normalization out, or a base_lr that is smaller by the number of answers")
