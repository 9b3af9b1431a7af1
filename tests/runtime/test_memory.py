"""keep="outputs": the same outputs, with the memory of the blobs between given back."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.errors import NetdefError

NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 4
  weight_filler { type: "xavier" } } }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" inner_product_param { num_output: 4
  weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }
"""


def test_outputs_are_the_same_and_the_rest_is_given_back(net_of):
    everything, outputs = net_of(NET), net_of(NET, keep="outputs")
    x = np.random.default_rng(0).normal(size=(2, 3))
    for _ in range(2):
        want, got = everything.forward(x=x), outputs.forward(x=x)
        assert np.array_equal(want["sum"], got["sum"])
    assert sorted(outputs.blobs) == ["sum", "x"]
    held = {blob.name: blob.nbytes for run in outputs.steps for blob in run.tops}
    assert held == {"x": 24, "a": 0, "b": 0, "sum": 32}


def test_backward_is_refused(net_of):
    net = net_of(NET, keep="outputs")
    net.forward()
    with pytest.raises(NetdefError, match="has forgotten what it needs"):
        net.backward()
    with pytest.raises(NetdefError, match="keep: expected all or outputs, got some"):
        net_of(NET, keep="some")
