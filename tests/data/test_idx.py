"""IDX files: every type, gzipped or not, and damaged ones."""
from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from netdef import data
from netdef.data.idx import parse_idx
from netdef.errors import DataError

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def idx(array, kind=8):
    codes = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(codes[kind]).tobytes()


@pytest.mark.parametrize("kind, dtype", [(8, "u1"), (9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_types(kind, dtype, pack):
    found = parse_idx(pack(idx(IMAGES, kind)))
    assert found.dtype == dtype and np.array_equal(found, IMAGES)


def test_as_a_source(tmp_path):
    images, labels = tmp_path / "i", tmp_path / "l.gz"
    images.write_bytes(idx(IMAGES))
    labels.write_bytes(gzip.compress(idx(np.array([7, 2]))))
    source = data.open(f"idx:{images},{labels}")
    assert isinstance(source, data.Source)
    assert source.peek() == data.Peek((1, 3, 4), 2, True, "idx") == data.peek(f"idx:{images},{labels}")
    assert source.record(1)[1] == 2 and np.array_equal(source.record(1)[0], IMAGES[1:])
    assert source.record(0)[0].dtype == np.uint8
    alone = data.open(f"idx:{images}")
    assert not alone.has_labels and not alone.peek().label and alone.labels().tolist() == [0, 0]


def test_mnist(shared):
    folder = shared / "data" / "mnist_idx"
    source = data.open(f"idx:{folder}/t10k-images-idx3-ubyte.gz,{folder}/t10k-labels-idx1-ubyte.gz")
    assert source.peek() == data.Peek((1, 28, 28), 10000, True, "idx")
    assert source.batch(0, 5)[1].tolist() == [7, 2, 1, 0, 4]


@pytest.mark.parametrize("raw, message", [
    (b"", "expected an IDX file (0, 0, type of the values, number of axes), it does not begin like one"),
    (b"\0\0\7\1" + bytes(20), "expected an IDX file (0, 0, type of the values, number of axes), it does not begin like one"),
    (idx(IMAGES)[:10], "the IDX file is cut off within its head"),
    (idx(IMAGES)[:-1], "the IDX file has 2x3x4 values: expected 40 bytes, got 39"),
    (idx(IMAGES) + b"x", "the IDX file has 2x3x4 values: expected 40 bytes, got 41"),
])
def test_damage(tmp_path, raw, message):
    file = tmp_path / "i"
    file.write_bytes(raw)
    with pytest.raises(DataError) as caught:
        data.open(f"idx:{file}")
    assert str(caught.value) == f"{file}: error: {message}"


def test_more_mistakes(tmp_path):
    (tmp_path / "i").write_bytes(idx(IMAGES))
    (tmp_path / "l").write_bytes(idx(np.zeros(3)))
    (tmp_path / "z").write_bytes(gzip.compress(idx(IMAGES))[:-9])
    with pytest.raises(DataError, match="l: error: expected a label for each of the 2 records, got 3"):
        data.open(f"idx:{tmp_path}/i,{tmp_path}/l")
    with pytest.raises(DataError, match="z: error: the gzipped IDX file is damaged"):
        data.open(f"idx:{tmp_path}/z")
    with pytest.raises(DataError, match="none: error: cannot read the IDX file: No such file"):
        data.open(f"idx:{tmp_path}/none")
