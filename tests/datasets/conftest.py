"""Small pictures, folders, lists and databases for the tests of data sets."""
from __future__ import annotations

import lmdb
import numpy as np
import pytest

from netdef.data.images import read_image
from netdef.datasets.records import encode


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of its own to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pixels(k: int, channels: int = 3, height: int = 4, width: int = 5) -> np.ndarray:
    """Pixels (C, H, W) uint8 that belong to the number ``k`` alone."""
    return ((np.arange(channels * height * width).reshape(channels, height, width) * 7 + 31 * k) % 251).astype(np.uint8)


@pytest.fixture(name="pixels")
def _pixels():
    """``pixels(k)``, see above: test files import nothing from here."""
    return pixels


@pytest.fixture
def pictures(here):
    """``pets/cat/0.png`` ... two classes of three pictures, 4 x 5; and ``list.txt`` of them with labels 0 and 1."""
    lines = []
    for label, name in enumerate(("cat", "dog")):
        (here / "pets" / name).mkdir(parents=True)
        for i in range(3):
            (here / "pets" / name / f"{i}.png").write_bytes(encode(pixels(10 * label + i), "png"))
            lines.append(f"{name}/{i}.png {label}\n")
    (here / "list.txt").write_text("".join(lines))
    assert (read_image("pets/cat/0.png").transpose(2, 0, 1) == pixels(0)).all()
    return here


@pytest.fixture
def entries():
    """``entries(path)``: keys and values of an LMDB."""

    def read(path) -> list[tuple[bytes, bytes]]:
        with lmdb.open(str(path), readonly=True, lock=False) as env, env.begin() as transaction:
            return [(bytes(k), bytes(v)) for k, v in transaction.cursor()]

    return read
