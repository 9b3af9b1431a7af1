"""The .solverstate.h5: Caffe's HDF5 twin of a .solverstate, and netdef's addition to it.

The datasets iter, current_step (one int each) and learned_net (a string) stand at the top, the arrays as 0, 1, ... in
the group /history. What netdef needs beyond Caffe stands in a dataset of its own at the top, which Caffe does not look
for.
"""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from netdef.errors import WeightsError
from netdef.weights import hdf5
from netdef.weights.mapped import mapped
from netdef.weights.solverstate import SolverStateFile

_HISTORY, _EXTRA = "history", "netdef"


def read_state_hdf5(path: str | os.PathLike[str]) -> SolverStateFile:
    """Read a .solverstate.h5; raises WeightsError where it is cut off, damaged or another kind of HDF5 file."""
    h5py = hdf5.h5py_or_error(path)
    data, where = mapped(path), str(path)
    state = SolverStateFile(path=where)
    try:
        with h5py.File(path, "r") as file:
            top = dict(hdf5.members(h5py, file, where))
            if not isinstance(top.get(_HISTORY), h5py.Group) or "iter" not in top:
                raise WeightsError("expected a solver's state: iter and the group /history", where=where,
                                   hint="weights go to --weights" if "data" in top else "")
            state.iter, state.current_step = _number(top["iter"]), _number(top.get("current_step"))
            state.learned_net, state.extra = _text(top.get("learned_net")), _text(top.get(_EXTRA))
            in_place = data if not file.userblock_size else None
            arrays = dict(hdf5.members(h5py, top[_HISTORY], where))
            if set(arrays) != {str(i) for i in range(len(arrays))}:
                raise WeightsError(f"expected arrays 0 to {len(arrays) - 1} in /history, got {', '.join(arrays)}",
                                   where=where)
            for i in range(len(arrays)):
                state.history.append(hdf5.array(arrays[str(i)], f"/history/{i}", in_place, where))
                state.legacy.append(False)
    except hdf5.BROKEN as error:
        raise WeightsError(f"expected an HDF5 solver state; of its {len(data)} bytes: {error}", where=where,
                           hint="the file is cut off or damaged") from error
    return state


def _number(dataset: Any) -> int:
    if dataset is None:
        return 0
    if dataset.size != 1 or dataset.dtype.kind not in "iu":
        raise ValueError(f"{dataset.name} is not one integer")
    return int(np.asarray(dataset[()]).reshape(()))


def _text(dataset: Any) -> str:
    if dataset is None:
        return ""
    if dataset.size != 1 or dataset.dtype.kind not in "SO":
        raise ValueError(f"{dataset.name} is no text")
    value = dataset[()]
    raw = value if isinstance(value, bytes) else bytes(np.asarray(value).reshape(()).item())
    return raw.rstrip(b"\0").decode("utf-8", "backslashreplace")


def write_state_hdf5(path: str | os.PathLike[str], iter: int, learned_net: str, history: Sequence[np.ndarray],
                     current_step: int = 0, extra: str = "") -> None:
    """Write a .solverstate.h5 that Caffe reads; float64 histories stay so. Raises WeightsError."""
    h5py = hdf5.h5py_or_error(path)

    def fill(file: Any) -> None:
        file.create_dataset("iter", data=np.array([iter], np.int32))
        file.create_dataset("current_step", data=np.array([current_step], np.int32))
        _put_text(h5py, file, "learned_net", learned_net)
        if extra:
            _put_text(h5py, file, _EXTRA, extra)
        group = file.create_group(_HISTORY)
        for i, array in enumerate(history):
            kind = np.float64 if array.dtype == np.float64 else np.float32
            group.create_dataset(str(i), data=np.asarray(array, kind))

    hdf5.write_file(h5py, path, fill)


def _put_text(h5py: Any, file: Any, name: str, text: str) -> None:
    """A string of fixed length that ends in a zero byte: Caffe reads up to that byte."""
    raw = text.encode("utf-8") + b"\0"
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(raw))
    kind.set_strpad(h5py.h5t.STR_NULLTERM)
    space = h5py.h5s.create(h5py.h5s.SCALAR)
    made = h5py.h5d.create(file.id, name.encode(), kind, space)
    made.write(space, space, np.array(raw, dtype=f"S{len(raw)}"), kind)
