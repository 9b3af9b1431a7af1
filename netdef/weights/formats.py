"""Any weights file: read by its first bytes, never by its name (as Caffe does for HDF5), written by its extension."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from netdef.errors import WeightsError
from netdef.weights.caffemodel import read_caffemodel, write_caffemodel
from netdef.weights.file import WeightsFile
from netdef.weights.hdf5 import read_hdf5, write_hdf5
from netdef.weights.mapped import HDF5_MAGIC, ZIP_MAGICS
from netdef.weights.npz import read_npz, write_npz
from netdef.weights.safetensors import looks_like, read_safetensors, write_safetensors

if TYPE_CHECKING:
    from google.protobuf.message import Message


HDF5_ENDINGS = (".h5", ".hdf5")


def read(path: str | os.PathLike[str]) -> WeightsFile:
    """Read a .caffemodel, .caffemodel.h5, .npz or .safetensors, whichever it is; raises WeightsError."""
    try:
        with open(path, "rb") as file:
            head, size = file.read(9), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise WeightsError(f"cannot read: {error.strerror or error}", where=str(path)) from error
    if head.startswith(ZIP_MAGICS):
        return read_npz(path)
    if head.startswith(HDF5_MAGIC):
        return read_hdf5(path)
    if looks_like(head, size) or os.fspath(path).lower().endswith(".safetensors"):
        return read_safetensors(path)
    return read_caffemodel(path)


def write(
    path: str | os.PathLike[str],
    layers: Sequence[tuple[str, str, Sequence[np.ndarray]]],
    net_name: str = "",
    net_message: Message | None = None,
    diffs: Mapping[str, Sequence[np.ndarray]] | None = None,
) -> None:
    """Write ``(layer name, type, arrays)`` by the path's ending: .h5 or .hdf5, .npz, .safetensors, else a .caffemodel.

    ``net_message`` goes into a .caffemodel only (see ``write_caffemodel``), ``diffs`` (gradients by layer name) there
    and into HDF5, where Caffe puts them. Raises WeightsError.
    """
    name = os.fspath(path).lower()
    if name.endswith(HDF5_ENDINGS):
        write_hdf5(path, layers, diffs)
    elif name.endswith(".npz"):
        write_npz(path, {layer: arrays for layer, _, arrays in layers})
    elif name.endswith(".safetensors"):
        write_safetensors(path, {layer: arrays for layer, _, arrays in layers}, net_name)
    else:
        write_caffemodel(path, layers, net_name, net_message, diffs)
