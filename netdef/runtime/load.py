"""Params from and to files: matching by layer name, with Caffe's rules for shapes."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netdef import weights
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
    blobs = net.params[name]
    if not arrays:
        return []
    if len(arrays) != len(blobs):
        raise WeightsError(f"layer '{name}': the file has {len(arrays)} params, the net has {len(blobs)}",
                           where=str(path))
    for i, (blob, array) in enumerate(zip(blobs, arrays, strict=True)):
        if not weights.shapes_match(array.shape, blob.shape, file.is_legacy(name, i)):
            raise WeightsError(f"layer '{name}': param {i} has shape {tuple(array.shape)} in the file and "
                               f"{blob.shape} in the net", where=str(path),
                               hint="to train this layer anew, give it another name")
    return [(blob.data, array) for blob, array in zip(blobs, arrays, strict=True)]


def save_weights(net: Net, path: Path) -> None:
    """Write every layer (those without params too, as Caffe does)."""
    layers = [(run.name, run.type, [blob.data for blob in run.params]) for run in net.steps]
    weights.write(path, layers, net.name)
