"""Gets a published data set: from a folder, from a distribution's package, or from where it was published. Every file is
compared with its checksum, wherever it came from."""
from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import logging
import os
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from netdef.datasets.published import File, Published
from netdef.errors import DataError

log = logging.getLogger("netdef")
Bytes = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that are here, and how many there will be, where that is known."""
_CHUNK = 1 << 20
_TIMEOUT = 60  # seconds without a byte


def locate(data: Published, folder: str | None, downloads: Path, mirrors: tuple[str, ...] = (),
           told: Bytes | None = None) -> dict[str, str]:
    """The sources of the parts, with all files there and whole.

    Looks into ``folder``, or else into the places of packages, then into ``downloads``, where what is missing is put.
    Raises DataError.
    """
    given = [Path(folder)] if folder is not None else [p for p in map(Path, data.places) if p.is_dir()]
    for place in given:
        found = _local(data, place, required=folder is not None)
        if found is not None:
            if folder is None:
                log.info("taken from %s", place)
            return found
    downloads.mkdir(parents=True, exist_ok=True)
    found = _local(data, downloads, required=False)
    if found is not None:
        return found
    try:
        for file in [data.archive] if data.archive is not None else data.files:
            path = downloads / _name(data, file)
            if not path.exists() or _digest(path) != file.sha256:
                _download(data, file, path, mirrors or data.mirrors, told)
    except BaseException:
        for empty in (downloads, downloads.parent):
            with contextlib.suppress(OSError):  # it is not empty
                empty.rmdir()
        raise
    found = _local(data, downloads, required=True)
    assert found is not None  # with required it raises
    return found


def _local(data: Published, place: Path, required: bool) -> dict[str, str] | None:
    """The sources, where all files are in a folder; None (or a DataError) where one is not. Raises DataError for a file with
    another checksum."""
    if required and not place.exists():
        raise DataError("no such folder", where=str(place))
    if data.archive is not None and not all((place / f.name).is_file() for f in data.files):
        place = _unpacked(data, data.archive, place)
    found: dict[str, str] = {}
    for file in data.files:
        path = next((p for p in (place / file.name, place / f"{file.name}.gz") if p.is_file()), None)
        if path is None:
            if required:
                names = data.archive.name if data.archive is not None else f"{file.name}.gz"
                raise DataError(f"the folder has no {names}", where=str(place), hint=data.otherwise)
            return None
        _verify(path, file)
        found[file.name] = path.name
    sources = {part: source.format(folder=place) for part, source in data.parts.items()}
    for name, there in found.items():
        sources = {part: source.replace(f"/{name}", f"/{there}") for part, source in sources.items()}
    return sources


def _unpacked(data: Published, archive: File, place: Path) -> Path:
    """The folder with the files of the archive; unpacked there where only the archive is."""
    inner = place / archive.name.split(".")[0]
    packed = place if place.is_file() else place / archive.name
    if not packed.is_file():
        folders = [p for p in place.glob("*") if (p / data.files[0].name).is_file()] if place.is_dir() else []
        return folders[0] if folders else place
    if place.is_file():
        inner = place.with_name(archive.name.split(".")[0])
    if not all((inner / f.name).is_file() for f in data.files):
        _verify(packed, archive)
        _unpack(packed, {f.name for f in data.files}, inner)
    return inner


def _unpack(packed: Path, names: set[str], inner: Path) -> None:
    """The files of these names, whatever folder of the archive they are in; nothing else is written."""
    inner.mkdir(exist_ok=True)
    try:
        with tarfile.open(packed) as archive:
            for member in archive:
                name = os.path.basename(member.name)
                source = archive.extractfile(member) if name in names and member.isfile() else None
                if source is None:
                    continue
                aside = inner / f"{name}.part"
                with open(aside, "wb") as out:
                    while piece := source.read(_CHUNK):
                        out.write(piece)
                os.replace(aside, inner / name)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"the archive cannot be unpacked: {error}", where=str(packed)) from error


def _verify(path: Path, file: File) -> None:
    found = _digest(path)
    if found != file.sha256:
        raise DataError(f"expected the SHA-256 {file.sha256}, got {found}", where=str(path),
                        hint="the file is damaged, or another one of this name")


def _digest(path: Path) -> str:
    """SHA-256 of a file's contents, unpacked where it is a gzipped file (an archive .tar.gz stays packed)."""
    made = hashlib.sha256()
    packed = path.name.endswith(".gz") and not path.name.endswith(".tar.gz")
    try:
        with gzip.open(path) if packed else open(path, "rb") as file:
            while piece := file.read(_CHUNK):
                made.update(piece)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"the gzipped file is damaged: {error}", where=str(path), hint="delete it and get it again") from error
    return made.hexdigest()


def _download(data: Published, file: File, path: Path, mirrors: tuple[str, ...], told: Bytes | None) -> None:
    """Get a file from the first mirror that gives it whole; what came before a break is kept in NAME.part."""
    notes = []
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + _name(data, file)
        try:
            _get(url, path, told)
            _verify(path, file)
            return
        except DataError as error:
            path.unlink(missing_ok=True)
            notes.append(f"  {url}: {error.message}")
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            notes.append(f"  {url}: {reason}")
    local = f"apt-get install {data.package}, or " if data.package else ""
    raise DataError(f"cannot get {_name(data, file)}", where=data.name, notes=notes,
                    hint=f"{local}get it yourself and name its folder: netdef data get {data.name} --from FOLDER")


def _get(url: str, path: Path, told: Bytes | None) -> None:
    """The file behind a URL, from where an earlier try ended."""
    part = path.with_name(path.name + ".part")
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "netdef"} | ({"Range": f"bytes={start}-"} if start else {}))
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:  # 416: there is nothing behind what is here
            raise
        part.unlink()
        return _get(url, path, told)
    with answer:
        start = start if answer.status == 206 else 0
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        with open(part, "ab" if start else "wb") as out:
            for piece in _pieces(answer):
                out.write(piece)
                start += len(piece)
                if told is not None:
                    told(path.name, start, total)
    if total is not None and start < total:
        raise OSError(f"the connection ended after {start} of {total} bytes")
    os.replace(part, path)


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := answer.read(_CHUNK):
        yield piece


def _name(data: Published, file: File) -> str:
    """What a file is called where it is published."""
    return file.name if file is data.archive else f"{file.name}.gz"
