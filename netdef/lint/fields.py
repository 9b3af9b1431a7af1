"""Fields without effect: written, read, and ignored, by Caffe and by netdef."""
from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message

from netdef.config.located import Located
from netdef.lint.rules import Hit, rule
from netdef.lint.subject import NetCase, SolverCase
from netdef.solvers.policies import policy_names
from netdef.solvers.rules import rules

_SHARED = ("loss_param", "transform_param")  # of several types
_MOVED = ("scale", "mean_file", "crop_size", "mirror")
_USED = {  # the fields of a filler that each type reads
    "constant": ("value",), "uniform": ("min", "max"), "gaussian": ("mean", "std", "sparse"), "positive_unitball": (),
    "xavier": ("variance_norm",), "msra": ("variance_norm",), "bilinear": (), "values": ("values", "file"),
}
_POLICY_FIELDS = {"gamma": ("step", "exp", "inv", "multistep", "sigmoid", "plateau"), "power": ("inv", "poly"),
                  "stepsize": ("step", "sigmoid"), "stepvalue": ("multistep",)}
_RULE_FIELDS = {"momentum2": ("Adam", "AdamW"), "rms_decay": ("RMSProp",),
                "delta": ("AdaGrad", "RMSProp", "AdaDelta", "Adam", "AdamW")}


@rule("transform-ignored", "error", "net")
def transform_ignored(net: NetCase) -> Iterator[Hit]:
    """scale, mean_file, crop_size and mirror have their place in transform_param. In the data_param of a `layer` they
    are read and ignored, by Caffe too (only the old `layers` had them there): the net sees raw values from 0 to 255."""
    for layer in net.layers:
        for name in ("data_param", "image_data_param"):
            if not layer.message.HasField(name):
                continue
            inner = layer.child(name)
            for field in _MOVED:
                if inner.has(field) and getattr(inner.message, field) != getattr(type(inner.message)(), field):
                    yield Hit(inner.span_of(field), f"{_who(layer)}: {field} in {name} has no effect",
                              f"transform_param {{ {field}: ... }}")


def _who(layer: Located) -> str:
    return f"layer '{layer.message.name}' ({layer.message.type})"


@rule("filler-field-ignored", "warning", "net")
def filler_field_ignored(net: NetCase) -> Iterator[Hit]:
    """Each type of filler reads its own fields and ignores the others. `std` does not change what xavier draws, and a
    filler with a `std` and no type is the constant 0."""
    for layer in net.layers:
        for path, made in _fillers(layer):
            used = _USED.get(made.message.type)
            for field, _ in made.message.ListFields() if used is not None else ():
                if field.name not in ("type", *(used or ())):
                    yield Hit(made.span_of(field.name), f"{_who(layer)}: {path}: {field.name} has no effect on a filler of type "
                              f"{made.message.type}", _instead(made.message.type, field.name))


def _instead(kind: str, field: str) -> str:
    users = [name for name, fields in _USED.items() if field in fields]
    return f"leave it out, or type: \"{users[0]}\" in place of {kind}" if users else "leave it out"


def _fillers(layer: Located, path: str = "") -> Iterator[tuple[str, Located]]:
    """All fillers that are written in a layer, each with the path of its field."""
    for field, value in layer.message.ListFields():
        if not isinstance(value, Message):
            continue
        inner = layer.child(field.name)
        if value.DESCRIPTOR.name == "FillerParameter":
            yield field.name, inner
        elif value.DESCRIPTOR.name.endswith("Parameter"):
            yield from _fillers(inner)


@rule("bias-filler-ignored", "note", "net")
def bias_filler_ignored(net: NetCase) -> Iterator[Hit]:
    """A bias_filler without a bias fills nothing."""
    for layer in net.layers:
        for field, value in layer.message.ListFields():
            if isinstance(value, Message) and field.name.endswith("_param"):
                inner = layer.child(field.name)
                names = {f.name for f in value.DESCRIPTOR.fields}
                if {"bias_term", "bias_filler"} <= names and inner.has("bias_filler") and not inner.message.bias_term:
                    why = "bias_term is false" + ("" if inner.has("bias_term") else ", which is the default here")
                    yield Hit(inner.span_of("bias_filler"), f"{_who(layer)}: a bias_filler, but {why}",
                              "leave it out, or bias_term: true")


@rule("options-of-another-type", "warning", "net")
def options_of_another_type(net: NetCase) -> Iterator[Hit]:
    """A layer reads the options of its own type and ignores those of others. Often the type was changed and the options
    were not, or the layer above was copied."""
    from netdef.config.options import options_field
    from netdef.layers import registry

    own = {cls.options_field for cls in registry.layer_types().values() if cls.options_field} - set(_SHARED)
    for layer in net.layers:
        cls = registry.layer_types().get(layer.message.type)
        if cls is None or layer.broken:
            continue
        reads = {cls.options_field, options_field(layer.message.type)}
        for field, value in layer.message.ListFields():
            if field.name in own - reads and isinstance(value, Message) and not _reads(layer.message.type, field.name):
                yield Hit(layer.span_of(field.name), f"{_who(layer)}: {field.name} has no effect in this type",
                          f"{cls.options_field}, or leave it out" if cls.options_field else "leave it out")


def _reads(kind: str, field: str) -> bool:
    """Types that read the options of another one."""
    return (kind.startswith("Softmax") and field == "softmax_param") or (kind, field) in {
        ("Im2col", "convolution_param"), ("InfogainLoss", "softmax_param"), ("SPP", "pooling_param"),
        ("SigmoidCrossEntropyLoss", "sigmoid_param"), ("ImageData", "data_param"), ("WindowData", "data_param"),
        ("HDF5Data", "data_param"), ("AnnotatedData", "data_param"), ("VOCData", "data_param"),
        ("DenseImageData", "data_param")}


@rule("solver-field-ignored", "warning", "solver")
def solver_field_ignored(solver: SolverCase) -> Iterator[Hit]:
    """Some fields of a solver belong to one rule or one policy and are ignored with the others: `stepsize` beside
    lr_policy fixed lets nothing drop, and `momentum2` is Adam's."""
    m = solver.message
    for table, word, chosen, known in ((_POLICY_FIELDS, "lr_policy", m.lr_policy, policy_names()),
                                       (_RULE_FIELDS, "type", m.type, rules())):
        for field, users in table.items():
            if solver.has(field) and chosen in known and chosen not in users:
                yield Hit(solver.span(field), f"solver: {field} has no effect with {word} \"{chosen}\"",
                          f"leave it out, or {word}: " + " or ".join(f'"{u}"' for u in users))
    if solver.has("regularization_type") and not m.weight_decay:
        yield Hit(solver.span("regularization_type"), "solver: regularization_type has no effect without weight_decay",
                  "weight_decay: 0.0005, or leave it out")
    if solver.has("test_interval") and m.test_interval and not (m.test_iter or m.test_net or m.test_net_param):
        yield Hit(solver.span("test_interval"), "solver: test_interval has no effect without test_iter",
                  "test_iter, the number of batches of a test, or leave it out")
