"""Params from and to files: matching by layer name, with Caffe's rules for shapes."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdef import weights
from netdef.blob import Blob
from netdef.config import binary, schema
from netdef.config.paths import BUILTIN, resolve
from netdef.errors import WeightsError, warn
from netdef.runtime.loadreport import LoadReport

if TYPE_CHECKING:
    from netdef.runtime.net import Net


Copies = list[tuple[np.ndarray, np.ndarray]]
Params = Mapping[str, Sequence[Blob]]
_ANEW = "to train this layer anew, give it another name"


def load_weights(net: Net, path: Path, strict: bool, into: Params | None = None) -> LoadReport:
    """Copy a file's arrays into the params of the layers of the same names (or into blobs like them, ``into``).

    All shapes are compared before anything is copied, so a file that does not fit leaves the net as it was.
    """
    return load_files(net, [path], strict, into)[0]


def load_files(net: Net, paths: Sequence[Path], strict: bool, into: Params | None = None) -> list[LoadReport]:
    """Copy the arrays of several files, later ones over earlier ones; a report for each.

    With ``strict`` every layer with params must be in one of the files, and every layer of a file in the net. Raises
    WeightsError before anything is copied.
    """
    found = [_prepared(net, path, into or net.params) for path in paths]
    reports = [report for report, _ in found]
    if strict:
        _check_strict(reports)
    for report, copies in found:
        for target, source in copies:
            np.copyto(target, source.reshape(target.shape), casting="unsafe")
        if not report.loaded:
            warn(f"no layer of the net '{net.name}' is in the file; layers are matched by name", report.path)
    return reports


def _check_strict(reports: Sequence[LoadReport]) -> None:
    """Raise WeightsError where a layer of the net is in no file, or one of a file is not in the net."""
    loaded = {name for report in reports for name in report.loaded}
    for report in reports:
        missing = [name for name in report.not_in_file if name not in loaded]
        if missing or report.ignored:
            told = replace(report, not_in_file=missing)
            raise WeightsError(f"strict: {told}", where=report.path, notes=[n.strip() for n in told.lines()[1:]])


def _prepared(net: Net, path: Path, params: Params) -> tuple[LoadReport, Copies]:
    """What will be copied where, and the report of it."""
    file = weights.read(path)
    report = LoadReport(str(path), file_shapes={name: [tuple(a.shape) for a in arrays]
                                                for name, arrays in file.layers.items()},
                        net_shapes={name: [b.shape for b in blobs] for name, blobs in net.params.items()})
    copies: Copies = []
    for name, arrays in file.layers.items():
        if not len(arrays):
            continue
        if name not in net.params:
            report.ignored.append(name)
            continue
        copies += _matched(net, path, name, file, params[name])
        report.loaded.append(name)
    report.not_in_file = [name for name, blobs in net.params.items()
                          if name not in report.loaded and not all(net.shares(b) for b in blobs)]
    return report, copies


def _matched(net: Net, path: Path, name: str, file: weights.WeightsFile, targets: Sequence[Blob]) -> Copies:
    blobs, numbered = net.params[name], file.numbered(name)
    node = next(run.node for run in net.steps if run.name == name)
    absent = [i for i in range(len(blobs)) if i not in numbered and not net.shares(blobs[i])]
    if absent or max(numbered) >= len(blobs):
        raise WeightsError(f"layer '{name}': the file has {len(numbered)} params, the net has {len(blobs)}",
                           where=node.located.span, hint=_ANEW, notes=[f"the file: {path}"])
    for position, (i, array) in enumerate(numbered.items()):
        if not weights.shapes_match(array.shape, blobs[i].shape, file.is_legacy(name, position)):
            raise WeightsError(f"layer '{name}': param {i} has shape {tuple(array.shape)} in the file and "
                               f"{blobs[i].shape} in the net", where=node.located.span, hint=_ANEW,
                               notes=[f"the file: {path}"])
    return [(targets[i].data, array) for i, array in numbered.items()]


def save_weights(net: Net, path: Path, params: Params | None = None, diffs: bool = False) -> None:
    """Write every layer (those without params too, as Caffe does), in a .caffemodel with its options.

    ``params`` are written in place of the net's own, where they are given; with ``diffs`` their gradients go into the
    file too (.caffemodel and HDF5), as zeros where a param has none.
    """
    own: Params = params if params is not None else net.params
    layers = [(run.name, run.type, [blob.data for blob in own.get(run.name, ())]) for run in net.steps]
    gradients = {name: [blob.diff if blob.has_diff else np.zeros_like(blob.data) for blob in blobs]
                 for name, blobs in own.items()} if diffs else None
    weights.write(path, layers, net.name, _message(net), gradients)


def _message(net: Net) -> Any:
    """The layers that the net has as a NetParameter, so that a .caffemodel opens without its config."""
    message = schema.new("NetParameter")
    message.name = net.name
    for run in net.steps:
        layer = message.layer.add()
        layer.CopyFrom(schema.adopt(run.layer.spec.message))
        layer.ClearField("blobs")
    return message


def own_weights(source: Any) -> Path | None:
    """The file that a net comes from, where it is a .caffemodel and so has the net's params too."""
    if not isinstance(source, (str, os.PathLike)) or os.fspath(source).startswith(BUILTIN):
        return None
    file = resolve(os.fspath(source))
    return file if binary.holds_net(file) else None
