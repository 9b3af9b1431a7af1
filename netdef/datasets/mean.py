"""The mean of all pictures, as Caffe's compute_image_mean makes it."""
from __future__ import annotations

import os

import numpy as np

from netdef.config import blobproto
from netdef.datasets.copying import Told, ordered
from netdef.datasets.records import RecordSet, array, located
from netdef.errors import DataError
from netdef.weights.atomic import atomic_write

ENDINGS = (".binaryproto", ".npy")


def mean_of(records: RecordSet, gray: bool = False, threads: int | None = None, told: Told | None = None) -> np.ndarray:
    """The mean (C, H, W), float32, summed in float64. Raises DataError that names the first record of another shape."""
    total, first = np.zeros(()), ()
    for i, (pixels, _) in ordered(lambda i: array(records, i, gray), range(len(records)), threads):
        if i == 0:
            total, first = np.zeros(pixels.shape), pixels.shape
        if pixels.shape != first:
            raise located(records, i, ValueError(f"expected the shape of the first record, {_x(first)}, got {_x(pixels.shape)}"
                                                 "; a mean image needs pictures of one size"))
        total += pixels
        if told is not None:
            told(i + 1, len(records))
    return (total / len(records)).astype(np.float32)


def write_mean(mean: np.ndarray, out: str | os.PathLike[str]) -> None:
    """Write a mean (C, H, W) as a .binaryproto, with the four sizes of old blobs as Caffe's tool has them, or a .npy.

    Raises DataError for another ending, WeightsError where it cannot be written.
    """
    check_ending(out)
    with atomic_write(out) as file:
        if os.fspath(out).endswith(".npy"):
            np.save(file, mean)
            return
        for number, size in enumerate((1, *mean.shape), 1):
            file.write(blobproto.tagged(number, 0) + blobproto.encode_varint(size))
        *numbers, _ = blobproto.encode(mean)  # without the shape, which Caffe of 2014 does not know
        for piece in numbers:
            file.write(piece)


def check_ending(out: str | os.PathLike[str]) -> None:
    """Raise DataError unless ``out`` ends as a mean file does."""
    if not os.fspath(out).endswith(ENDINGS):
        raise DataError(f"expected a name that ends in {' or '.join(ENDINGS)}", where=os.fspath(out))


def _x(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
