"""Weights files <-> arrays by layer name: .caffemodel, .solverstate and .npz.

What lives here: reading, writing and recognising such files. It knows no net: ``Net.load`` matches layers and shapes
(``shapes_match`` is Caffe's rule for that). May import errors, config, blob and kernels. A new format is one module
with a reader that returns a WeightsFile, and one line in ``formats.py``.
"""
from netdef.weights.atomic import atomic_write
from netdef.weights.caffemodel import read_caffemodel, write_caffemodel
from netdef.weights.file import WeightsFile, shapes_match
from netdef.weights.formats import read, write
from netdef.weights.npz import read_npz, write_npz
from netdef.weights.solverstate import SolverStateFile, read_solverstate, write_solverstate

__all__ = [
    "SolverStateFile",
    "WeightsFile",
    "atomic_write",
    "read",
    "read_caffemodel",
    "read_npz",
    "read_solverstate",
    "shapes_match",
    "write",
    "write_caffemodel",
    "write_npz",
    "write_solverstate",
]
