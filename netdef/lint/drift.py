"""Train and deploy: where the net for prediction is not the one that was trained."""
from __future__ import annotations

from collections.abc import Iterator

from netdef.graph.assumed import Assumed
from netdef.graph.meaning import differences_of
from netdef.graph.model import LayerNode
from netdef.lint.rules import Hit, rule
from netdef.lint.subject import NetCase, View, is_source

_TRAINING = ("name", "bottom", "top", "include", "exclude", "loss_weight", "loss_param", "propagate_down", "transform_param",
             "blobs", "param", "phase", "use_global_stats")
_NOTHING = ("Dropout", "Split", "Silence")  # no effect on values in phase TEST
_WEIGHTED = {"Convolution", "InnerProduct"}
_NORMS = ("BatchNorm", "Scale")
_CUTS = ("Slice", "Python")  # they cut inputs out of a larger blob, or bring them
_MOST = 12


def views(train: NetCase, deploy: NetCase) -> tuple[View, View] | None:
    """The states of two nets that should compute the same: phase TEST of each (of TRAIN, where there is no other)."""
    found = []
    for net in (train, deploy):
        tests = [v for v in net.views if v.state.phase == "TEST"] or net.views
        if not tests:
            return None
        found.append(tests[0])
    return found[0], found[1]


def _twins(train: View, deploy: View) -> list[tuple[LayerNode, LayerNode]]:
    """Layers of one name and one type, neither data nor losses."""
    by_name = {n.name: n for n in train.d.layers if n.bottoms}
    return [(by_name[n.name], n) for n in deploy.d.layers if n.bottoms and n.name in by_name and by_name[n.name].type == n.type]


@rule("deploy-options", "error", "pair")
def deploy_options(train: View, deploy: View) -> Iterator[Hit]:
    """A layer of the deploy net means something else than the layer of the same name in phase TEST of the train net:
    weights that were learned with one stride, padding or group are used with another."""
    for a, b in _twins(train, deploy):
        folded = _folded(train, deploy, a)
        found = [d for d in differences_of(a.located, b.located, frozenset(_TRAINING))
                 if "filler" not in d.path and d.path.split(".")[-1] not in ("top_k", "dropout_ratio")
                 and not (folded and d.path.endswith("bias_term"))]
        stored = [getattr(n.layer, "stored", None) for n in (a, b)]
        for d in found:
            yield Hit(d.at_b, f"{b.who}: {d.path} is {d.b}, and {d.a} in the train net at {d.at_a}", "make them equal")
        if a.type == "BatchNorm" and stored[0] != stored[1] and train.state.phase == "TEST":
            yield Hit(b.spec.option_span("use_global_stats"), f"{b.who}: uses {'stored' if stored[1] else 'its own'} "
                      f"statistics, unlike the train net in phase TEST at {a.located.span}", "leave use_global_stats out of both")


def _folded(train: View, deploy: View, a: LayerNode) -> bool:
    """Whether the BatchNorm (and Scale) behind a layer of the train net are gone from the deploy net: their factors can
    be multiplied into the weights, and their offsets become a bias."""
    names = {n.name: n for n in deploy.d.layers}
    b = names.get(a.name)
    above = train.above(a)
    return (len(above) == 1 and above[0].type in _NORMS and above[0].name not in names and b is not None
            and bool(getattr(b.spec.options, "bias_term", False)))


@rule("deploy-order", "error", "pair")
def deploy_order(train: View, deploy: View) -> Iterator[Hit]:
    """A layer of the deploy net reads the output of another kind of layer than in phase TEST of the train net: an
    activation, a pooling or a normalisation is missing, added, or stands elsewhere. Dropout does not count."""
    twins = _twins(train, deploy)
    partner = {b.index: a.index for a, b in twins}
    for a, b in twins:
        for i in range(min(len(a.bottoms), len(b.bottoms))):
            before, now = train.maker(a, i, _NOTHING), deploy.maker(b, i, _NOTHING)
            if before is None or now is None or partner.get(now.index) == before.index:
                continue
            if before.type in _NORMS and (made := train.maker(a, i, (*_NOTHING, *_NORMS))) is not None:
                before = made if _folded(train, deploy, made) else before
            if partner.get(now.index) == before.index or before.type == now.type == "Python":
                continue
            if is_source(now) and (is_source(before) or before.type in _CUTS):
                continue
            if now.index not in partner and before.index not in partner.values() and (
                    before.type == now.type or {before.type, now.type} <= _WEIGHTED):
                continue  # renamed, or an InnerProduct made a Convolution: deploy-weights says so
            yield Hit(b.located.span_of("bottom", i), f"{b.who}: reads '{now.name}' ({now.type}), and '{before.name}' "
                      f"({before.type}) in the train net at {a.located.span_of('bottom', i)}", "lead the same blob to it")


@rule("deploy-weights", "warning", "pair")
def deploy_weights(train: View, deploy: View) -> Iterator[Hit]:
    """Weights are matched by the names of layers. A layer of the deploy net whose name the train net does not have gets
    none, without a word in Caffe, and keeps its filler."""
    names = {n.name: n for n in train.d.layers}
    missing = [n for n in deploy.d.layers if n.bottoms and _has_params(n) and n.name not in names]
    for node in missing[:_MOST]:
        more = f" (and {len(missing) - 1} more)" if node is missing[0] and len(missing) > 1 else ""
        yield Hit(node.located.span_of("name"), f"{node.who}: the train net has no layer '{node.name}'{more}",
                  "the name that it has in the train net; or convert the weights, where the layer is another on purpose")
    for node in deploy.d.layers:
        twin = names.get(node.name)
        if twin is not None and twin.type != node.type and _has_params(node) and node.bottoms:
            yield Hit(node.located.span_of("type"), f"{node.who}: is a {twin.type} in the train net at {twin.located.span}",
                      "the same type; weights of another type are taken where their shapes allow it")


def _has_params(node: LayerNode) -> bool:
    return bool(getattr(node.layer, "param_names", ()))


@rule("deploy-input", "warning", "pair")
def deploy_input(train: View, deploy: View) -> Iterator[Hit]:
    """The input of the deploy net has another size than what the train net's data layer gives in phase TEST."""
    for node in deploy.d.layers:
        for top in node.tops if node.type == "Input" else ():
            blob, shape = deploy.d.value_name(top), deploy.shape(top)
            made = next((v for v in train.d.values if v.blob == blob and is_source(train.d.layers[v.maker])), None)
            other = train.shape(made.id) if made is not None else None
            if made is None or not shape or not other or tuple(shape[1:]) == tuple(other[1:]):
                continue
            source = train.d.layers[made.maker]
            if isinstance(source.layer, Assumed) and tuple(shape[2:]) == tuple(other[2:]):
                continue  # the channels are guessed
            yield Hit(node.located.span_of("input_param"), f"{node.who}: '{blob}' is {'x'.join(map(str, shape))}, and "
                      f"{'x'.join(map(str, other))} in the train net at {source.located.span}", "the same size behind the batch")
