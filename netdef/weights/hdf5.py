"""Weights in Caffe's HDF5 layout: one group ``/data/<layer>`` for each layer, in it the datasets 0, 1, ...

Read and written through the optional package h5py; no limit on size. Three things are netdef's own, all of which Caffe
reads or never writes. A layer's name with slashes ("inception_3a/1x1") becomes groups inside groups, as HDF5 takes such
names (Caffe 1.0 ends the program). A shared param is stored once and linked from each layer that has it; Caffe leaves
the later ones out, which is read too. Numbers that lie together are viewed in the file and not copied.
"""
from __future__ import annotations

import contextlib
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from netdef.errors import WeightsError
from netdef.weights.atomic import atomic_write, unfinished
from netdef.weights.file import LayerEntry, WeightsFile
from netdef.weights.mapped import mapped

_DATA, _DIFF = "data", "diff"
_KINDS = "fiu"  # float, int, unsigned
_MOST_AXES = 32
_MOST_GROUPS = 1_000_000
_MOST_SQUEEZED = 1100  # deflate shrinks at most about 1032 times; more is made to fill the memory
BROKEN = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, RecursionError, AttributeError)
"""What h5py raises for damaged files."""



def h5py_or_error(path: str | os.PathLike[str]) -> Any:
    """The package h5py; raises WeightsError that names what to install."""
    try:
        import h5py
    except ImportError:
        raise WeightsError("HDF5 files need the package h5py, which is not installed", where=str(path),
                           hint="pip install 'netdef[data]'") from None
    return h5py


def read_hdf5(path: str | os.PathLike[str]) -> WeightsFile:
    """The arrays of a .caffemodel.h5 by layer name; types stay unknown (empty strings).

    Raises WeightsError for a file that is cut off, damaged, of another layout, or claims more than it holds.
    """
    h5py = h5py_or_error(path)
    data = mapped(path)
    found = WeightsFile(str(path), "hdf5")
    try:
        with h5py.File(path, "r") as file:
            root = file.get(_DATA)
            if not isinstance(root, h5py.Group):
                raise WeightsError("expected weights: a group /data with a group for each layer", where=str(path),
                                   hint=_instead(file))
            in_place = not file.userblock_size  # else places in the file are not counted from its first byte
            for name, datasets in _layers(h5py, root, str(path)):
                found.add(_layer(h5py, name, datasets, data if in_place else None, str(path)))
    except BROKEN as error:
        raise WeightsError(f"expected an HDF5 file of weights; of its {len(data)} bytes: {error}", where=str(path),
                           hint="the file is cut off or damaged") from error
    return found


def _instead(file: Any) -> str:
    """What an HDF5 file without /data may be."""
    if "history" in file:
        return "it is a solver's state: --snapshot takes it"
    names = ", ".join(list(file)[:5])
    return f"it holds {names}" if names else "it is empty"


def _layers(h5py: Any, root: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each layer, and the datasets of its group: a group with datasets, or with nothing at all."""
    seen: set[Any] = set()
    todo = [(name, member) for name, member in reversed(members(h5py, root, where))]
    while todo:
        name, group = todo.pop()
        if not isinstance(group, h5py.Group):
            raise WeightsError(f"'/data/{name}' is no group of a layer", where=where)
        key = h5py.h5o.get_info(group.id).addr
        if key in seen or len(seen) > _MOST_GROUPS:
            raise WeightsError(f"'/data/{name}' leads back to a group around it, or there are too many", where=where)
        seen.add(key)
        held = members(h5py, group, where)
        inner = [(f"{name}/{child}", member) for child, member in held if isinstance(member, h5py.Group)]
        if len(inner) < len(held) or not held:
            yield name, {child: member for child, member in held if not isinstance(member, h5py.Group)}
        todo += reversed(inner)


def members(h5py: Any, group: Any, where: str) -> list[tuple[str, Any]]:
    """What a group holds itself; links to elsewhere, which may lead to other files, are refused."""
    if any(not isinstance(group.get(child, getlink=True), h5py.HardLink) for child in group):
        raise WeightsError(f"'{group.name}' holds a link to elsewhere", where=where)
    return [(child, group[child]) for child in group]


def _layer(h5py: Any, name: str, datasets: dict[str, Any], data: memoryview | None, where: str) -> LayerEntry:
    """The datasets of one group, in the order of their numbers; a number may be missing (a shared param)."""
    entry = LayerEntry(name)
    strange = [c for c, d in datasets.items() if not (c.isdecimal() and len(c) < 7 and isinstance(d, h5py.Dataset))]
    if strange:
        raise WeightsError(f"expected arrays named '/data/<layer>/<index>', got '/data/{name}/{strange[0]}'",
                           where=where)
    for index in sorted(datasets, key=int):
        entry.arrays.append(array(datasets[index], f"/data/{name}/{index}", data, where))
        entry.indices.append(int(index))
        entry.legacy.append(False)
    return entry


def array(dataset: Any, name: str, data: memoryview | None, where: str) -> np.ndarray:
    """One array: a view of the file where it lies in one piece, else read; its size is checked first."""
    shape, dtype = dataset.shape, dataset.dtype
    if shape is None or dtype.kind not in _KINDS or dtype.shape:
        raise WeightsError(f"'{name}' holds {dtype}, expected numbers", where=where)
    if len(shape) > _MOST_AXES:
        raise WeightsError(f"'{name}' has {len(shape)} axes, more than {_MOST_AXES}", where=where)
    size = math.prod(int(n) for n in shape) * dtype.itemsize
    if dataset.external or dataset.is_virtual:
        raise WeightsError(f"the numbers of '{name}' stand in another file", where=where)
    offset = dataset.id.get_offset()
    if data is not None and offset is not None and dataset.chunks is None:
        if offset + size > len(data):
            raise WeightsError(f"'{name}' of shape {shape} needs {size} bytes from byte {offset} on, the file has "
                               f"{len(data)}", where=where, hint="the file is cut off or damaged")
        return np.frombuffer(data, dtype, size // dtype.itemsize, offset).reshape(shape)
    stored = int(dataset.id.get_storage_size())
    if size > stored * (_MOST_SQUEEZED if dataset.chunks else 1):
        raise WeightsError(f"'{name}' of shape {shape} is larger than what the file holds of it, {stored} bytes",
                           where=where)
    return np.asarray(dataset[()])


def write_hdf5(path: str | os.PathLike[str], layers: Sequence[tuple[str, str, Sequence[np.ndarray]]],
               diffs: Mapping[str, Sequence[np.ndarray]] | None = None) -> None:
    """Write ``(layer name, type, arrays)`` in Caffe's HDF5 layout; the types are not stored. ``diffs``, gradients by layer
    name, go to the group ``/diff`` in the same way.

    float64 stays so, all other numbers become float32. Arrays that are the same memory are stored once. Raises
    WeightsError where the file cannot be written, or where a name cannot be a group's.
    """
    h5py = h5py_or_error(path)
    _check_names(path, layers)

    def fill(file: Any) -> None:
        put(file.create_group(_DATA), [(name, arrays) for name, _, arrays in layers])
        if diffs is not None:
            put(file.create_group(_DIFF), [(name, diffs.get(name, ())) for name, _, _ in layers])

    def put(root: Any, named: Sequence[tuple[str, Sequence[np.ndarray]]]) -> None:
        stored: dict[Any, Any] = {}
        for name, arrays in named:
            group = root.require_group(name)
            for i, array in enumerate(arrays):
                key = _memory(array)
                if key in stored:
                    group[str(i)] = stored[key]  # a second name for the same numbers
                else:
                    kind = np.float64 if array.dtype == np.float64 else np.float32
                    stored[key] = group.create_dataset(str(i), data=np.asarray(array, kind))

    write_file(h5py, path, fill)


def write_file(h5py: Any, path: str | os.PathLike[str], fill: Any) -> None:
    """Make an HDF5 file by ``fill(file)``; it appears whole or not at all. Raises WeightsError.

    HDF5 seeks and writes on its own, so that it gets a file beside ``path`` whose bytes then take the usual way.
    """
    with atomic_write(path) as target, unfinished(os.path.realpath(path)) as aside:
        made = f"{aside}.h5"
        try:
            with h5py.File(made, "w", libver=("earliest", "v108")) as file:
                fill(file)
            with open(made, "rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
        except (RuntimeError, ValueError) as error:
            raise WeightsError(f"cannot write HDF5: {error}", where=str(path)) from error
        finally:
            with contextlib.suppress(OSError):
                os.unlink(made)


def _memory(array: np.ndarray) -> Any:
    """Equal for arrays that are the same numbers at the same place; unique for empty ones."""
    if not array.size:
        return object()
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str


def _check_names(path: str | os.PathLike[str], layers: Sequence[tuple[str, str, Sequence[np.ndarray]]]) -> None:
    taken = {f"{name}/{i}" for name, _, arrays in layers for i in range(len(arrays))}
    for name, _, _ in layers:
        parts = name.split("/")
        heads = {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
        if not name or "\0" in name or any(part in ("", ".", "..") for part in parts) or heads & taken:
            raise WeightsError(f"the layer's name '{name}' cannot be a group's name in HDF5", where=str(path),
                               hint="rename the layer, or write .safetensors or .npz")
