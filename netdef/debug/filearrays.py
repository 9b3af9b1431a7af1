"""Files of arrays for `netdef doctor`: HDF5, NumPy, safetensors, idx; and what lies inside an archive.

Headers are read and sizes compared with them; numbers are not read.
"""
from __future__ import annotations

import io
import math
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from netdef import weights
from netdef.debug.filereport import FileReport, count, some
from netdef.errors import WeightsError
from netdef.weights import hdf5
from netdef.weights.mapped import HDF5_MAGIC

GZIP, ZIP, NPY, TAR = b"\x1f\x8b", b"PK", b"\x93NUMPY", 257
_IDX = {8: ("uint8", 1), 9: ("int8", 1), 11: ("int16", 2), 12: ("int32", 4), 13: ("float32", 4), 14: ("float64", 8)}
_UNPACKED = 1 << 28  # bytes of a gzip file that are unpacked to see whether it is whole
_MOST_DATASETS = 1000


def examine_hdf5(path: Path, report: FileReport) -> None:
    """Weights, a solver's state, rows for HDF5Data, or another program's file."""
    report.kind = "HDF5"
    size = path.stat().st_size
    end = _hdf5_end(path)
    report.facts["bytes"] = size
    if end > size:
        report.broken = f"byte {size:,}: the file ends there and must have {end:,} bytes"
    try:
        h5py = hdf5.h5py_or_error(path)
        with h5py.File(path, "r") as file:
            _hdf5(h5py, path, file, report)
    except WeightsError as error:
        if "is not installed" in error.message:
            report.cannot.append(f"{error.message}; {error.hint}")
        else:
            report.broken = report.broken or error.message
    except hdf5.BROKEN as error:
        report.broken = report.broken or str(error)


def _hdf5_end(path: Path) -> int:
    """Where the file's own head says that it ends; 0 where that cannot be told."""
    with open(path, "rb") as f:
        head = f.read(64)
    if len(head) < 48 or not head.startswith(HDF5_MAGIC) or head[8] > 3:
        return 0
    place = 40 if head[8] < 2 else 28
    if head[13 if head[8] < 2 else 9] != 8:
        return 0
    return int(struct.unpack_from("<Q", head, place)[0])


def _hdf5(h5py: Any, path: Path, file: Any, report: FileReport) -> None:
    names = list(file)[:_MOST_DATASETS]
    if "data" in names and isinstance(file["data"], h5py.Group):
        report.kind, report.origin = ".caffemodel.h5: trained params in HDF5", "Caffe or netdef"
        _counted(weights.read(path), report)
        report.next = [f"netdef test net.prototxt --weights {path}"]
    elif "history" in names and "iter" in names:
        report.kind = ".solverstate.h5: how far a training had come, and the solver's history"
        state = weights.read_solverstate(path)
        report.origin = "netdef" if state.extra else "Caffe"
        report.facts |= {"iteration": state.iter, "weights": state.learned_net,
                         "history": count(len(state.history), "array")}
        report.next = [f"netdef train solver.prototxt --snapshot {path}"]
    elif "model_weights" in names or "layer_names" in file.attrs:
        report.kind, report.origin = "HDF5 weights of another program", "Keras"
        report.cannot.append("netdef reads Caffe's layout: a group /data with a group for each layer")
    else:
        sets = {n: file[n] for n in names if file.get(n, getlink=True).__class__.__name__ == "HardLink"
                and isinstance(file[n], h5py.Dataset)}
        report.facts |= {n: f"{'x'.join(map(str, d.shape))} {d.dtype}" for n, d in list(sets.items())[:12]}
        rows = {d.shape[0] for d in sets.values() if d.shape}
        if len(sets) == len(names) and len(rows) == 1:
            report.kind = "HDF5: rows of data, as HDF5Data reads them"
            report.next = [f"a text file with the line {path}, named by hdf5_data_param {{ source }}; its tops are called "
                           + some(list(sets))]
        elif sets:
            report.notes.append("its datasets have different numbers of rows, so HDF5Data does not read them together")


def _counted(found: weights.WeightsFile, report: FileReport) -> None:
    dtypes = sorted({str(a.dtype) for arrays in found.layers.values() for a in arrays})
    full = sum(bool(arrays) for arrays in found.layers.values())
    report.facts |= {"layers": f"{len(found.layers):,}, {full:,} with params", "params": f"{found.count:,} values",
                     "stored as": some(dtypes) or "-"}


def examine_safetensors(path: Path, report: FileReport) -> None:
    """Weights of netdef, or tensors of another program."""
    report.kind = ".safetensors: trained params"
    report.facts["bytes"] = path.stat().st_size
    try:
        _counted(weights.read_safetensors(path), report)
        report.origin = "netdef"
        report.next = [f"netdef test net.prototxt --weights {path}"]
    except WeightsError as error:
        if error.message.startswith(("expected tensors named", "layer '")):
            report.origin = "another program"
            report.cannot.append(error.message)
        else:
            report.broken = error.message.removeprefix("expected a .safetensors; ")


def examine_npy(path: Path, report: FileReport) -> None:
    """One array of NumPy."""
    report.kind, report.origin = ".npy: one array", "NumPy"
    size = path.stat().st_size
    with open(path, "rb") as f:
        try:
            shape, dtype = _npy_head(f)
        except (ValueError, EOFError) as error:
            report.broken = f"byte {f.tell()} of {size:,}: {error}"
            return
        begin = f.tell()
    report.facts |= {"shape": "x".join(map(str, shape)) or "scalar", "stored as": str(dtype), "bytes": size}
    needed = begin + math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        report.cannot.append("it holds pickled objects, which netdef never loads")
    elif size < needed:
        report.broken = f"byte {size:,}: the file ends there and must have {needed:,} bytes"


def _npy_head(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"unknown version {version}")
    shape, _, dtype = read(file)
    return tuple(int(n) for n in shape), dtype


def examine_idx(path: Path, report: FileReport) -> None:
    """The format of MNIST: pictures or labels."""
    size = path.stat().st_size
    with open(path, "rb") as f:
        head = f.read(4 + 4 * 8)
    shape = idx_shape(head)
    name, width = _IDX[head[2]]
    report.kind = f"idx: {'labels' if len(shape) == 1 else 'pictures' if len(shape) > 2 else 'numbers'}, as MNIST is kept"
    report.facts |= {"shape": "x".join(map(str, shape)), "stored as": name, "bytes": size}
    needed = 4 + 4 * len(shape) + math.prod(shape) * width
    if size < needed:
        report.broken = f"byte {size:,}: the file ends there and must have {needed:,} bytes"
        item = max(1, math.prod(shape[1:]) * width)
        report.sound = count(max(0, size - 4 - 4 * len(shape)) // item, "item")
    elif size > needed:
        report.notes.append(f"{size - needed:,} bytes follow behind its end")


def idx_shape(head: bytes) -> tuple[int, ...]:
    """The sizes in an idx file's head; empty where it is none."""
    if len(head) < 8 or head[:2] != b"\0\0" or head[2] not in _IDX or not 1 <= head[3] <= 8 or len(head) < 4 + 4 * head[3]:
        return ()
    shape = struct.unpack(f">{head[3]}I", head[4 : 4 + 4 * head[3]])
    return shape if all(0 < n < 2**31 for n in shape) else ()


# archives -----------------------------------------------------------------------------------------------------

Inside = Callable[[bytes], str]


def examine_zip(path: Path, report: FileReport, inside: Inside) -> None:
    """An .npz (weights, a recording, a case), a checkpoint of PyTorch, or an archive of files."""
    report.kind = "zip archive"
    report.facts["bytes"] = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            names = [i.filename for i in infos]
            report.facts["members"] = len(names)
            if names and all(n.endswith(".npy") for n in names):
                _npz(path, archive, names, report)
            elif any(n.endswith("data.pkl") for n in names):
                report.kind, report.origin = "checkpoint of PyTorch", "PyTorch"
                report.cannot.append("netdef does not read it; write the arrays with safetensors or numpy.savez")
            else:
                report.facts["holds"] = names
                if len(infos) == 1 and infos[0].file_size:
                    with archive.open(infos[0]) as member:
                        report.facts["inside"] = inside(member.read(1 << 16))
                report.cannot.append("netdef does not look into archives")
                report.next = [f"unzip {path}"]
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        report.broken = f"of its {path.stat().st_size:,} bytes: {error} (the list of members stands at the end: cut off?)"


def _npz(path: Path, archive: zipfile.ZipFile, names: list[str], report: FileReport) -> None:
    keys = {n.removesuffix(".npy") for n in names}
    report.origin = "NumPy"
    report.kind = ".npz: arrays by name"
    if {"loss", "iteration", "net"} <= keys:
        report.kind, report.origin = "recording: data and gradients of every layer", "netdef grads"
        report.facts["blobs"] = len({k.split("/")[1] for k in keys if k.startswith("blob/")})
        report.facts["params"] = len({k.rpartition("/")[0] for k in keys if k.startswith("param/")})
        report.next = [f"netdef grads NET_OR_SOLVER --compare {path}"]
    elif {"about", "layer"} <= keys:
        report.kind, report.origin = "case: the smallest failing case of a gradient check", "netdef check"
        report.next = [f"netdef check {path}"]
    elif all(k.rpartition("/")[2].isdecimal() for k in keys):
        try:
            _counted(weights.read_npz(path), report)
            report.kind, report.origin = ".npz: trained params by layer", "netdef"
            report.next = [f"netdef test net.prototxt --weights {path}"]
        except WeightsError as error:
            report.broken = error.message
        return
    else:
        report.facts["arrays"] = sorted(keys)
    bad = _damaged_member(archive)
    if bad:
        report.broken = f"member '{bad}' cannot be read"


def _damaged_member(archive: zipfile.ZipFile) -> str:
    """The first member whose header is no array's."""
    for info in archive.infolist()[:_MOST_DATASETS]:
        try:
            with archive.open(info) as member:
                _npy_head(member)
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, OSError):
            return info.filename
    return ""


def examine_gzip(path: Path, report: FileReport, inside: Inside) -> None:
    """What a gzip file holds, and whether it can be unpacked to its end (as far as that is worth the time)."""
    report.kind = "gzip: a compressed file"
    report.facts["bytes"] = path.stat().st_size
    unpack = zlib.decompressobj(31)
    head, total, read = b"", 0, 0
    try:
        with open(path, "rb") as f:
            while total < _UNPACKED and not unpack.eof:
                piece = f.read(1 << 16)
                if not piece:
                    break
                read += len(piece)
                out = unpack.decompress(piece, 1 << 24)
                head, total = head + out[: (1 << 16) - len(head)], total + len(out)
                while unpack.unconsumed_tail and total < _UNPACKED:
                    out = unpack.decompress(unpack.unconsumed_tail, 1 << 24)
                    total += len(out)
    except zlib.error as error:
        report.broken = f"near byte {read:,} of {path.stat().st_size:,}: {error}"
    if not unpack.eof and total < _UNPACKED and not report.broken:
        report.broken = f"byte {path.stat().st_size:,}: the compressed data end early"
    report.facts["inside"] = ("tar archive of " + some(_tar_names(head)) if head[TAR : TAR + 5] == b"ustar" else inside(head))
    report.facts["unpacked"] = f"{total:,} bytes" + (" and more" if total >= _UNPACKED else "")
    if report.broken:
        report.sound = f"{total:,} bytes can be unpacked"
        return
    report.cannot.append("netdef does not look into compressed files")
    report.next = [f"tar xzf {path}" if head[TAR : TAR + 5] == b"ustar" else f"gunzip --keep {path}"]


def _tar_names(head: bytes) -> list[str]:
    names = []
    try:
        with tarfile.open(fileobj=io.BytesIO(head), mode="r:") as archive:
            for member in archive:
                names.append(member.name)
    except (tarfile.TarError, ValueError, OSError):
        pass
    return names
