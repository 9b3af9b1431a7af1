"""Batches by number: the steps in their order, and errors that name the record."""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from netdef.data.order import InOrder, Shuffled
from netdef.data.reader import Job, Reader, Steps
from netdef.data.source import ArraySource, Records, stacked
from netdef.data.transforms import Transformer
from netdef.errors import DataError

IMAGES = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((10, 1, 4, 6), np.uint8)


def reader(source=None, order=None, resize=None, size=4, dtype="float32", **options):
    source = source or ArraySource("ten", IMAGES, np.arange(10, dtype=np.int32))
    return Reader(source, order or InOrder(), Steps(resize, None, Transformer(**options)), size, "data", dtype)


def test_a_batch():
    data, labels = reader(scale=0.5, resize=(2, 3)).make(Job(8, 0, 1))
    assert data.shape == (4, 1, 2, 3) and data[:, 0, 0, 0].tolist() == [4, 4.5, 0, 0.5]
    assert labels.tolist() == [8, 9, 0, 1] and labels.dtype == np.float32
    assert reader(dtype="float64").make(Job(0, 0, 1))[0].dtype == np.float64
    assert Job(8, 3, 1).following(4) == Job(12, 4, 1)


def test_the_same_on_any_thread():
    made = reader(order=Shuffled(10, "data"), crop_size=3, mirror=True, train=True)
    jobs = [Job(4 * k, k, 7) for k in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(made.make, jobs))
    again = reader(order=Shuffled(10, "data"), crop_size=3, mirror=True, train=True)
    for (data, labels), job in zip(found, jobs, strict=True):
        wanted = again.make(job)
        assert np.array_equal(data, wanted[0]) and np.array_equal(labels, wanted[1])
        assert [made.index(job, item) for item in range(4)] == labels.tolist()


class Ragged(Records):
    """Three pictures of other sizes; the last one is small."""

    name, kind, shape = "three", "test", (1, 5, 5)
    sizes = (5, 7, 2)

    def __len__(self):
        return 3

    def fetch(self, positions):
        return [int(p) % 3 for p in positions]

    def assemble(self, fetched, ragged=False):
        arrays = [np.full((1, self.sizes[i], 5), i, np.uint8) for i in fetched]
        return stacked(arrays, self.shape, ragged, lambda i: self.where(fetched[i]), self.name), np.array(fetched, np.int32)


def test_sizes_that_differ():
    assert reader(Ragged(), size=2, crop_size=4).make(Job(0, 0, 1))[0].shape == (2, 1, 4, 4)
    assert reader(Ragged(), size=3, resize=(4, 4)).make(Job(0, 0, 1))[0].shape == (3, 1, 4, 4)
    with pytest.raises(DataError, match="three: error: record 2: expected crop_size of at most 2 .records of 2x5., got 4") as e:
        reader(Ragged(), size=3, crop_size=4).make(Job(0, 0, 1))
    assert e.value.item == 2
    with pytest.raises(DataError, match="three: error: record 1: expected the size of the batch's first record"):
        reader(Ragged(), size=3).make(Job(0, 0, 1))


def test_labels_that_float32_cannot_hold():
    labels = np.array([0, 1 << 24, (1 << 24) + 1, 3], np.int32)
    source = ArraySource("four", IMAGES[:4], labels)
    with pytest.raises(DataError) as caught:
        reader(source).make(Job(1, 0, 1))
    assert str(caught.value) == ("four: error: record 2: the label 16777217 is out of range: a net of float32 holds whole "
                                 "numbers up to 16777216") and caught.value.item == 1
    assert reader(source, dtype="float64").make(Job(0, 0, 1))[1].tolist() == labels.tolist()
    assert reader(source, size=2).make(Job(0, 0, 1))[1].tolist() == labels[:2].tolist()
