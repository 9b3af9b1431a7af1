"""Net.set_input_arrays."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.errors import NetdefError

NET = '''layer { name: "m" type: "MemoryData" top: "x" top: "t"
  memory_data_param { batch_size: 2 channels: 1 height: 1 width: 3 } }'''


def test_arrays_go_round(net_of):
    net = net_of(NET)
    net.set_input_arrays(np.arange(12, dtype="f4").reshape(4, 1, 1, 3), np.arange(4, dtype="f4"))
    seen = [net.forward()["t"].reshape(-1).tolist() for _ in range(3)]
    assert seen == [[0, 1], [2, 3], [0, 1]]


def test_no_such_layer(net_of):
    with pytest.raises(NetdefError, match="no layer 'n' to take arrays"):
        net_of(NET).set_input_arrays(np.zeros((2, 1, 1, 3)), np.zeros(2), "n")
