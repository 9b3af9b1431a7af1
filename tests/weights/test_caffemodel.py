"""Reading and writing .caffemodel: real files, all generations of the format, damaged and hostile bytes."""
from __future__ import annotations

import contextlib
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netdef import weights
from netdef.config import blobproto, schema
from netdef.errors import WeightsError
from netdef.weights import caffemodel

LAYERS = [
    ("data", "Input", []),
    ("a/conv", "Convolution", [np.arange(24, dtype="f4").reshape(2, 3, 2, 2), np.ones(2, "f4")]),
    ("relu", "ReLU", []),
    ("ip", "InnerProduct", [np.arange(6, dtype="f8").reshape(3, 2)]),
]


def parsed(path):
    message = schema.new("NetParameter")
    message.ParseFromString(path.read_bytes())
    return message


def same(arrays, others):
    return len(arrays) == len(others) and all(
        a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
        for a, b in zip(arrays, others, strict=True)
    )


def test_round_trip(tmp_path):
    path = tmp_path / "net.caffemodel"
    weights.write_caffemodel(path, LAYERS, "net")
    found = weights.read_caffemodel(path)
    assert found.net_name == "net" and found.format == "V2" and found.count == 32
    assert list(found.layers) == [name for name, _, _ in LAYERS]
    assert found.types == {name: kind for name, kind, _ in LAYERS}
    assert all(same(found.layers[name], arrays) for name, _, arrays in LAYERS)
    assert not found.is_legacy("a/conv", 1)


def test_protobuf_reads_what_we_write_and_writes_the_same(tmp_path):
    path = tmp_path / "net.caffemodel"
    weights.write_caffemodel(path, LAYERS, "net")
    message = parsed(path)
    assert [layer.name for layer in message.layer] == [name for name, _, _ in LAYERS]
    assert same([blobproto.to_array(blob) for blob in message.layer[1].blobs], LAYERS[1][2])
    assert message.SerializeToString() == path.read_bytes()


def test_fields_of_a_net_message_are_kept(tmp_path):
    net = schema.new("NetParameter")
    net.name = "given"
    for name, kind, _ in LAYERS:
        net.layer.add(name=name, type=kind, bottom=["x"], top=[name])
    net.layer[1].blobs.add(data=[9.0])
    path = tmp_path / "net.caffemodel"
    weights.write_caffemodel(path, LAYERS[1:2], "other", net)
    message = parsed(path)
    assert message.name == "given" and message.layer[2].top == ["relu"]
    assert same([blobproto.to_array(blob) for blob in message.layer[1].blobs], LAYERS[1][2])
    found = weights.read_caffemodel(path)
    assert found.bottoms["ip"] == ["x"] and found.tops["ip"] == ["ip"]
    assert len(net.layer[1].blobs) == 1, "the message given is not changed"
    with pytest.raises(ValueError, match="no layer.*'z'"):
        weights.write_caffemodel(path, [("z", "ReLU", [])], net_message=net)


def test_v1_and_v0(tmp_path):
    net = schema.new("NetParameter")
    old = net.layers.add(name="conv", bottom=["data"], top=["conv"])
    old.type = old.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_name["CONVOLUTION"].number
    old.blobs.add(num=1, channels=1, height=1, width=3, data=[1, 2, 3])
    path = tmp_path / "v1.caffemodel"
    path.write_bytes(net.SerializeToString())
    found = weights.read_caffemodel(path)
    assert found.format == "V1" and found.types["conv"] == "CONVOLUTION" and found.tops["conv"] == ["conv"]
    assert found.layers["conv"][0].shape == (1, 1, 1, 3) and found.is_legacy("conv", 0)
    older = net.layers.add(bottom=["conv"], top=["ip"])
    older.layer.name, older.layer.type = "ip", "innerproduct"
    older.layer.blobs.add(num=1, channels=1, height=2, width=1, data=[4, 5])
    path.write_bytes(net.SerializeToString())
    found = weights.read_caffemodel(path)
    assert found.format == "V0" and found.types["ip"] == "innerproduct"
    np.testing.assert_array_equal(found.layers["ip"][0].ravel(), [4, 5])


def test_a_layer_named_twice_counts_where_it_has_arrays(tmp_path):
    path = tmp_path / "net.caffemodel"
    weights.write_caffemodel(path, [("x", "A", [np.ones(1)]), ("x", "B", []), ("y", "A", []), ("y", "B", [np.ones(2)])])
    found = weights.read_caffemodel(path)
    assert found.types == {"x": "A", "y": "B"} and len(found.layers["y"]) == 1


def test_arrays_outlive_the_file(tmp_path):
    path = tmp_path / "net.caffemodel"
    weights.write_caffemodel(path, LAYERS)
    arrays = weights.read_caffemodel(path).layers["a/conv"]
    weights.write_caffemodel(path, [("other", "ReLU", [])])
    assert same(arrays, LAYERS[1][2])
    with pytest.raises(ValueError):
        arrays[0][...] = 0


def test_too_large_for_protobuf(tmp_path, monkeypatch):
    monkeypatch.setattr(caffemodel, "MAX_BYTES", 100)
    with pytest.raises(WeightsError, match="at most 100 bytes.*caffemodel.h5 or .safetensors"):
        weights.write_caffemodel(tmp_path / "net.caffemodel", LAYERS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "raw, words",
    [
        (b"", "empty"), (b"version https://git-lfs.github.com/spec/v1\n", "LFS"),
        (b"<!DOCTYPE html><html>", "web page"), (b"<html>", "web page"),
        (b'name: "x"\nlayer { name: "y" }\n', "text file"), (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
        (b"\x1f\x8b\x08" + bytes(20), "gzip"), (bytes(100), "cut off or damaged"),
    ],
)  # fmt: skip
def test_other_files_are_recognised(tmp_path, raw, words):
    path = tmp_path / "x.caffemodel"
    path.write_bytes(raw)
    with pytest.raises(WeightsError, match=words) as caught:
        weights.read_caffemodel(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(WeightsError, match="No such file"):
        weights.read_caffemodel(tmp_path / "none")
    with pytest.raises(WeightsError, match="cannot read"):
        weights.read_caffemodel(tmp_path)


def test_the_offset_is_named(tmp_path):
    path = tmp_path / "net.caffemodel"
    weights.write_caffemodel(path, LAYERS)
    raw = path.read_bytes()
    path.write_bytes(raw[:-3])
    with pytest.raises(WeightsError, match=rf"byte \d+ of {len(raw) - 3}: field 100 needs"):
        weights.read_caffemodel(path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "net.caffemodel"
    weights.write_caffemodel(path, LAYERS, "net")
    return path, path.read_bytes()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_raises_only_weights_errors(sound, data):
    path, raw = sound
    broken = bytearray(raw[: data.draw(st.integers(0, len(raw)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if broken:
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    target = path.with_suffix(".broken")
    target.write_bytes(broken)
    for read in (weights.read, weights.read_caffemodel, weights.read_solverstate):
        try:
            read(target)
        except WeightsError as error:
            assert str(target) in str(error)


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=300))
def test_random_bytes_raise_only_weights_errors(sound, raw):
    target = sound[0].with_suffix(".random")
    target.write_bytes(raw)
    for read in (weights.read_caffemodel, weights.read_solverstate, weights.read_npz):
        with contextlib.suppress(WeightsError):
            read(target)


def test_hostile_lengths_cost_no_memory(tmp_path):
    blob = b"\x3a\x0c" + b"\x0a\x0a" + b"\xff" * 9 + b"\x01" + b"\x2a\xff\xff\xff\x7f"
    layer = b"\x0a\x01x" + b"\x3a" + bytes([len(blob)]) + blob
    path = tmp_path / "x.caffemodel"
    path.write_bytes(b"\xa2\x06" + bytes([len(layer)]) + layer)
    tracemalloc.start()
    with pytest.raises(WeightsError, match="byte"):
        weights.read_caffemodel(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_unpacked_floats_by_the_million_are_quick(tmp_path):
    count = 2_000_000
    cells = np.zeros(count, [("tag", "u1"), ("value", "<f4")])
    cells["tag"], cells["value"] = 0x2D, np.arange(count)
    shape = b"\x3a\x04\x08" + blobproto.encode_varint(count)
    blob = cells.tobytes() + shape
    layer = b"\x0a\x01x" + b"\x3a" + blobproto.encode_varint(len(blob)) + blob
    path = tmp_path / "x.caffemodel"
    path.write_bytes(b"\xa2\x06" + blobproto.encode_varint(len(layer)) + layer)
    start = time.perf_counter()
    found = weights.read_caffemodel(path)
    assert time.perf_counter() - start < 2, "one step in Python for each number would take several seconds"
    np.testing.assert_array_equal(found.layers["x"][0], np.arange(count, dtype="f4"))


def test_real_models_agree_with_protobuf(shared):
    files = sorted((shared / "models").glob("*/*.caffemodel"))
    assert files
    for path in files:
        found = weights.read_caffemodel(path)
        message = parsed(path)
        layers = list(message.layer) or list(message.layers)
        assert list(found.layers) == list(dict.fromkeys(layer.name for layer in layers)), path
        for layer in layers:
            stored = [blob for blob in layer.blobs if len(blob.data) or len(blob.double_data)]
            if len(stored) == len(layer.blobs):  # NVCaffe's raw_data is no field of ours
                assert same(found.layers[layer.name], [blobproto.to_array(blob) for blob in stored]), (path, layer.name)


def test_conformance_snapshot_equals_the_trajectory(shared):
    folder = shared / "conformance" / "solvers"
    cases = sorted(folder.glob("*_iter_10.caffemodel"))
    assert cases
    for path in cases:
        found = weights.read_caffemodel(path)
        with np.load(folder / (path.name.removesuffix("_iter_10.caffemodel") + ".npz")) as trajectory:
            for name in ("conv", "ip"):
                for i, array in enumerate(found.layers[name]):
                    np.testing.assert_array_equal(array, trajectory[f"iter10/{name}/{i}"])


def test_a_real_half_float_model(shared):
    found = weights.read_caffemodel(shared / "models/hyperlpr_finemapping_fp16/HorizonalFinemapping.caffemodel")
    arrays = [a for layer in found.layers.values() for a in layer]
    assert sum(a.size for a in arrays) == 11754
    assert all(np.isfinite(a).all() and abs(a).max() < 10 and (a == a.astype("f2")).all() for a in arrays)
