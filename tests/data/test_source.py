"""The source over arrays."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.data.source import ArraySource, Source


@pytest.fixture
def source():
    return ArraySource("five", np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1), np.arange(5, dtype=np.int32))


def test_protocol(source):
    assert isinstance(source, Source) and len(source) == 5
    source.close()
    source.close()


@pytest.mark.parametrize("start, count", [(0, 3), (3, 2), (3, 4), (4, 13), (10, 5), (7, 1), (2, 0)])
def test_batches_go_round(source, start, count):
    images, labels = source.batch(start, count)
    assert labels.tolist() == [(start + i) % 5 for i in range(count)] == images.ravel().tolist()


def test_a_batch_inside_is_a_view(source):
    assert np.shares_memory(source.batch(1, 3)[0], source.images)


def test_record(source):
    image, label = source.record(3)
    assert image.shape == (1, 1, 1) and label == 3 and isinstance(label, int)
    for index in (-1, 5):
        with pytest.raises(IndexError):
            source.record(index)


@pytest.mark.parametrize("images, labels", [((0, 1, 1, 1), 0), ((2, 1, 1, 1), 3), ((2, 1, 1), 2)])
def test_arrays_must_fit(images, labels):
    with pytest.raises(ValueError, match="expected N x C x H x W"):
        ArraySource("x", np.zeros(images), np.zeros(labels))
