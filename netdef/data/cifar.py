"""CIFAR-10 and CIFAR-100 as they are distributed: the binary files, and the Python ones (pickles).

``cifar10:FOLDER`` takes data_batch_1 to 5, ``cifar10:FOLDER,split=test`` test_batch; files can be named one by one too.
Pictures (3, 32, 32) keep the order red, green, blue in which the files (and the databases that Caffe makes of them) hold
them. Source: the page of the data sets.
"""
from __future__ import annotations

import os
import pickle
from typing import Any

import numpy as np

from netdef.data.source import ArraySource
from netdef.data.spelling import Spelling
from netdef.errors import DataError

SHAPE = (3, 32, 32)
_PIXELS = 3072
_FILES = {
    ("cifar10", "train"): [f"data_batch_{k}" for k in range(1, 6)], ("cifar10", "test"): ["test_batch"],
    ("cifar100", "train"): ["train"], ("cifar100", "test"): ["test"],
}
# What a pickled array is made of; nothing else is loaded, since a pickle can name any function.
_SAFE = {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
         *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core"))}


def open_cifar(spelling: Spelling) -> ArraySource:
    """Files of one kind or a folder of them, in memory; CIFAR-100 has label=fine (the default) or label=coarse.

    Raises DataError.
    """
    label = spelling.choice("label", ("fine", "coarse"), "fine")
    found = [_read(path, spelling.kind, label) for path in _paths(spelling)]
    images = np.concatenate([images for images, _ in found])
    return ArraySource(spelling.source, images, np.concatenate([labels for _, labels in found]), spelling.kind)


def _paths(spelling: Spelling) -> list[str]:
    """The files that are meant. Raises DataError where a folder does not have them."""
    first, split = spelling.paths[0], spelling.choice("split", ("train", "test"), "train")
    if len(spelling.paths) > 1 or not os.path.isdir(first):
        return list(spelling.paths)
    names = _FILES[spelling.kind, split]
    for ending in ("", ".bin"):
        paths = [os.path.join(first, name + ending) for name in names]
        if os.path.exists(paths[0]):
            return paths
    raise DataError(f"the folder has no {names[0]} and no {names[0]}.bin", where=first)


def _read(path: str, kind: str, label: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as error:
        raise DataError(f"cannot read the {kind} file: {error.strerror or error}", where=path) from error
    row = _PIXELS + (1 if kind == "cifar10" else 2)
    images, labels = _of_bytes(raw, row, label) if len(raw) % row == 0 and raw else _of_pickle(raw, path, kind, label)
    most = 10 if kind == "cifar10" else 100 if label == "fine" else 20
    wrong = np.flatnonzero((labels < 0) | (labels >= most))
    if len(wrong):
        raise DataError(f"record {wrong[0]}: expected a label from 0 to {most - 1}, got {labels[wrong[0]]}", where=path,
                        hint=f"is it a {kind} file?")
    return images, labels


def _of_bytes(raw: bytes, row: int, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of one label (CIFAR-10) or the coarse and the fine one, and the pixels."""
    rows = np.frombuffer(raw, np.uint8).reshape(-1, row)
    column = 1 if row - _PIXELS == 2 and label == "fine" else 0
    return rows[:, -_PIXELS:].reshape(-1, *SHAPE).copy(), rows[:, column].astype(np.int32)


def _of_pickle(raw: bytes, path: str, kind: str, label: str) -> tuple[np.ndarray, np.ndarray]:
    key = "labels" if kind == "cifar10" else f"{label}_labels"
    try:
        read = _Unpickler(raw).load()
        images = np.asarray(read[b"data"], np.uint8).reshape(-1, *SHAPE)
        labels = np.asarray(read[key.encode()], np.int32)
    except Exception as error:  # a damaged pickle raises anything
        raise DataError(f"expected a {kind} file: rows of {_PIXELS} pixels and their labels, or a pickle of them; {error}",
                        where=path, hint="files must be unpacked, and whole") from error
    if len(images) != len(labels):
        raise DataError(f"expected as many labels as pictures, got {len(labels)} and {len(images)}", where=path)
    return images, labels


class _Unpickler(pickle.Unpickler):
    """Loads plain values and NumPy arrays, and no other object."""

    def __init__(self, raw: bytes) -> None:
        import io

        super().__init__(io.BytesIO(raw), encoding="bytes")

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _SAFE:
            raise pickle.UnpicklingError(f"the pickle names {module}.{name}, which is not loaded")
        if hasattr(np, "_core"):  # NumPy 2 moved it, and the published files are of 2010
            module = module.replace("numpy.core.", "numpy._core.")
        return super().find_class(module, name)
