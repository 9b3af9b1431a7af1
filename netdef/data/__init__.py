"""Data sources and transforms: where records come from, and what Caffe does to them before a net sees them.

``open(source)`` gives a Source (built-in digits and toy problems, LMDB, LevelDB), ``peek(source)`` only its shape and
size, ``Transformer`` crops, subtracts the mean, scales and mirrors. ``hdf5`` reads rows of any shape from lists of HDF5
files. ``images`` reads and resizes pictures; ``Preprocessing`` is what is done to them before a trained net sees them,
with ``mean_file`` and ``labels`` beside it. No layers live here. May import errors, rng, config, blob and kernels. A
new kind of source is one module with a class that follows ``Source``, and one line in ``opening.py``.
"""
from netdef.data.opening import open, peek
from netdef.data.source import Peek, Source
from netdef.data.transforms import Transformer, read_mean

__all__ = ["Peek", "Source", "Transformer", "open", "peek", "read_mean"]
