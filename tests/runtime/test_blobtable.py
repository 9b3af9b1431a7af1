from __future__ import annotations

import pytest

from netdef.runtime.blobtable import NotKept

TEXT = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 } } }
layer { name: "power" type: "Power" bottom: "x" top: "y" }
layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
layer { name: "y2" type: "Power" bottom: "y" top: "z" }
"""


def test_in_place_layers_give_the_blob_that_they_change(net_of):
    net = net_of(TEXT)
    assert list(net.blobs) == ["x", "y", "z"] and net.blobs["relu"] is net.blobs["y"]
    assert "relu" not in net.blobs and net.blobs.get("relu") is None
    for name in ("power", "none"):
        with pytest.raises(KeyError):
            net.blobs[name]


def test_only_what_is_kept(net_of):
    net = net_of(TEXT, keep="outputs")
    assert "y" not in net.blobs and "z" in net.blobs
    for name in ("y", "relu"):
        with pytest.raises(NotKept, match=r"blob 'y' is not kept: .*keep=\[\"y\"\]"):
            net.blobs[name]
