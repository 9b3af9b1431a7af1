"""Opening a weights file as bytes in memory, and turning broken bytes into an error that says what the file is."""
from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterator

from netdef.config.wire import WireError
from netdef.errors import WeightsError

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")  # the second: an archive of nothing
_WRONG_KINDS = [
    (b"version https://git-lfs", "it is a Git LFS pointer, the file itself was not fetched (git lfs pull)"),
    (b"<!doctype", "it is a web page, the download went wrong"),
    (b"<html", "it is a web page, the download went wrong"),
    (HDF5_MAGIC[:4].lower(), "it is an HDF5 file"),
    (b"pk\x03\x04", "it is a zip archive or .npz file"),
    (b"\x1f\x8b", "it is compressed with gzip, unpack it first"),
]


def mapped(path: str | os.PathLike[str]) -> memoryview:
    """The bytes of a file, read-only, loaded page by page as they are looked at.

    The mapping lives as long as any array that views it. Raises WeightsError for a missing, unreadable or empty file.
    """
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise WeightsError("the file is empty", where=str(path))
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise WeightsError(f"cannot read: {error.strerror or error}", where=str(path)) from error


@contextlib.contextmanager
def reading(path: str | os.PathLike[str], data: memoryview, what: str) -> Iterator[None]:
    """Turn a WireError inside the block into a WeightsError with the path, the byte and a guess at the cause."""
    try:
        yield
    except WireError as error:
        message = f"expected {what}; byte {error.offset} of {len(data)}: {error.args[0]}"
        raise WeightsError(message, where=str(path), hint=_guess(data)) from error


def _guess(data: memoryview) -> str:
    """What the file seems to be instead, or that it is damaged."""
    head = bytes(data[:256]).lstrip().lower()
    for magic, meaning in _WRONG_KINDS:
        if head.startswith(magic):
            return meaning
    if head.isascii() and (b"{" in head or b": " in head) and b"\0" not in head:
        return "it looks like a text file: was the prototxt given in place of the weights?"
    return "the file is cut off or damaged, or of another kind"
