"""Sources over NumPy's files: ``npz:train.npz`` and ``npy:images.npy,labels.npy``; and arrays as records and labels."""
from __future__ import annotations

import zipfile

import numpy as np

from netdef.data.source import ArraySource, as_image_shape
from netdef.data.spelling import Spelling
from netdef.errors import DataError, did_you_mean

_DATA = ("data", "x", "images", "image", "x_train", "x_test", "features")
_LABEL = ("label", "labels", "y", "targets", "target", "y_train", "y_test")


def as_records(array: np.ndarray, where: str) -> np.ndarray:
    """Rows of up to three axes as (N, C, H, W): uint8 stays, other numbers become float32. Raises DataError."""
    if array.dtype.kind not in "fiub" or not array.ndim or not len(array):
        raise DataError(f"expected records of numbers, got an array of shape {array.shape} and type {array.dtype}", where=where)
    try:
        shape = as_image_shape(array.shape[1:])
    except ValueError as error:
        raise DataError(str(error), where=where) from error
    return array.reshape(len(array), *shape).astype(np.uint8 if array.dtype == np.uint8 else np.float32, copy=False)


def as_labels(array: np.ndarray, count: int, where: str) -> np.ndarray:
    """Labels (N, ...): whole numbers as int32, others as float32; (N, 1) is (N). Raises DataError."""
    if array.dtype.kind not in "fiub" or not array.ndim:
        raise DataError(f"expected labels of numbers, got an array of shape {array.shape} and type {array.dtype}", where=where)
    if len(array) != count:
        raise DataError(f"expected a label for each of the {count} records, got {len(array)}", where=where)
    array = array.reshape(len(array)) if array.size == len(array) else array
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    if array.size and not -(2**31) <= int(array.min()) <= int(array.max()) < 2**31:
        raise DataError("labels are out of the range of 32 bits", where=where)
    return array.astype(np.int32, copy=False)


def columns(parts: list[np.ndarray]) -> np.ndarray:
    """Several labels (N) or (N, k) side by side as (N, K): int32 where all are, else float32."""
    if len(parts) == 1:
        return parts[0]
    whole = all(part.dtype.kind == "i" for part in parts)
    return np.column_stack([part.reshape(len(part), -1) for part in parts]).astype(np.int32 if whole else np.float32)


def open_npy(spelling: Spelling) -> ArraySource:
    """The records of a .npy and, where a second file is named, as many labels. Raises DataError."""
    data, *labels = [_load(path) for path in spelling.paths]
    for array, path in zip((data, *labels), spelling.paths, strict=True):
        if not isinstance(array, np.ndarray):
            raise DataError("expected one array (.npy), the file has several", where=path, hint="write npz: for it")
    return ArraySource(spelling.source, as_records(data, spelling.paths[0]),
                       as_labels(labels[0], len(data), spelling.paths[1]) if labels else None, "npy")


def open_npz(spelling: Spelling) -> ArraySource:
    """Arrays of a .npz by name: ``data`` and, where there are any, labels (several stand side by side). Raises DataError."""
    path = spelling.paths[0]
    file = _load(path)
    if isinstance(file, np.ndarray):
        raise DataError("expected arrays by name (.npz), the file has one without", where=path, hint="write npy: for it")
    with file:
        try:
            names = list(file.files)
            data = _named(names, spelling.option("data"), _DATA, path)
            if data is None:
                raise DataError(f"no array '{_DATA[0]}'; the file has {', '.join(names) or 'nothing'}", where=path,
                                hint=f"npz:{path},data=NAME says which it is")
            asked = spelling.every("label")
            labels = [_named(names, name, (), path) for name in asked] if asked else [_named(names, "", _LABEL, path)]
            records = as_records(file[data], path)
            found = [as_labels(file[name], len(records), path) for name in labels if name is not None]
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"the NumPy file cannot be read: {error}", where=path) from error
    return ArraySource(spelling.source, records, columns(found) if found else None, "npz")


def _named(names: list[str], wanted: str, usual: tuple[str, ...], path: str) -> str | None:
    """The array of this name, else the first of the usual names that is there. Raises DataError."""
    if wanted == "none":
        return None
    if wanted and wanted not in names:
        raise DataError(f"no array '{wanted}'; the file has {', '.join(names) or 'nothing'}", where=path,
                        hint=did_you_mean(wanted, names))
    return wanted or next((name for name in usual if name in names), None)


def _load(path: str):
    """What np.load makes of a file, without pickles. Raises DataError."""
    try:
        return np.load(path, allow_pickle=False)
    except OSError as error:
        raise DataError(f"cannot read the NumPy file: {error.strerror or error}", where=path) from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError("expected a NumPy file of numbers, it is none or is cut off", where=path) from error
