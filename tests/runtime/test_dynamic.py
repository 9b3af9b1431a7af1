"""Layers whose output size depends on values: a test-only layer that keeps the positive rows."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.layers import registry
from netdef.layers.base import Inferred, Layer

NET = '''
force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 5 dim: 2 } } }
layer { name: "keep" type: "KeepPositive" bottom: "x" top: "keep" }
layer { name: "ip" type: "InnerProduct" bottom: "keep" top: "ip" inner_product_param { num_output: 3
  weight_filler { type: "constant" value: 1 } } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }
'''


class KeepPositive(Layer):
    """Keeps the rows whose first value is positive."""

    dynamic = True

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])  # the upper bound

    def forward(self, ctx, bottoms, params, tops):
        self.kept = np.flatnonzero(bottoms[0].data[:, 0] > 0)
        tops[0].reshape(len(self.kept), bottoms[0].shape[1])
        tops[0].data[...] = bottoms[0].data[self.kept]

    def backward(self, ctx, tops, params, bottoms, need):
        bottoms[0].diff[...] = 0
        bottoms[0].diff[self.kept] = tops[0].diff


@pytest.fixture(autouse=True)
def registered():
    registry.register("KeepPositive")(KeepPositive)
    yield
    registry._types.pop("KeepPositive")


@pytest.mark.parametrize("rows", [3, 0, 5])
def test_layers_behind_follow_the_size_of_each_pass(net_of, rows):
    net = net_of(NET, dtype="float64")
    assert net.blobs["ip"].shape == (5, 3)
    x = np.full((5, 2), -1.0)
    x[:rows] = 1
    net.forward(x=x)
    assert net.blobs["ip"].shape == (rows, 3)
    assert (net.blobs["ip"].data == 2).all()
    net.backward(ip=np.ones((rows, 3)))
    assert (net.blobs["x"].diff == np.where(x > 0, 3, 0)).all()


def test_sizes_may_change_from_pass_to_pass(net_of):
    net = net_of(NET, dtype="float64")
    for rows in (1, 4, 2, 5, 0, 3):
        x = np.full((5, 2), -1.0)
        x[:rows] = 1
        net.forward(x=x)
        assert net.blobs["ip"].data.shape == (rows, 3) and (net.blobs["ip"].data == 2).all()
