"""Reading and writing .solverstate: how far a training run had come, and the solver's history arrays."""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from netdef.config import blobproto, wire
from netdef.config.blobproto import encode_varint, tagged
from netdef.config.wire import BYTES, VARINT
from netdef.weights.caffemodel import write_pieces
from netdef.weights.mapped import HDF5_MAGIC, mapped, reading

_ITER, _LEARNED_NET, _HISTORY, _CURRENT_STEP = 1, 2, 3, 4
_EXTRA = 50001  # netdef's own; Caffe keeps a field that it does not know aside and reads the rest


@dataclass
class SolverStateFile:
    """What a .solverstate holds. The arrays may be read-only views of the file, not aligned."""

    iter: int = 0
    """Updates done."""
    learned_net: str = ""
    """Path of the weights as written down, which Caffe takes relative to the working directory."""
    history: list[np.ndarray] = field(default_factory=list)
    """One array for each learnable param (SGD, Nesterov, AdaGrad, RMSProp) or two (AdaDelta, Adam: all first ones,
    then all second ones)."""
    current_step: int = 0
    """How many step values the policy "multistep" has passed."""
    extra: str = ""
    """What netdef needs beyond Caffe to go on exactly (JSON); empty in files of Caffe."""
    path: str = ""
    legacy: list[bool] = field(default_factory=list)
    """For each array: whether its shape is of the old four-axis kind (see ``shapes_match``)."""


def read_solverstate(path: str | os.PathLike[str]) -> SolverStateFile:
    """Read a .solverstate, or its HDF5 twin (known by its first bytes); raises WeightsError with the byte offset where
    it is damaged."""
    data = mapped(path)
    if bytes(data[: len(HDF5_MAGIC)]) == HDF5_MAGIC:
        from netdef.weights.statehdf5 import read_state_hdf5

        return read_state_hdf5(path)
    state = SolverStateFile(path=str(path))
    with reading(path, data, "a .solverstate"):
        for entry in wire.Fields(data, 0, len(data)):
            if entry.number == _LEARNED_NET:
                state.learned_net = wire.text(data, entry, "learned_net")
            elif entry.number == _HISTORY:
                wire.expect(entry, BYTES, "history")
                array, legacy = blobproto.decode(data, entry.start, entry.end)
                state.history.append(array)
                state.legacy.append(legacy)
            elif entry.number == _EXTRA:
                state.extra = wire.text(data, entry, "extra")
            elif entry.number in (_ITER, _CURRENT_STEP):
                name = "iter" if entry.number == _ITER else "current_step"
                wire.expect(entry, VARINT, name)
                setattr(state, name, wire.signed(entry.value, 32))
    return state


def write_solverstate(
    path: str | os.PathLike[str],
    iter: int,
    learned_net: str,
    history: Sequence[np.ndarray],
    current_step: int = 0,
    extra: str = "",
) -> None:
    """Write a .solverstate that Caffe reads; float64 histories are stored as double_data, ``extra`` in a field of ours.

    A path that ends in .h5 gets the HDF5 twin. Raises WeightsError where the file cannot be written or would pass
    protobuf's limit of 2 GiB.
    """
    if os.fspath(path).lower().endswith(".h5"):
        from netdef.weights.statehdf5 import write_state_hdf5

        return write_state_hdf5(path, iter, learned_net, history, current_step, extra)
    name = learned_net.encode("utf-8")
    pieces: list[bytes | memoryview] = [
        tagged(_ITER, VARINT) + encode_varint(iter),
        tagged(_LEARNED_NET, BYTES) + encode_varint(len(name)) + name,
    ]
    for array in history:
        body = blobproto.encode(array)
        pieces += [tagged(_HISTORY, BYTES) + encode_varint(sum(len(piece) for piece in body)), *body]
    pieces.append(tagged(_CURRENT_STEP, VARINT) + encode_varint(current_step))
    if extra:
        text = extra.encode("utf-8")
        pieces.append(tagged(_EXTRA, BYTES) + encode_varint(len(text)) + text)
    write_pieces(path, pieces, "snapshot_format: HDF5 has no limit")
