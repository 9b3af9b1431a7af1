"""`netdef doctor FILE`: what a file is, which Caffe it is from, whether it is whole, and what to do with it.

By content and never by name; where the name says something else, that is said. Files are taken as hostile: nothing in
them is run, sizes are compared before anything is read, and floats of weights are stepped over.
"""
from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netdef.debug import filearrays, filefolders, filetext, filewire
from netdef.debug.filefit import fits
from netdef.debug.filereport import FileReport
from netdef.errors import NetdefError
from netdef.weights.mapped import HDF5_MAGIC
from netdef.weights.safetensors import looks_like

_HEAD = 1 << 16
_SUFFIXES = {  # ending -> how the kind of such a file begins
    ".caffemodel": (".caffemodel",), ".solverstate": (".solverstate",), ".binaryproto": (".binaryproto",),
    ".prototxt": ("prototxt", "label map"), ".yaml": ("yaml",), ".yml": ("yaml",), ".h5": ("HDF5", ".caffemodel.h5",
    ".solverstate.h5"), ".hdf5": ("HDF5",), ".npz": (".npz", "recording", "case"), ".npy": (".npy",), ".zip": ("zip",),
    ".gz": ("gzip",), ".safetensors": (".safetensors",), ".mdb": ("LMDB",),
}
_OTHERS = [(b"\x89PNG", "PNG picture"), (b"\xff\xd8\xff", "JPEG picture"), (b"GIF8", "GIF picture"), (b"BM", "BMP picture"),
           (b"%PDF", "PDF document"), (b"\x7fELF", "Linux program or library"), (b"BZh", "bzip2: a compressed file"),
           (b"\xfd7zXZ", "xz: a compressed file"), (b"7z\xbc\xaf", "7z archive"), (b"Rar!", "RAR archive"),
           (b"\x80\x02", "Python pickle, which netdef never loads"), (b"\x80\x04", "Python pickle, which netdef never loads"),
           (b"SQLite format 3", "SQLite database")]


def examine(path: str | Path) -> FileReport:
    """The report of one file or folder; never raises for what is in it."""
    report, file = FileReport(str(path)), Path(path)
    try:
        mode = file.stat().st_mode
        if stat.S_ISDIR(mode):
            filefolders.examine(file, report)
        elif not stat.S_ISREG(mode):
            report.kind, report.broken = "device or pipe", "it is no plain file and is not read"
        else:
            _file(file, report)
    except OSError as error:
        report.kind, report.broken = "cannot be read", error.strerror or str(error)
    except NetdefError as error:
        report.broken = report.broken or error.message
    except (RecursionError, MemoryError) as error:
        report.broken = report.broken or f"it is made to break its reader ({type(error).__name__})"
    _name_disagrees(file, report)
    return report


def _file(file: Path, report: FileReport) -> None:
    with open(file, "rb") as f:
        head = f.read(_HEAD)
    size = file.stat().st_size
    if not size:
        report.kind, report.broken = "empty file", "byte 0: there is nothing in it"
    elif head.startswith(HDF5_MAGIC):
        filearrays.examine_hdf5(file, report)
    elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        filearrays.examine_zip(file, report, inside)
    elif head.startswith(filearrays.GZIP):
        filearrays.examine_gzip(file, report, inside)
    elif head.startswith(filearrays.NPY):
        filearrays.examine_npy(file, report)
    elif looks_like(head[:9], size) or (file.suffix == ".safetensors" and head[8:9] == b"{"):
        filearrays.examine_safetensors(file, report)
    elif filearrays.idx_shape(head):
        filearrays.examine_idx(file, report)
    elif head[16:20] in (b"\xde\xc0\xef\xbe", b"\xbe\xef\xc0\xde"):
        filefolders.lmdb(file, report)
    elif filetext.looks_like_text(head):
        filetext.examine(file, report)
    elif not filewire.examine(file, report):
        _other(head, size, report)


def _other(head: bytes, size: int, report: FileReport) -> None:
    report.facts["bytes"] = size
    known = next((name for magic, name in _OTHERS if head.startswith(magic)), None)
    if known:
        report.kind = known
    elif not head.strip(b"\0"):
        report.kind, report.broken = "zeros", "byte 0: nothing but zeros, as a download leaves that did not happen"
    else:
        report.broken = "byte 0: no kind of file that netdef, Caffe or their users make"
        report.facts["begins"] = head[:16].hex(" ")


def inside(head: bytes) -> str:
    """In a few words, what the first bytes of an unpacked file look like."""
    shape = filearrays.idx_shape(head)
    if shape:
        return f"idx, {'x'.join(map(str, shape))}, as MNIST is kept"
    for magic, name in ((HDF5_MAGIC, "HDF5"), (b"PK", "zip archive"), (filearrays.NPY, ".npy array"), *_OTHERS):
        if head.startswith(magic):
            return name
    if filetext.looks_like_text(head):
        return "text, beginning " + " ".join(head[:60].decode("utf-8", "replace").split())
    kind = filewire.kind_of(memoryview(head), filewire.top_of(memoryview(head)))
    return {"net": ".caffemodel", "state": ".solverstate", "blob": ".binaryproto", "datum": "Datum"}.get(kind, "not recognised")


def _name_disagrees(file: Path, report: FileReport) -> None:
    expected = _SUFFIXES.get(file.suffix.lower())
    silent_about = ("not recognised", "cannot be read", "empty file", "text in UTF-16")
    if expected and file.is_file() and report.kind not in silent_about and not report.kind.startswith(expected):
        report.notes.append(f"its name ends in {file.suffix}, its content is something else")


@dataclass(frozen=True)
class Examined:
    """The reports of several files, and what was found where one net or one file of weights was among them: the lines
    that say whether they fit, and whether the only pair does."""

    reports: list[FileReport]
    fit: list[str]
    ok: bool


def examine_all(paths: Sequence[str]) -> Examined:
    """Examine several files. A net is compared with weights where there is only one of the one or the other."""
    reports = [examine(p) for p in paths]
    nets = [r for r in reports if r.ok and ": net to" in r.kind]
    files = [r for r in reports if r.ok and "trained params" in r.kind]
    pairs = [fits(n.path, f.path) for n in nets for f in files] if min(len(nets), len(files)) == 1 else []
    wrong = len(pairs) == 1 and not pairs[0].ok
    return Examined(reports, [line for pair in pairs for line in pair.lines], all(r.ok for r in reports) and not wrong)
