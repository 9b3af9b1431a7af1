"""Protobuf files for `netdef doctor`: .caffemodel, .solverstate, mean images and records, whole or cut off.

They are walked and not parsed: floats are stepped over, so that a file of any size takes no time. A file that breaks is
told by the fields before the break, and the byte is said.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from netdef.config import blobproto, recognise, wire
from netdef.config.load import load_net
from netdef.config.upgrade import Report
from netdef.config.wire import BYTES, FIXED32, FIXED64, VARINT, Field, WireError
from netdef.debug.filereport import FileReport, count, some
from netdef.debug.netlook import look, silent
from netdef.errors import Collector, ConfigError
from netdef.weights.mapped import mapped

_MOST_FIELDS = 300_000  # at the top of a file; a real one has a field a layer, or one an array
_MOST_LAYERS = 50_000
_MOST_IN_LAYER = 100_000
_SMALL = 1 << 26  # bytes of a mean image that is looked into
_LAYER, _LAYERS = 100, 2
_BLOBS = {_LAYER: 7, _LAYERS: 6}
_NAMES = {_LAYER: (1, 2), _LAYERS: (4, 5)}
_V0_BLOBS = 50
_RAW = {0: "float64", 1: "float32", 2: "float16", 3: "int32", 4: "uint32"}
_KINDS = {  # name -> fields (number, wire type) that make it likely, and those it may have
    "net": {(1, BYTES), (2, BYTES), (3, BYTES), (4, VARINT), (5, VARINT), (6, BYTES), (7, VARINT), (8, BYTES), (100, BYTES)},
    "state": {(1, VARINT), (2, BYTES), (3, BYTES), (4, VARINT), (50001, BYTES)},
    "blob": {(1, VARINT), (2, VARINT), (3, VARINT), (4, VARINT), (5, BYTES), (5, FIXED32), (6, BYTES), (7, BYTES),
             (8, BYTES), (8, FIXED64), (10, VARINT), (12, BYTES)},
    "datum": {(1, VARINT), (2, VARINT), (3, VARINT), (4, BYTES), (5, VARINT), (6, BYTES), (6, FIXED32), (7, VARINT)},
}


class TooMany(Exception):
    """A file has more fields than any real one."""


@dataclass
class Top:
    """The fields at the top of a file up to its end or to where it breaks."""

    fields: list[Field] = field(default_factory=list)
    error: WireError | None = None
    open_number: int = 0
    """Number of the field that is cut off, where its tag can be read."""
    open_start: int = 0


def top_of(data: memoryview) -> Top:
    """Walk the top of a file; raises TooMany."""
    found = Top()
    reader = wire.Fields(data, 0, len(data))
    try:
        last = None
        for f in reader:
            if last is not None and f.kind in (FIXED32, FIXED64) and f.number == last.number:
                continue  # a run of single numbers counts once
            found.fields.append(f)
            last = f
            if len(found.fields) > _MOST_FIELDS:
                raise TooMany
    except WireError as error:
        found.error = error
        try:
            tag, place = wire.varint(data, error.offset, len(data))
            found.open_number, found.open_start = tag >> 3, wire.varint(data, place, len(data))[1] if tag & 7 == BYTES else place
        except WireError:
            pass
    return found


def kind_of(data: memoryview, found: Top) -> str:
    """"net", "state", "blob", "datum", or an empty string: what the fields fit."""
    seen = {(f.number, f.kind) for f in found.fields}
    if found.error is not None and found.open_number:
        seen.add((found.open_number, BYTES))
    if not seen:
        return ""
    if (100, BYTES) in seen:
        return "net"
    if not any(f.number in (2, 3) for f in found.fields) and found.open_number not in (2, 3) and len(seen) < 2:
        return ""
    fitting = [name for name, allowed in _KINDS.items() if seen <= allowed]
    if "net" in fitting and not _holds_layers(data, found):
        fitting.remove("net")
    if "state" in fitting and (1, VARINT) not in seen:
        fitting.remove("state")
    if "blob" in fitting and not seen & {(5, BYTES), (5, FIXED32), (8, BYTES), (8, FIXED64), (12, BYTES)}:
        fitting.remove("blob")
    order = ("net", "blob", "datum", "state") if {(4, VARINT), (5, BYTES)} <= seen else ("net", "state", "datum", "blob")
    return next((name for name in order if name in fitting), "")


def _holds_layers(data: memoryview, found: Top) -> bool:
    """Whether the first ``layers`` of a V1 net are messages with a name or a layer inside."""
    for f in found.fields:
        if f.number == _LAYERS:
            try:
                numbers = {x.number for x in wire.Fields(data, f.start, f.end)}
            except WireError:
                return False
            return bool(numbers & {1, 4, 5})
    return found.open_number == _LAYERS


@dataclass
class Weights:
    """What a .caffemodel holds, as far as it is whole."""

    layers: int = 0
    with_params: int = 0
    blobs: int = 0
    values: int = 0
    types: Counter[str] = field(default_factory=Counter)
    dtypes: Counter[str] = field(default_factory=Counter)
    traits: Counter[recognise.Trait] = field(default_factory=Counter)
    old: bool = False
    diffs: bool = False
    last: str = ""


def examine(path: Path, report: FileReport) -> bool:
    """Fill the report of a protobuf file; False where it is none of Caffe's."""
    data = mapped(path)
    try:
        found = top_of(data)
    except TooMany:
        return False
    kind = kind_of(data, found)
    if kind == "net":
        _net(path, data, found, report)
    elif kind == "state":
        _state(data, found, report)
    elif kind == "blob":
        _blob(data, found, report)
    elif kind == "datum":
        _datum(data, found, report)
    else:
        return False
    return True


def _break(data: memoryview, report: FileReport, error: WireError) -> None:
    report.broken = f"byte {error.offset:,} of {len(data):,}: {error.args[0]}"


def _net(path: Path, data: memoryview, found: Top, report: FileReport) -> None:
    held, error = Weights(), found.error
    current = any(f.number == _LAYER for f in found.fields) or found.open_number == _LAYER
    for f in found.fields:
        if f.number in _BLOBS and f.kind == BYTES and held.layers < _MOST_LAYERS:
            try:
                _layer(data, f, held)
            except WireError as e:
                error = e
                break
            held.layers += 1
    syntax = "V2" if current else "V0" if held.old else "V1"
    year = {"V2": "the current format, since late 2014", "V1": "the format of 2014", "V0": "the format of 2013"}[syntax]
    report.kind = ".caffemodel: trained params and the net that they belong to"
    report.origin = str(recognise.explained(held.traits))
    name = next((wire.text(data, f, "name") for f in found.fields if f.number == 1 and f.kind == BYTES), "")
    report.facts |= {"net": name or "without a name", "syntax": f"{syntax} ({year})",
                     "layers": f"{held.layers:,}, {held.with_params:,} with params",
                     "params": f"{held.values:,} values in {count(held.blobs, 'array')}",
                     "stored as": ", ".join(f"{k} ({n:,})" for k, n in held.dtypes.items()) or "-", "bytes": len(data)}
    if held.diffs:
        report.notes.append("it holds gradients beside the params; netdef leaves them")
    if not held.values:
        report.notes.append("it holds no params at all, only the net")
    if error is not None:
        _break(data, report, error)
        report.sound = count(held.layers, "whole layer") + (f", the last one '{held.last}'" if held.last else "")
        inside = _open_layer(data, found)
        if inside:
            report.sound += f"; it breaks in {inside}"
        report.next = ["get the file again; nothing can be read from it as it is"]
        return
    _inside(path, report)


def _layer(data: memoryview, whole: Field, held: Weights) -> None:
    """Count one layer; raises WireError where something in it is wrong."""
    name_number, type_number = _NAMES[whole.number]
    blobs: list[Field] = []
    name = layer_type = ""
    for n, f in enumerate(wire.Fields(data, whole.start, whole.end)):
        if n > _MOST_IN_LAYER:
            raise WireError(f"a layer has more than {_MOST_IN_LAYER:,} fields", f.at)
        if f.number == _BLOBS[whole.number] and f.kind == BYTES:
            blobs.append(f)
        elif f.number == name_number and f.kind == BYTES:
            name = wire.text(data, f, "name")
        elif f.number == type_number:
            layer_type = wire.text(data, f, "type") if f.kind == BYTES else str(f.value)
        elif whole.number == _LAYERS and f.number == 1 and f.kind == BYTES:  # a V0 layer inside
            held.old = True
            for inner in wire.Fields(data, f.start, f.end):
                if inner.number == _V0_BLOBS and inner.kind == BYTES:
                    blobs.append(inner)
                elif inner.number == 1:
                    name = wire.text(data, inner, "name")
    if whole.number == _LAYER:
        held.traits.update(recognise.layer_traits(data, whole))
    held.types[layer_type] += 1
    for blob in blobs:
        _count_blob(data, blob, held)
    held.with_params += bool(blobs)
    held.last = name


def _count_blob(data: memoryview, blob: Field, held: Weights) -> None:
    raw, dtype = False, "float32"
    for f in wire.Fields(data, blob.start, blob.end):
        if f.number == 12 and f.kind == BYTES and f.end > f.start:
            raw = True
        elif f.number == 10 and f.kind == VARINT:
            dtype = _RAW.get(f.value, "?")
        elif f.number in (6, 9):
            held.diffs = True
            break
        elif f.kind in (FIXED32, FIXED64):
            break  # floats one by one: nothing else is looked for behind them
    if raw:
        held.traits[recognise.Trait("params in raw_data", ("nvcaffe",))] += 1
    array = blobproto.decode(data, blob.start, blob.end).array
    held.dtypes[dtype if raw else str(array.dtype)] += 1
    held.blobs += 1
    held.values += array.size


def _open_layer(data: memoryview, found: Top) -> str:
    """The layer that is cut off, by name and type, and what of it is there."""
    if found.error is None or found.open_number not in _BLOBS:
        return ""
    name_number, type_number = _NAMES[found.open_number]
    name = layer_type = ""
    try:
        for f in wire.Fields(data, found.open_start, len(data)):
            if f.number == name_number and f.kind == BYTES:
                name = wire.text(data, f, "name")
            elif f.number == type_number and f.kind == BYTES:
                layer_type = wire.text(data, f, "type")
    except WireError:
        pass
    return f"layer '{name}'" + (f" ({layer_type})" if layer_type else "") if name else ""


def _inside(path: Path, report: FileReport) -> None:
    """Whether the net inside opens, and what it takes to look at it."""
    shown, assume = str(path), ""
    try:
        with silent():
            errors = Collector()
            net = load_net(path, errors=errors, report=Report())
            seen = look(net)[0]
    except ConfigError as error:
        report.facts["net inside"] = "does not open"
        report.cannot.append(f"the net inside cannot be read: {error.message}")
        report.next.append(f"netdef test net.prototxt --weights {shown}    (with a prototxt of the net)")
        return
    trouble = unknown_types(seen.types) or next((e.message for e in (*errors.found, *seen.errors)), "")
    report.facts["net inside"] = f"opens: {count(seen.layers, 'layer')}" + (f"; {trouble}" if trouble else "")
    if seen.unassumed:
        assume = "".join(f" --assume {blob}=N,C,H,W" for blob in seen.unassumed[:2])
    if not trouble:
        report.next.append(f"netdef summary {shown}{assume}")
    report.next += [f"netdef convert {shown} net.prototxt", f"netdef test net.prototxt --weights {shown}"]


def unknown_types(types: Mapping[str, int]) -> str:
    """``types not known here: PriorBox (6)``, or an empty string."""
    rows = [f"{name} ({n})" for name, n in types.items()]
    return f"types not known here: {some(rows)}" if rows else ""


def _state(data: memoryview, found: Top, report: FileReport) -> None:
    report.kind = ".solverstate: how far a training had come, and the solver's history"
    arrays = values = 0
    error = found.error
    own = False
    for f in found.fields:
        try:
            if f.number == 1:
                report.facts["iteration"] = wire.signed(f.value, 32)
            elif f.number == 2:
                report.facts["weights"] = wire.text(data, f, "learned_net")
            elif f.number == 3:
                values += blobproto.decode(data, f.start, f.end).array.size
                arrays += 1
            own = own or f.number == 50001
        except WireError as e:
            error = e
            break
    report.origin = "netdef" if own else "Caffe"
    report.facts |= {"history": f"{count(arrays, 'array')} of {values:,} values", "bytes": len(data)}
    if error is not None:
        _break(data, report, error)
        report.sound = count(arrays, "whole array")
        return
    report.next = [f"netdef train solver.prototxt --snapshot {report.path}"]


def _blob(data: memoryview, found: Top, report: FileReport) -> None:
    report.kind = ".binaryproto: one array, as mean images are kept"
    report.origin = "Caffe"
    try:
        if found.error is not None:
            raise found.error
        array = blobproto.decode(data, 0, len(data)).array
    except WireError as error:
        _break(data, report, error)
        return
    report.facts |= {"shape": "x".join(map(str, array.shape)), "values": array.size, "bytes": len(data)}
    if array.ndim == 4 and array.shape[0] == 1 and array.nbytes <= _SMALL and array.size:
        means = np.asarray(array[0], np.float64).reshape(array.shape[1], -1).mean(1)
        report.facts["channel means"] = ", ".join(f"{m:.4g}" for m in means[:8])
        report.next = [f'transform_param {{ mean_file: "{report.path}" }} in a data layer']


def _datum(data: memoryview, found: Top, report: FileReport) -> None:
    report.kind = "Datum: one record of a database, by itself"
    report.origin = "Caffe"
    sizes = {f.number: wire.signed(f.value, 32) for f in found.fields if f.kind == VARINT}
    if found.error is not None:
        _break(data, report, found.error)
    report.facts |= {"shape": "x".join(str(sizes.get(n, 0)) for n in (1, 2, 3)), "label": sizes.get(5, 0)}
