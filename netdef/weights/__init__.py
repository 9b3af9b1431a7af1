"""Weights files <-> arrays by layer name: .caffemodel, .solverstate, their HDF5 twins, .npz and .safetensors.

What lives here: reading, writing and recognising such files. It knows no net: ``Net.load`` matches layers and shapes
(``shapes_match`` is Caffe's rule for that). May import errors, config, blob and kernels. A new format is one module
with a reader that returns a WeightsFile, and one line in ``formats.py``.
"""
from netdef.weights.atomic import atomic_write, locked, unfinished
from netdef.weights.caffemodel import read_caffemodel, write_caffemodel
from netdef.weights.file import WeightsFile, shapes_match
from netdef.weights.formats import read, write
from netdef.weights.hdf5 import h5py_or_error, read_hdf5, write_hdf5
from netdef.weights.npz import read_npz, write_npz
from netdef.weights.safetensors import read_safetensors, write_safetensors
from netdef.weights.solverstate import SolverStateFile, read_solverstate, write_solverstate
from netdef.weights.stale import sweep

__all__ = [
    "SolverStateFile",
    "WeightsFile",
    "atomic_write",
    "h5py_or_error",
    "locked",
    "read",
    "read_caffemodel",
    "read_hdf5",
    "read_npz",
    "read_safetensors",
    "read_solverstate",
    "shapes_match",
    "sweep",
    "unfinished",
    "write",
    "write_caffemodel",
    "write_hdf5",
    "write_npz",
    "write_safetensors",
    "write_solverstate",
]
