"""builtin:noise: pictures without meaning, of any shape."""
from __future__ import annotations

import numpy as np
import pytest

from netdef import data
from netdef.errors import DataError


def test_shape_range_and_balance():
    source = data.open("builtin:noise/3x20x30/7")
    images, labels = source.batch(0, 64)
    assert len(source) == 64 and images.shape == (64, 3, 20, 30) and images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255) and abs(images.mean() - 127.5) < 1
    assert labels.dtype == np.int32 and set(labels) == set(range(7))
    assert not images.flags.writeable and not labels.flags.writeable
    assert data.peek("builtin:noise/3x20x30/7") == data.Peek((3, 20, 30), 64, True, "builtin", ())


def test_goes_round_and_is_always_the_same():
    source = data.open("builtin:noise/1x3x3/10")
    images, labels = source.batch(60, 10)
    assert (images[4:] == source.batch(0, 6)[0]).all() and (labels[4:] == source.batch(0, 6)[1]).all()
    assert images[0].tolist() != images[1].tolist()


@pytest.mark.parametrize("name", ["noise", "noise/train", "noise/3x4/10", "noise/3x0x4/10", "noise/3x4x5",
                                  "noise/3x4x5/0", "noise/3x99999x99999/10"])
def test_bad_names(name):
    with pytest.raises(DataError) as caught:
        data.open(f"builtin:{name}")
    assert "expected builtin:noise/<channels>x<height>x<width>/<classes>" in str(caught.value)
    assert "for example builtin:noise/3x256x256/1000" in str(caught.value)
