"""Params from and to files: matching by layer name, with Caffe's rules for shapes."""
from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdef import weights
from netdef.config import binary, schema
from netdef.config.paths import BUILTIN, resolve
from netdef.errors import WeightsError, warn

if TYPE_CHECKING:
    from netdef.runtime.net import Net


@dataclass
class LoadReport:
    """What ``Net.load`` did: layers loaded, layers only in the file, layers with params only in the net."""

    path: str
    loaded: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    not_in_file: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.path}: loaded {len(self.loaded)} layers"
        if self.not_in_file:
            text += f"; not in the file, kept as filled: {', '.join(self.not_in_file)}"
        if self.ignored:
            text += f"; only in the file, ignored: {', '.join(self.ignored)}"
        return text


def load_weights(net: Net, path: Path, strict: bool) -> LoadReport:
    """Copy a file's arrays into the params of the layers of the same names.

    All shapes are compared before anything is copied, so a file that does not fit leaves the net as it was.
    """
    file = weights.read(path)
    report = LoadReport(str(path))
    copies: list[tuple[np.ndarray, np.ndarray]] = []
    for name, arrays in file.layers.items():
        if name not in net.params:
            if len(arrays):
                report.ignored.append(name)
            continue
        copies += _matched(net, path, name, arrays, file)
        report.loaded.append(name)
    report.not_in_file = [name for name in net.params if name not in file.layers]
    if strict and (report.ignored or report.not_in_file):
        raise WeightsError(f"strict: {report}", where=str(path))
    for target, source in copies:
        np.copyto(target, source.reshape(target.shape), casting="unsafe")
    if not report.loaded:
        warn(f"no layer of the net '{net.name}' is in the file; layers are matched by name", str(path))
    return report


def _matched(net: Net, path: Path, name: str, arrays: list[np.ndarray],
             file: weights.WeightsFile) -> list[tuple[np.ndarray, np.ndarray]]:
    blobs, numbered = net.params[name], file.numbered(name)
    if not arrays:
        return []
    absent = [i for i in range(len(blobs)) if i not in numbered and not net.shares(blobs[i])]
    if absent or max(numbered) >= len(blobs):
        raise WeightsError(f"layer '{name}': the file has {len(arrays)} params, the net has {len(blobs)}",
                           where=str(path))
    for position, (i, array) in enumerate(numbered.items()):
        if not weights.shapes_match(array.shape, blobs[i].shape, file.is_legacy(name, position)):
            raise WeightsError(f"layer '{name}': param {i} has shape {tuple(array.shape)} in the file and "
                               f"{blobs[i].shape} in the net", where=str(path),
                               hint="to train this layer anew, give it another name")
    return [(blobs[i].data, array) for i, array in numbered.items()]


def save_weights(net: Net, path: Path) -> None:
    """Write every layer (those without params too, as Caffe does), in a .caffemodel with its options."""
    layers = [(run.name, run.type, [blob.data for blob in run.params]) for run in net.steps]
    weights.write(path, layers, net.name, _message(net))


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
