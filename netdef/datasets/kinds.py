"""The kinds of files that a data set can be written to."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from netdef.datasets.target import Writer
from netdef.datasets.write_arrays import Hdf5Writer, IdxWriter, NpzWriter
from netdef.datasets.write_folder import FolderWriter
from netdef.datasets.write_lmdb import LmdbWriter


class Kind(NamedTuple):
    """A kind: who writes it, the endings of names that mean it, what people call it, which old ones may be replaced."""

    writer: Callable[[Path, dict[str, Any]], Writer]
    endings: tuple[str, ...]
    text: str
    replaces: Callable[[Path], bool]


KINDS: dict[str, Kind] = {
    "lmdb": Kind(LmdbWriter, ("lmdb",), "LMDB", lambda path: (path / "data.mdb").is_file()),
    "hdf5": Kind(Hdf5Writer, (".h5", ".hdf5"), "HDF5 file", Path.is_file),
    "npz": Kind(NpzWriter, (".npz",), ".npz file", Path.is_file),
    "idx": Kind(IdxWriter, ("ubyte", "ubyte.gz", ".idx", ".idx.gz"), "IDX file", Path.is_file),
    "folder": Kind(FolderWriter, ("folder", "images", "/"), "folder of pictures that netdef made",
                   lambda path: (path / "labels.txt").is_file()),
}
