"""Mean images: from a .binaryproto, as Caffe's compute_image_mean writes it, or a NumPy .npy, as its Python tools do."""
from __future__ import annotations

import os

import numpy as np

from netdef.data.transforms import read_mean
from netdef.errors import DataError


def read_mean_file(path: str | os.PathLike[str]) -> np.ndarray:
    """The mean of a .npy (C, H, W), (1, C, H, W) or (C), else of a .binaryproto (C, H, W), as float32.

    (C) is one number for each channel. Raises DataError for what cannot be read or has another shape.
    """
    name = os.fspath(path)
    if not name.endswith(".npy"):
        return read_mean(name).astype(np.float32)
    try:
        array = np.load(name, allow_pickle=False)
    except OSError as error:
        raise DataError(f"cannot read the mean file: {error.strerror or error}", where=name) from error
    except (ValueError, EOFError) as error:
        raise DataError("cannot read the mean file: it is no NumPy array of numbers, or is cut off", where=name) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise DataError("expected one array of numbers (.npy)", where=name)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in (1, 3) or 0 in array.shape:
        raise DataError("expected a mean of channels x height x width, or one number for each channel, got the shape "
                        f"{array.shape}", where=name, hint=_hint(array.shape))
    return array.astype(np.float32)


def _hint(shape: tuple[int, ...]) -> str:
    return "one picture is wanted, not several" if len(shape) == 4 else ""
