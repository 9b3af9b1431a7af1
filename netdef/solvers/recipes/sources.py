"""Params that a solver takes over from earlier stages and from files: planned with all checks, then copied."""
from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from netdef import weights
from netdef.config.located import Located
from netdef.config.paths import resolve
from netdef.errors import Collector, ConfigError, FieldError, GraphError, ShapeError, Span, WeightsError, did_you_mean
from netdef.graph.model import GraphPlan
from netdef.layers.base import Shape
from netdef.runtime.loadreport import LoadReport
from netdef.runtime.net import Net
from netdef.solvers.nets import short_path
from netdef.solvers.recipes.model import Stage, Taken, layer_node, layer_params, layer_shapes


@dataclass
class Offer:
    """What can be taken: by layer the shape of each param and whether it is one of the old four-axis kind; where the
    layer stands, for messages; and which net of a stage has it."""

    layers: dict[str, dict[int, tuple[Shape, bool]]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    nets: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """Which names a stage may speak of: the stages planned so far, and the places of all."""

    recipe: Located
    stages: Mapping[str, Stage]
    places: Mapping[str, Located]


def plan_taken(located: Located, known: Known, plans: Sequence[GraphPlan], who: str, errors: Collector) -> tuple[Taken, ...]:
    """What the ``weights`` of a stage or turn give to its nets; mistakes go to ``errors``."""
    found = []
    for entry in located.children("weights"):
        with errors:
            found.append(_taken(entry, known, plans, f"{who}: weights", errors))
    return tuple(found)


def _taken(entry: Located, known: Known, plans: Sequence[GraphPlan], who: str, errors: Collector) -> Taken:
    m = entry.message
    if m.HasField("stage"):
        source, offer = f"stage '{m.stage}'", _of_stage(entry, known, who)
        path = ""
    else:
        path = short_path(resolve(m.file, known.recipe.file, entry.span_of("file")))
        source, offer = path, _of_file(path, entry, who)
    before = len(errors.found)
    pairs = _pairs(entry, offer, source, who, errors)
    targets = layer_shapes(plans)
    chosen = bool(m.layer or m.rename)
    for there, here in pairs if chosen else ():
        if here not in targets:
            errors.add(FieldError(f"{who}: the net has no layer '{here}' with params", where=_place(entry, there, here),
                                  hint=did_you_mean(here, targets)))
    fitting = [(there, here) for there, here in pairs if here in targets]
    for there, here in fitting:
        with errors:
            _compare(entry, who, source, offer, plans, there, here, targets[here])
    if not fitting and len(errors.found) == before:
        raise FieldError(f"{who}: {source} has no layer of this net", where=entry.span,
                         hint="layers are matched by name; rename { layer: \"there\" to: \"here\" } pairs others")
    return Taken(entry, m.stage, path, tuple(fitting), tuple(offer.nets.get(t, "") for t, _ in fitting),
                 tuple(there for there, here in pairs if here not in targets))


def _of_stage(entry: Located, known: Known, who: str) -> Offer:
    name, _, turn = entry.message.stage.partition("/")
    span = entry.span_of("stage")
    stage = known.stages.get(name)
    if stage is None:
        if name in known.places:
            place = known.places[name].span
            raise FieldError(f"{who}: stage '{name}', at {place}, has not run by then", where=span,
                             hint="weights come from earlier stages")
        raise FieldError(f"{who}: there is no stage '{name}'", where=span, hint=did_you_mean(name, known.places))
    if turn and (not stage.rounds or turn not in {m.name for m in stage.members}):
        names = [f"{name}/{m.name}" for m in stage.members] if stage.rounds else [name]
        raise FieldError(f"{who}: stage '{name}' has no turn '{turn}'", where=span,
                         hint=did_you_mean(entry.message.stage, names) or f"there is {', '.join(names)}")
    offer = Offer()
    for member in stage.members:
        if (turn and member.name != turn) or (member.lent and not turn):
            continue
        if member.lent:
            raise FieldError(f"{who}: the turn '{turn}' of stage '{name}' only lends its net and saves nothing", where=span)
        for layer, params in layer_params(member.plan).items():
            if layer not in offer.layers:
                offer.layers[layer] = {p.index: (tuple(p.init.shape), False) for p in params}
                offer.places[layer] = str(layer_node(member.plan, layer).located.span)
                offer.nets[layer] = member.name
    return offer


def _of_file(path: str, entry: Located, who: str) -> Offer:
    try:
        file = weights.read(path)
    except WeightsError as error:
        raise ConfigError(f"{who}: {error.message}", where=entry.span_of("file"), hint=error.hint) from error
    offer = Offer()
    for layer in file.layers:
        numbered = file.numbered(layer)
        if numbered:
            offer.layers[layer] = {i: (tuple(a.shape), file.is_legacy(layer, k))
                                   for k, (i, a) in enumerate(numbered.items())}
            offer.places[layer] = path
    return offer


def _pairs(entry: Located, offer: Offer, source: str, who: str, errors: Collector) -> list[tuple[str, str]]:
    """Which layers there, under which name here; FieldErrors for names that pick nothing."""
    m = entry.message
    renamed: dict[str, list[str]] = {}
    for i, rename in enumerate(m.rename):
        renamed.setdefault(rename.layer, []).append(rename.to)
        if rename.layer not in offer.layers:
            errors.add(FieldError(f"{who}: {source} has no layer '{rename.layer}' with params",
                                  where=entry.span_of("rename", i, "layer"), hint=did_you_mean(rename.layer, offer.layers)))
    patterns = list(m.layer) or (["*"] if not m.rename else [])
    picked = {name for name in offer.layers if any(fnmatch.fnmatchcase(name, p) for p in patterns)}
    for i, pattern in enumerate(m.layer):
        if not any(fnmatch.fnmatchcase(name, pattern) for name in offer.layers):
            errors.add(FieldError(f"{who}: {source} has no layer '{pattern}' with params", where=entry.span_of("layer", i),
                                  hint=did_you_mean(pattern, offer.layers)))
    return [(name, here) for name in offer.layers if name in picked or name in renamed
            for here in renamed.get(name, [name])]


def _place(entry: Located, there: str, here: str) -> Span:
    for i, rename in enumerate(entry.message.rename):
        if (rename.layer, rename.to) == (there, here):
            return entry.span_of("rename", i, "to")
    return entry.span_of("layer", list(entry.message.layer).index(there)) if there in entry.message.layer else entry.span


def _compare(entry: Located, who: str, source: str, offer: Offer, plans: Sequence[GraphPlan], there: str, here: str,
             wanted: Sequence[Shape]) -> None:
    """Raise ShapeError or GraphError where a layer's params do not fit, with the places of both."""
    plan = next(p for p in plans if here in layer_params(p))
    node = layer_node(plan, here)
    given = offer.layers[there]
    both = [f"there: {offer.places[there]}", f"here:  {node.located.span}"]
    params = layer_params(plan)[here]
    absent = [p.index for p in params if p.index not in given and p.owner == p.id]
    if absent or max(given) >= len(wanted):
        raise GraphError(f"{who}: layer '{here}' has {len(wanted)} params, '{there}' of {source} has {len(given)}",
                         where=entry.span, notes=both)
    for i, (shape, legacy) in given.items():
        if not weights.shapes_match(shape, wanted[i], legacy):
            raise ShapeError(f"{who}: param {i} of layer '{here}' has shape {wanted[i]}, '{there}' of {source} has {shape}",
                             where=entry.span, notes=both)


def take(nets: Sequence[Net], path: Path, layers: Sequence[tuple[str, str]]) -> LoadReport:
    """Copy a file's arrays into the layers paired with it, in every net that has them; the report says what was loaded
    (what was not is in the plan)."""
    file = weights.read(path)
    report = LoadReport(str(path), file_shapes={n: [tuple(a.shape) for a in arrays] for n, arrays in file.layers.items()},
                        net_shapes={n: [b.shape for b in blobs] for n, blobs in nets[0].params.items()})
    for there, here in layers:
        if there not in file.layers:
            raise WeightsError(f"layer '{there}' is missing, though the stage had it", where=str(path),
                               hint="was the stage run with another net?")
        for net in nets:
            for i, array in file.numbered(there).items() if here in net.params else ():
                target = net.params[here][i].data
                if target.size != array.size:
                    raise WeightsError(f"layer '{here}': param {i} has shape {target.shape}, '{there}' of the file "
                                       f"{tuple(array.shape)}", where=str(path), hint="was it saved by another net?")
                np.copyto(target, array.reshape(target.shape), casting="unsafe")
        report.loaded.append(here)
    return report
