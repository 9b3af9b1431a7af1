"""The records of a net's own data."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.errors import NetdefError
from netdef.probe.records import own_records
from netdef.runtime.net import Net


def test_they_are_those_of_the_test_net():
    x, labels = own_records("builtin:lenet", 130)
    with Net("builtin:lenet", "TEST", seed=0) as net:
        net.forward()
        assert (x[:100] == net.blobs["data"].data).all() and (labels[:100] == net.blobs["label"].data).all()
    assert x.shape == (130, 1, 28, 28) and labels.dtype == np.int64


def test_a_net_without_data(small):
    with pytest.raises(NetdefError, match="expected a data layer that gives data and labels"):
        own_records(small[0], 3)
