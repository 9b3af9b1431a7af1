"""How a source is written: ``csv:train.csv,label=species`` is a kind, paths and options.

Parts behind the colon are parted by commas; a part ``name=value`` whose name the kind knows is an option, any other part
a path. A name without a known kind is the path of a database, or of a file whose ending tells the kind.
"""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from netdef.errors import DataError, did_you_mean

_PREFIX = re.compile(r"([A-Za-z][A-Za-z0-9_]+):(?!//)(.*)", re.DOTALL)


class Kind(NamedTuple):
    """A kind of source: where its opener is, how many paths it takes, and its options."""

    opener: str
    """module and function, "idx.open_idx" """
    form: str
    """how it is written, for people"""
    paths: tuple[int, int]
    """least and most"""
    options: tuple[str, ...] = ()
    path_options: tuple[str, ...] = ()
    """options whose value is the path of a file or folder"""
    repeated: tuple[str, ...] = ()
    """options that may be given several times"""
    pictures: bool = False
    """whether its records are picture files, which force_gray applies to"""
    peek: str = ""
    """a function that looks without reading everything, where there is one"""


KINDS: dict[str, Kind] = {
    "lmdb": Kind("opening.open_database", "lmdb:FOLDER", (1, 1), pictures=True),
    "leveldb": Kind("opening.open_database", "leveldb:FOLDER", (1, 1), pictures=True),
    "idx": Kind("idx.open_idx", "idx:IMAGES or idx:IMAGES,LABELS", (1, 2)),
    "npy": Kind("arrays.open_npy", "npy:DATA.npy or npy:DATA.npy,LABELS.npy", (1, 2)),
    "npz": Kind("arrays.open_npz", "npz:FILE.npz or npz:FILE.npz,data=NAME,label=NAME", (1, 1), ("data", "label"),
                repeated=("label",)),
    "csv": Kind("table.open_table", "csv:FILE or csv:FILE,label=COLUMN", (1, 1),
                ("label", "ignore", "header", "shape", "classes"), ("classes",), ("label", "ignore"),
                peek="table.peek_table"),
    "tsv": Kind("table.open_table", "tsv:FILE or tsv:FILE,label=COLUMN", (1, 1),
                ("label", "ignore", "header", "shape", "classes"), ("classes",), ("label", "ignore"),
                peek="table.peek_table"),
    "folder": Kind("pictures.open_folder", "folder:FOLDER, with a folder of pictures for each class", (1, 1),
                   ("classes",), ("classes",), pictures=True),
    "list": Kind("pictures.open_list", "list:FILE, with a picture's path and its label on each line", (1, 1),
                 ("root", "labels", "classes"), ("root", "classes"), pictures=True),
    "cifar10": Kind("cifar.open_cifar", "cifar10:FOLDER,split=train or cifar10:FILE,FILE", (1, 99), ("split",)),
    "cifar100": Kind("cifar.open_cifar", "cifar100:FOLDER,split=train or cifar100:FILE", (1, 99), ("split", "label")),
    "hdf5": Kind("hdf5_source.open_hdf5", "hdf5:FILE.h5 or hdf5:LIST.txt", (1, 1), ("data", "label"),
                 repeated=("label",)),
}
ENDINGS = {".csv": "csv", ".tsv": "tsv", ".npz": "npz", ".npy": "npy", ".h5": "hdf5", ".hdf5": "hdf5"}


class Spelling(NamedTuple):
    """A source as it was written, taken apart."""

    source: str
    kind: str
    paths: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()
    gray: bool = False
    """pictures are wanted in grey"""
    color: bool = False
    """encoded records are wanted in colour"""

    def option(self, name: str, default: str = "") -> str:
        """The value of an option that is given once."""
        return next((value for key, value in self.options if key == name), default)

    def every(self, name: str) -> list[str]:
        """The values of an option that may be given several times."""
        return [value for key, value in self.options if key == name]

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        """The value of an option that has few. Raises DataError."""
        value = self.option(name, default)
        if value not in allowed:
            raise DataError(f"{name}: expected {' or '.join(allowed)}, got '{value}'", where=self.source)
        return value


def parse(source: str) -> Spelling | None:
    """A source taken apart; None where it is the bare path of a database. Raises DataError for what cannot be meant.

    >>> parse("csv:a.csv,label=species").paths
    ('a.csv',)
    """
    prefix = _PREFIX.fullmatch(source)
    if prefix is None or (prefix[1] not in KINDS and os.path.exists(source)):
        kind = ENDINGS.get(os.path.splitext(source)[1].lower())
        return None if kind is None else Spelling(source, kind, (source,))
    name, rest = str(prefix[1]), str(prefix[2])
    if name not in KINDS:
        raise DataError(f"unknown kind of source '{name}:'", where=source, hint=did_you_mean(name, KINDS) or
                        f"there are {', '.join(KINDS)}, builtin, and paths of databases")
    known = KINDS[name]
    paths: list[str] = []
    options: list[tuple[str, str]] = []
    for part in rest.split(","):
        option, equals, value = part.partition("=")
        if equals and option.strip() in known.options:
            options.append((option.strip(), value.strip()))
        elif equals and re.fullmatch(r"[a-z_]+", option.strip()) and not os.path.exists(part):
            raise DataError(f"sources of kind '{name}' have no option '{option.strip()}'", where=source,
                            hint=did_you_mean(option, known.options) or f"it is written {known.form}")
        elif part.strip():
            paths.append(part.strip())
    least, most = known.paths
    if not least <= len(paths) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise DataError(f"expected {count} path{'s' * (most > 1)}, got {len(paths)}", where=source,
                        hint=f"it is written {known.form}")
    twice = next((n for k, (n, _) in enumerate(options) if n not in known.repeated and n in dict(options[:k])), None)
    if twice:
        raise DataError(f"option '{twice}' is given twice", where=source)
    return Spelling(source, name, tuple(paths), tuple(options))


def resolved(source: str, find: Callable[[str], str]) -> str:
    """The same source with every path in it replaced by ``find(path)``; ``builtin:`` names stay as they are."""
    if source.startswith("builtin:"):
        return source
    spelling = parse(source)
    if spelling is None or spelling.source == spelling.paths[0]:
        return find(source)
    of_paths = KINDS[spelling.kind].path_options
    parts = [find(path) for path in spelling.paths]
    parts += [f"{name}={find(value) if name in of_paths and value else value}" for name, value in spelling.options]
    return f"{spelling.kind}:{','.join(parts)}"
