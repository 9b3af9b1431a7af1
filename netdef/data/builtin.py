"""The sources that come with netdef, named ``builtin:<set>`` or ``builtin:<set>/<split>``; noise has a form of its own."""
from __future__ import annotations

import functools
from importlib import resources

import numpy as np

from netdef.data import noise, synthetic
from netdef.data.idx import parse_idx
from netdef.data.source import ArraySource
from netdef.errors import DataError, did_you_mean

PREFIX = "builtin:"
SPLITS = ("train", "test")


def names() -> list[str]:
    """Every name that ``open`` knows behind "builtin:" (a set with splits also answers to its bare name: train)."""
    found = [f"mnist10k/{split}" for split in SPLITS]
    for name, maker in synthetic.MAKERS.items():
        found += [f"{name}/{split}" for split in SPLITS] if maker.splits else [name]
    return found


@functools.cache
def open_builtin(source: str) -> ArraySource:
    """The source called "builtin:..."; made once in a process, its arrays are read-only. Raises DataError."""
    name, _, split = source.removeprefix(PREFIX).partition("/")
    if name == noise.NAME:
        return _read_only(noise.open_noise(f"{name}/{split}", source))
    wanted = f"{name}/{split}" if split else name
    if wanted not in names() and f"{wanted}/train" not in names():
        hint = did_you_mean(wanted, [*names(), "mnist10k", *synthetic.MAKERS])
        raise DataError(f"no built-in data '{wanted}'", where=source,
                        hint=hint or f"there are {', '.join(names())}, {noise.FORM}")
    split = split or "train"
    images, labels = _mnist10k(split) if name == "mnist10k" else synthetic.MAKERS[name].make(split)
    return _read_only(ArraySource(source, images, labels))


def _read_only(made: ArraySource) -> ArraySource:
    made.images.flags.writeable = made.labels().flags.writeable = False
    return made


def _mnist10k(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Digits: images (N, 1, 28, 28) uint8, ink bright; labels (N,) int32, 0 to 9. N = 8000 (train) or 2000 (test)."""
    images = _read_idx(f"{split}-images-idx3-ubyte.gz")
    labels = _read_idx(f"{split}-labels-idx1-ubyte.gz")
    return images[:, None], labels.astype(np.int32)


def _read_idx(name: str) -> np.ndarray:
    """The uint8 array of a gzipped IDX file that lies in mnist10k/."""
    place = resources.files("netdef.data") / "mnist10k" / name
    try:
        return parse_idx(place.read_bytes())
    except (OSError, ValueError) as error:
        hint = "this installation of netdef is damaged, install it again"
        raise DataError(f"cannot read the built-in digits: {error}", where=str(place), hint=hint) from error
