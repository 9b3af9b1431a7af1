"""Params from and to files of every kind; nets that live in their weights."""
from __future__ import annotations

import numpy as np
import pytest

import netdef
from netdef import weights
from netdef.errors import WeightsError

SHARED = """
name: "twins"
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "a/1" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "a/2" type: "InnerProduct" bottom: "a" top: "c" param { name: "w" } param { name: "own" }
  inner_product_param { num_output: 3 bias_filler { value: 4 } } }
"""
ENDINGS = ["caffemodel", "caffemodel.h5", "npz", "safetensors"]


def params(net):
    return [(name, blob.data.copy()) for name, blobs in net.params.items() for blob in blobs]


def same(a, b) -> bool:
    return all(x[0] == y[0] and np.array_equal(x[1], y[1]) for x, y in zip(params(a), params(b), strict=True))


@pytest.mark.parametrize("ending", ENDINGS)
def test_there_and_back(net_of, tmp_path, ending):
    if ending.endswith("h5"):
        pytest.importorskip("h5py")
    net, other = net_of(SHARED), net_of(SHARED, seed=2)
    path = tmp_path / f"w.{ending}"
    net.save(path)
    assert not same(net, other)
    report = other.load(path.rename(tmp_path / "renamed"), strict=True)
    assert same(net, other) and report.loaded == ["a/1", "a/2"]


def test_hdf5_of_caffe_leaves_shared_params_out(net_of, tmp_path):
    h5py = pytest.importorskip("h5py")
    net = net_of(SHARED)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["data/a/1/0"], file["data/a/1/1"] = np.ones((3, 3), "f4"), np.ones(3, "f4")
        file["data/a/2/1"] = np.full(3, 5, "f4")
    net.load(tmp_path / "w.h5")
    assert (net.params["a/2"][0].data == 1).all() and (net.params["a/2"][1].data == 5).all()
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file["data/a/1/1"]  # nobody else has it
    with pytest.raises(WeightsError, match="has 1 params, the net has 2"):
        net.load(tmp_path / "w.h5")


def test_a_saved_net_opens_by_itself(net_of, tmp_path):
    net = net_of(SHARED)
    net.save(tmp_path / "n.caffemodel")
    alone = netdef.Net(tmp_path / "n.caffemodel")
    assert alone.name == "twins" and same(net, alone)
    x = np.arange(6, dtype="f4").reshape(2, 3)
    np.testing.assert_array_equal(alone.forward(x=x)["c"], net.forward(x=x)["c"])
    assert not same(net, netdef.Net(str(tmp_path / "n.caffemodel"), weights=[], seed=5)), "no weights when told so"
    net.params["a/1"][0].data[...] = 9
    net.save(tmp_path / "w.npz")
    assert same(net, netdef.Net(tmp_path / "n.caffemodel", weights=tmp_path / "w.npz"))


def test_a_net_saved_in_training_opens_for_testing(net_of, tmp_path):
    net = net_of(SHARED.replace('bottom: "a" top: "c"', 'bottom: "a" top: "c" include { phase: TRAIN }'), phase="TRAIN")
    net.save(tmp_path / "n.caffemodel")
    assert netdef.Net(tmp_path / "n.caffemodel").phase == "TEST"


def test_real_models_open_by_themselves(shared):
    for folder, file in (("waifu2x_upconv7_photo", "scale2.0x_model.json"), ("hyperlpr_finemapping_fp16",
                         "HorizonalFinemapping"), ("ultraface_rfb320", "RFB-320")):
        path = shared / "models" / folder / f"{file}.caffemodel"
        net = netdef.Net(path)
        for name, arrays in weights.read(path).layers.items():
            for blob, array in zip(net.params.get(name, []), arrays, strict=False):
                np.testing.assert_array_equal(blob.data.ravel(), array.ravel())
