"""Weights as .safetensors: one tensor ``<layer>/<index>`` for each blob, no limit on size.

The format: eight bytes with the length of a header (little-endian), the header in JSON, then the numbers. The header
says of each tensor its dtype, its shape, and where its bytes begin and end behind the header. Read and written here
without any other package. Source: the format's description in the safetensors project.
"""
from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netdef.errors import WeightsError
from netdef.weights.atomic import atomic_write
from netdef.weights.file import LayerEntry, WeightsFile
from netdef.weights.mapped import mapped

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U64": "<u8",
           "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?"}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_BFLOAT = "BF16"  # the upper half of a float32
_METADATA, _NET_NAME = "__metadata__", "net"
_MOST_HEADER = 100_000_000  # the limit of the format
_MOST_AXES = 32


def looks_like(head: bytes, size: int) -> bool:
    """Whether the first nine bytes of a file of ``size`` bytes begin a .safetensors: a sound length, then JSON."""
    return len(head) >= 9 and head[8:9] == b"{" and 2 <= struct.unpack("<Q", head[:8])[0] <= size - 8


def read_safetensors(path: str | os.PathLike[str]) -> WeightsFile:
    """The arrays of a .safetensors by layer name, as views of the file (BF16 comes as float32); types stay unknown.

    Raises WeightsError with the byte where the file is damaged, and for tensors not named ``<layer>/<index>``.
    """
    data = mapped(path)
    where = str(path)
    header, begin = _header(data, where)
    found = WeightsFile(where, "safetensors")
    metadata = header.pop(_METADATA, {})
    if isinstance(metadata, dict) and isinstance(metadata.get(_NET_NAME), str):
        found.net_name = metadata[_NET_NAME]
    layers: dict[str, dict[int, np.ndarray]] = {}
    for key, entry in header.items():
        name, index = _split(key, where)
        layers.setdefault(name, {})[index] = _array(data, begin, key, entry, where)
    for name, arrays in layers.items():
        if set(arrays) != set(range(len(arrays))):
            missing = min(set(range(len(arrays))) - set(arrays))
            raise WeightsError(f"layer '{name}': tensor '{name}/{missing}' is missing", where=where)
        ordered = [arrays[i] for i in range(len(arrays))]
        found.add(LayerEntry(name, arrays=ordered, legacy=[False] * len(ordered)))
    return found


def _damaged(message: str, where: str, at: int, size: int) -> WeightsError:
    return WeightsError(f"expected a .safetensors; byte {at} of {size}: {message}", where=where,
                        hint="the file is cut off or damaged, or of another kind")


def _header(data: memoryview, where: str) -> tuple[dict[str, Any], int]:
    """The header, and where the numbers begin."""
    if len(data) < 8:
        raise _damaged(f"the length of the header needs 8 bytes, the file has {len(data)}", where, 0, len(data))
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(len(data) - 8, _MOST_HEADER):
        raise _damaged(f"a header of {length} bytes does not fit", where, 0, len(data))
    try:
        header = json.loads(bytes(data[8 : 8 + length]).decode("utf-8"), object_pairs_hook=_no_doubles)
    except json.JSONDecodeError as error:
        raise _damaged(f"the header is no JSON: {error.msg}", where, 8 + error.pos, len(data)) from error
    except UnicodeDecodeError as error:
        raise _damaged("the header is not UTF-8", where, 8 + error.start, len(data)) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(f"the header is no JSON of tensors: {error}", where, 8, len(data)) from error
    if not isinstance(header, dict):
        raise _damaged("the header is no JSON object", where, 8, len(data))
    return header, 8 + length


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _split(key: str, where: str) -> tuple[str, int]:
    """``conv1/0`` -> ("conv1", 0); layer names may hold slashes themselves."""
    name, slash, index = key.rpartition("/")
    if not slash or not index.isdecimal() or len(index) > 6:
        raise WeightsError(f"expected tensors named '<layer>/<index>', got '{key}'", where=where)
    return name, int(index)


def _array(data: memoryview, begin: int, key: str, entry: Any, where: str) -> np.ndarray:
    """One tensor as a view, everything that the header says of it checked first."""
    try:
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = [*shape, start, end]
    except (TypeError, KeyError, ValueError):
        raise _damaged(f"tensor '{key}' lacks dtype, shape or data_offsets", where, 8, len(data)) from None
    if not all(type(n) is int and 0 <= n < 2**63 for n in numbers) or len(shape) > _MOST_AXES:
        raise _damaged(f"tensor '{key}' has a strange shape or place", where, 8, len(data))
    if kind != _BFLOAT and kind not in _DTYPES:
        raise _damaged(f"tensor '{key}' has the unknown dtype {kind!r}", where, 8, len(data))
    dtype = np.dtype("<u2" if kind == _BFLOAT else _DTYPES[kind])
    size = math.prod(shape) * dtype.itemsize
    if end - start != size or begin + end > len(data):
        raise _damaged(f"tensor '{key}' of shape {tuple(shape)} needs {size} bytes, its place is {start} to {end} of "
                       f"{len(data) - begin}", where, begin + start, len(data))
    values = np.frombuffer(data, dtype, size // dtype.itemsize, begin + start).reshape(shape)
    if kind == _BFLOAT:
        return (values.astype("<u4") << 16).view("<f4")
    return values


def write_safetensors(path: str | os.PathLike[str], layers: Mapping[str, Sequence[np.ndarray]],
                      net_name: str = "") -> None:
    """Write ``{layer name: arrays}`` in the dtypes that they have; raises WeightsError where that fails.

    The header is padded so that the numbers begin at a multiple of eight bytes.
    """
    header: dict[str, Any] = {_METADATA: {_NET_NAME: net_name}} if net_name else {}
    pieces: list[np.ndarray] = []
    at = 0
    for name, arrays in layers.items():
        for i, given in enumerate(arrays):
            array = np.asarray(given)
            dtype = array.dtype.newbyteorder("<") if array.dtype.byteorder == ">" else array.dtype
            if dtype not in _NAMES:
                raise TypeError(f"expected arrays of numbers, got {dtype} for '{name}/{i}'")
            header[f"{name}/{i}"] = {"dtype": _NAMES[dtype], "shape": list(array.shape),
                                     "data_offsets": [at, at + array.nbytes]}
            pieces.append(np.ascontiguousarray(array, dtype))
            at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write(path) as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for piece in pieces:
            file.write(piece.reshape(-1).view(np.uint8).data if piece.size else b"")
