"""Data sources and transforms: where records come from, and what is done to them before a net sees them.

``open(source)`` gives a Source: built-in digits and toy problems, LMDB, LevelDB, or another kind of ``KINDS`` that is written
``kind:path``; ``peek(source)`` only its shape and size; ``resolved(source, find)`` puts found paths in. A Source can be counted
(``len``), gone through (``for array, label in source``), asked for ``record(i)``, ``batch(start, count)``, ``take(numbers)`` and
all ``labels()``, and has ``class_names`` where these are known. ``Transformer`` crops, subtracts the mean, scales and mirrors;
``augment`` has the random changes of training. ``order`` says which records come when, ``reader`` makes batches of them, and
``prefetch`` does so ahead on threads. ``hdf5`` reads rows of any shape from lists of HDF5 files, ``windows`` parts of pictures.
``images`` reads and resizes pictures; ``Preprocessing`` is what is done to them before a trained net sees them, with
``mean_file`` and ``labels`` beside it.

No layers live here. May import errors, rng, config, blob and kernels. A new kind of source is one module with a class that
follows ``Source`` (``Records`` is its base), and one line in ``spelling.py``.
"""
from netdef.data.opening import open, peek
from netdef.data.source import Peek, Source
from netdef.data.spelling import KINDS, resolved
from netdef.data.transforms import Transformer, read_mean

IN_MEMORY = frozenset(("builtin", "idx", "npy", "npz", "csv", "tsv", "cifar10", "cifar100"))
"""Kinds whose records lie in memory while the source is open."""

__all__ = ["IN_MEMORY", "KINDS", "Peek", "Source", "Transformer", "open", "peek", "read_mean", "resolved"]
