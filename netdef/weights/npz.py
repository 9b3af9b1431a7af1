"""Reading and writing weights as NumPy's .npz: one array ``<layer>/<index>`` for each blob, no limit on size."""
from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from netdef.errors import WeightsError
from netdef.weights.atomic import atomic_write
from netdef.weights.file import LayerEntry, WeightsFile

_KINDS = "fiub"  # float, int, unsigned, bool
_MOST_SQUEEZED = 1100  # deflate shrinks at most about 1032 times; a member that claims more is made to fill the memory


def write_npz(path: str | os.PathLike[str], layers: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Write ``{layer name: arrays}``, uncompressed; raises WeightsError where the file cannot be written."""
    arrays: dict[str, Any] = {}
    for name, blobs in layers.items():
        arrays.update((f"{name}/{i}", np.asarray(array)) for i, array in enumerate(blobs))
    strange = [key for key, array in arrays.items() if array.dtype.kind not in _KINDS]
    if strange:
        raise TypeError(f"expected arrays of numbers, got {arrays[strange[0]].dtype} for '{strange[0]}'")
    with atomic_write(path) as file:
        np.savez(file, **arrays)


def read_npz(path: str | os.PathLike[str]) -> WeightsFile:
    """Read ``{layer name: arrays}``; types stay unknown (empty strings).

    Raises WeightsError for a file that cannot be read or is no such archive. Pickled objects are never loaded.
    """
    found = WeightsFile(str(path), "npz")
    where = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name, index = _split(info.filename, where)
                if name not in found.layers:
                    found.add(LayerEntry(name))
                blobs = found.layers[name]
                if index != len(blobs):
                    raise WeightsError(f"expected array '{name}/{len(blobs)}', got '{name}/{index}'", where=where)
                with archive.open(info) as member:
                    blobs.append(_array(member, info, where))
                found.legacy[name].append(False)
    except OSError as error:
        raise WeightsError(f"cannot read: {error.strerror or error}", where=where) from error
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise WeightsError(f"expected an .npz file of weights: {error}", where=where) from error
    return found


def _split(filename: str, where: str) -> tuple[str, int]:
    """``conv1/0.npy`` -> ("conv1", 0); layer names may hold slashes themselves."""
    name, slash, index = filename.removesuffix(".npy").rpartition("/")
    if not slash or not index.isdecimal() or len(index) > 6:
        raise WeightsError(f"expected arrays named '<layer>/<index>', got '{filename}'", where=where)
    return name, int(index)


def _array(member: IO[bytes], info: zipfile.ZipInfo, where: str) -> np.ndarray:
    """One array; its size is checked against what the archive can hold before memory is taken."""
    version = npy.read_magic(member)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read_header is None:
        raise WeightsError(f"'{info.filename}' has the unknown .npy version {version}", where=where)
    shape, fortran, dtype = read_header(member)
    if dtype.kind not in _KINDS:
        raise WeightsError(f"'{info.filename}' holds {dtype}, expected numbers", where=where)
    size = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
    if min(shape, default=0) < 0 or size > info.file_size or info.file_size > _MOST_SQUEEZED * (info.compress_size + 1):
        raise WeightsError(f"'{info.filename}' of shape {shape} is larger than the archive", where=where)
    raw = member.read(size)
    if len(raw) != size:
        raise WeightsError(f"'{info.filename}' needs {size} bytes, got {len(raw)}", where=where)
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")
