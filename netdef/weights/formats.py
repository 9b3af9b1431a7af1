"""Any weights file: read by its first bytes, never by its name (as Caffe does for HDF5), written by its extension."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netdef.errors import WeightsError
from netdef.weights.caffemodel import read_caffemodel, write_caffemodel
from netdef.weights.file import WeightsFile
from netdef.weights.mapped import HDF5_MAGIC, ZIP_MAGICS
from netdef.weights.npz import read_npz, write_npz

if TYPE_CHECKING:
    from google.protobuf.message import Message


def read(path: str | os.PathLike[str]) -> WeightsFile:
    """Read a .caffemodel or .npz, whichever it is; raises WeightsError."""
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except OSError as error:
        raise WeightsError(f"cannot read: {error.strerror or error}", where=str(path)) from error
    if head.startswith(ZIP_MAGICS):
        return read_npz(path)
    if head == HDF5_MAGIC:
        message = "expected a .caffemodel or .npz file, got HDF5"
        raise WeightsError(message, where=str(path), hint="save it as .caffemodel (snapshot_format: BINARYPROTO)")
    return read_caffemodel(path)


def write(
    path: str | os.PathLike[str],
    layers: Sequence[tuple[str, str, Sequence[np.ndarray]]],
    net_name: str = "",
    net_message: Message | None = None,
) -> None:
    """Write ``(layer name, type, arrays)``: as .npz where the path ends so, else as a .caffemodel.

    ``net_name`` and ``net_message`` go into a .caffemodel only (see ``write_caffemodel``). Raises WeightsError.
    """
    name = os.fspath(path).lower()
    if name.endswith((".h5", ".hdf5")):
        raise WeightsError("netdef writes no HDF5 weights", where=str(path), hint="use .caffemodel or .npz")
    if name.endswith(".npz"):
        write_npz(path, {layer: arrays for layer, _, arrays in layers})
    else:
        write_caffemodel(path, layers, net_name, net_message)
