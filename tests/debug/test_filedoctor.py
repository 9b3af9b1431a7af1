"""`netdef doctor FILE`: every kind of file is told by its content, whole, cut off and disguised."""
from __future__ import annotations

import gzip
import io
import os
import random
import struct
import time
import zipfile

import numpy as np
import pytest

from netdef import weights
from netdef.config.blobproto import encode, encode_varint, tagged
from netdef.config.load import parse_text_message
from netdef.config.wire import BYTES
from netdef.debug.filedoctor import examine, examine_all

DEPLOY = """name: "tiny"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
"""
TRAIN = """name: "tiny"
layer { name: "data" type: "Data" top: "data" top: "label" transform_param { crop_size: 2 }
        data_param { source: "gone" batch_size: 4 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
LAYERS = [("data", "Input", []), ("ip", "InnerProduct", [np.ones((3, 4), np.float32), np.zeros(3, np.float32)])]


@pytest.fixture
def put(tmp_path, monkeypatch):
    """``put("name", content)``: the report of a file with that content."""
    monkeypatch.chdir(tmp_path)

    def make(name, content):
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return examine(name)
    return make


@pytest.fixture
def model(tmp_path, monkeypatch):
    """The bytes of a .caffemodel with its net."""
    monkeypatch.chdir(tmp_path)
    net = parse_text_message(DEPLOY, "net", "NetParameter").message
    weights.write_caffemodel("made.caffemodel", LAYERS, "tiny", net)
    return (tmp_path / "made.caffemodel").read_bytes()


def test_a_net_to_deploy(put):
    r = put("a.prototxt", DEPLOY)
    assert r.ok and r.kind == "prototxt: net to deploy or test" and r.facts["TEST"] == "2 layers, all shapes known"
    assert r.facts["syntax"] == "V2 (layer { ... })" and r.next[0] == "netdef summary a.prototxt --phase TEST"


def test_a_net_to_train(put):
    r = put("a.prototxt", TRAIN)
    assert r.kind == "prototxt: net to train and test" and r.facts["TRAIN"] == "3 layers; assumed: data 4x3x2x2, label 4"


@pytest.mark.parametrize(("text", "syntax"), [
    ('layers { layer { name: "d" type: "data" source: "x" batchsize: 2 } top: "data" top: "label" }', "V0"),
    ('layers { name: "d" type: DUMMY_DATA top: "d" dummy_data_param { num: 1 channels: 1 height: 1 width: 1 } }', "V1"),
    ('input: "data" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4 layer { name: "r" type: "ReLU" bottom: "data" '
     'top: "r" }', "V2 (layer { ... }), with input fields"),
])
def test_syntaxes(put, text, syntax):
    r = put("a.prototxt", text)
    assert r.facts["syntax"].startswith(syntax) and "change" in r.facts["upgrade"]


def test_both_spellings_at_once(put):
    r = put("a.prototxt", 'layers { name: "a" type: RELU } layer { name: "b" type: "ReLU" }')
    assert "mixed" in r.facts["syntax"] and "both layer and layers" in r.broken


def test_a_solver(put):
    put("a.prototxt", DEPLOY)
    r = put("solver.prototxt", 'net: "a.prototxt" base_lr: 0.5 lr_policy: "fixed" max_iter: 9 solver_type: ADAM')
    assert r.kind == "prototxt: solver" and r.facts["rule"] == "Adam" and r.next[0] == "netdef train solver.prototxt"
    r = put("solver.prototxt", 'net: "gone.prototxt" base_lr: 0.5 lr_policy: "fixed"')
    assert r.ok and "gone.prototxt" in r.cannot[0] and not r.next


def test_yaml(put):
    text = "name: y\nlayers:\n  - data: {Input: {shape: [{dim: [1, 2]}]}}\n  - relu: {ReLU: {}}\n"
    assert put("a.yaml", text).kind == "yaml: net to deploy or test"
    r = put("a.prototxt", text)
    assert r.kind.startswith("yaml") and any("rename it to a.yaml" in n for n in r.notes)


def test_forks_are_named(put):
    r = put("a.prototxt", 'layer { name: "a" type: "DenseCRF" bottom: "x" top: "y" dense_crf_param { max_iter: 1 } }')
    assert r.origin.startswith("PSPNet (layer type DenseCRF, field dense_crf_param")
    assert "dense_crf_param" in r.cannot[0]


def test_text_that_breaks(put):
    r = put("a.prototxt", DEPLOY + "layer { name: ")
    assert r.broken.startswith("line 4, column") and r.sound == "3 of 4 lines can be read"
    r = put("a.prototxt", DEPLOY.replace("num_output", "num_ouptut"))
    assert r.broken.startswith("line 3: layer 'ip'") and "did you mean 'num_output'?" in r.broken


def test_windows_and_utf16(put):
    r = put("a.prototxt", b"\xef\xbb\xbf" + DEPLOY.replace("\n", "\r\n").encode())
    assert r.ok and "byte order mark" in r.notes[0] and "CRLF" in r.notes[1]
    assert "UTF-16" in put("a.prototxt", DEPLOY.encode("utf-16")).broken


@pytest.mark.parametrize(("name", "content", "kind"), [
    ("x.caffemodel", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 42\n", "Git LFS pointer"),
    ("x.caffemodel", "<!DOCTYPE html><html><title>Quota exceeded</title>", "web page"),
    ("x.caffemodel", "", "empty file"),
    ("x.caffemodel", b"\0" * 4096, "zeros"),
    ("x.caffemodel", random.Random(1).randbytes(4096), "not recognised"),
])
def test_what_is_saved_in_the_place_of_a_model(put, name, content, kind):
    r = put(name, content)
    assert r.kind.startswith(kind) and not r.ok and r.broken.startswith("byte 0")


@pytest.mark.parametrize(("content", "kind", "fact"), [
    ("a/b.jpg 3\nb c.png 11\n", "list of pictures with labels", ("labels", "3 to 11, 2 different ones")),
    ("a.h5\nb.h5\n", "list of HDF5 files", ("entries", 2)),
    ("n01 tench\nn02 goldfish\n", "list of names", ("names", 2)),
    ("# 0\na.jpg\n3\n10\n10\n0\n", "window list", ("pictures", 1)),
    ('item { name: "cat" label: 1 }', "label map of SSD", ("classes", 1)),
    ('{"a": 1, "b": 2}', "JSON", ("keys", ["a", "b"])),
    ("I1121 10:00:00.000000  7 solver.cpp:1] Iteration 0, loss = 2.3\n"
     "I1121 10:00:01.000000  7 solver.cpp:1] Iteration 100, loss = nan\n", "training log", ("iterations", "0 to 100")),
    ("I20261121 10:00:00.000000  7 solver.cpp:1] Iteration 5, loss = 2.3\n", "training log", ("iterations", "5 to 5")),
    ("Dear reader; this is = no list {\n", "text of another kind", ("begins", "Dear reader; this is = no list {")),
])
def test_other_texts(put, content, kind, fact):
    r = put("x.txt", content)
    assert r.kind.startswith(kind) and r.facts[fact[0]] == fact[1] and r.ok


def test_a_list_with_a_bad_line(put):
    r = put("list.txt", "a.jpg 3\nb.jpg 4\nc.jpg\n")
    assert r.broken == "line 3: expected a file and a label, got 'c.jpg'" and r.sound == "2 lines"


def test_weights(put, model):
    r = put("x.caffemodel", model)
    assert r.ok and r.facts["layers"] == "2, 1 with params" and r.facts["params"] == "15 values in 2 arrays"
    assert r.facts["stored as"] == "float32 (2)" and r.facts["net inside"] == "opens: 2 layers"
    assert put("x.prototxt", model).notes == ["its name ends in .prototxt, its content is something else"]


def test_weights_cut_off_anywhere(put, model):
    """No cut is called whole but one between two fields, and every place is named."""
    for n in range(12, len(model), 7):
        r = put("x.caffemodel", model[:n])
        assert r.kind.startswith(".caffemodel"), n
        if not r.ok:
            assert f" of {n:,}: " in r.broken
    r = put("x.caffemodel", model[:-5])
    assert "it breaks in layer 'ip' (InnerProduct)" in r.sound and r.sound.startswith("1 whole layer, the last one 'data'")


def test_a_weight_that_lies_about_its_size(put):
    blob = b"".join(bytes(p) for p in encode(np.zeros(4, np.float32)))[:-1] + b"\x05"  # shape says 5
    layer = tagged(1, BYTES) + b"\x01a" + tagged(7, BYTES) + encode_varint(len(blob)) + blob
    r = put("x.caffemodel", tagged(100, BYTES) + encode_varint(len(layer)) + layer)
    assert "needs 5 values, got 4" in r.broken


def test_states_and_means(put, tmp_path):
    weights.write_solverstate("s.solverstate", 7, "w.caffemodel", [np.ones(3, np.float32)], 2, "")
    raw = (tmp_path / "s.solverstate").read_bytes()
    r = put("s.solverstate", raw)
    assert r.ok and r.facts["iteration"] == 7 and r.facts["weights"] == "w.caffemodel" and r.origin == "Caffe"
    assert put("s.solverstate", raw[:20]).broken.startswith("byte ")
    mean = b"".join(bytes(p) for p in encode(np.stack([np.full((1, 2, 2), i, np.float32) for i in (1, 2)], 1)))
    r = put("mean.binaryproto", mean)
    assert r.kind.startswith(".binaryproto") and r.facts["channel means"] == "1, 2" and r.facts["shape"] == "1x2x2x2"
    assert not put("mean.binaryproto", mean[:20]).ok


def test_arrays(put, tmp_path):
    np.save("a.npy", np.zeros((3, 4)))
    raw = (tmp_path / "a.npy").read_bytes()
    assert put("a.npy", raw).facts["shape"] == "3x4"
    assert put("a.npy", raw[:-8]).broken == f"byte {len(raw) - 8}: the file ends there and must have {len(raw)} bytes"
    idx = struct.pack(">4B3I", 0, 0, 8, 3, 2, 5, 5)
    assert put("x", idx + bytes(50)).kind == "idx: pictures, as MNIST is kept"
    assert put("x", idx + bytes(30)).sound == "1 item"
    weights.write_npz("w.npz", {"ip": [np.zeros(3, np.float32)]})
    raw = (tmp_path / "w.npz").read_bytes()
    assert put("w.npz", raw).kind.startswith(".npz: trained params") and not put("w.npz", raw[:100]).ok
    weights.write_safetensors("w.safetensors", {"ip": [np.zeros(3, np.float32)]})
    raw = (tmp_path / "w.safetensors").read_bytes()
    assert put("w.safetensors", raw).ok and "byte" in put("w.safetensors", raw[:-4]).broken


def test_hdf5(put, tmp_path):
    h5py = pytest.importorskip("h5py")
    weights.write_hdf5("w.caffemodel.h5", LAYERS)
    raw = (tmp_path / "w.caffemodel.h5").read_bytes()
    assert put("w.caffemodel.h5", raw).kind.startswith(".caffemodel.h5")
    assert put("w.caffemodel.h5", raw[:1500]).broken == f"byte 1,500: the file ends there and must have {len(raw):,} bytes"
    with h5py.File("d.h5", "w") as f:
        f["data"], f["label"] = np.zeros((5, 2)), np.zeros(5)
    assert examine("d.h5").kind == "HDF5: rows of data, as HDF5Data reads them"


def test_archives(put, model):
    packed = gzip.compress(model)
    r = put("m.gz", packed)
    assert r.ok and r.facts["inside"] == ".caffemodel" and r.next == ["gunzip --keep m.gz"]
    assert "end early" in put("m.gz", packed[:-12]).broken
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        z.writestr("m.caffemodel", model)
    r = put("m.zip", file.getvalue())
    assert r.ok and r.facts["inside"] == ".caffemodel"
    assert not put("m.zip", file.getvalue()[:-20]).ok


def test_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lmdb = pytest.importorskip("lmdb")
    from netdef.config import schema

    datum = schema.new("Datum")
    datum.channels, datum.height, datum.width, datum.data, datum.label = 1, 2, 2, b"\1\2\3\4", 7
    env = lmdb.open("db", map_size=1 << 20)
    with env.begin(write=True) as t:
        t.put(b"0", datum.SerializeToString())
    env.close()
    r = examine("db")
    assert r.kind.startswith("LMDB") and r.facts["first record"] == "1x2x2, label 7" and r.ok
    size = (tmp_path / "db/data.mdb").stat().st_size
    os.truncate(tmp_path / "db/data.mdb", size // 2)
    assert "cut off" in examine("db").broken
    (tmp_path / "level").mkdir()
    (tmp_path / "level/CURRENT").write_text("MANIFEST-1\n")
    assert "MANIFEST-1" in examine("level").broken
    (tmp_path / "level/MANIFEST-1").touch()
    (tmp_path / "level/1.ldb").write_bytes(b"cut")
    assert examine("level").broken.startswith("1.ldb: byte 3")
    assert sorted(os.listdir("level")) == ["1.ldb", "CURRENT", "MANIFEST-1"], "nothing is written"
    (tmp_path / "level/1.ldb").write_bytes(bytes.fromhex("57fb808b247547db"))
    assert examine("level").ok
    (tmp_path / "run").mkdir()
    (tmp_path / "run/a_iter_5.solverstate").touch()
    assert examine("run").kind.startswith("run") and "--snapshot run/a_iter_5.solverstate" in examine("run").next[0]


def test_a_net_and_its_weights(put, model):
    put("a.prototxt", DEPLOY)
    found = examine_all(["a.prototxt", "made.caffemodel"])
    assert found.ok and "they fit: 1 layer loaded, 100.0% of the net's values" in found.fit[0]
    put("a.prototxt", DEPLOY.replace("dim: 4", "dim: 5"))
    found = examine_all(["a.prototxt", "made.caffemodel"])
    assert not found.ok and "DO NOT FIT" in found.fit[0]
    assert found.fit[1] == "  ip: param 0 has shape (3, 4) in the file and (3, 5) in the net"
    put("a.prototxt", DEPLOY.replace('"ip"', '"ip1"'))
    found = examine_all(["a.prototxt", "made.caffemodel"])
    assert not found.ok and "did you mean 'ip'" in "\n".join(found.fit)


def test_names_in_files_do_not_steer_the_terminal(put):
    assert "\x1b" not in str(put("x.prototxt", DEPLOY.replace("tiny", "\x1b[2Jtiny")))


def test_hostile_files_do_not_take_long(put):
    begin = time.perf_counter()
    for content in (b"\x08\x00" * 2_000_000, tagged(100, BYTES) + encode_varint(4_000_000) + b"\x08\x00" * 2_000_000,
                    b"layer {" * 100_000, b"[" * 100_000, gzip.compress(bytes(1 << 26))):
        put("x.caffemodel", content)
    assert time.perf_counter() - begin < 20


def test_what_is_not_there_and_pipes(tmp_path):
    assert examine(tmp_path / "gone").kind == "cannot be read"
    os.mkfifo(tmp_path / "pipe")
    assert not examine(tmp_path / "pipe").ok


def test_random_bytes_never_raise(put, model):
    rng = random.Random(3)
    for _ in range(150):
        raw = bytearray(model)
        for _ in range(rng.randrange(1, 6)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        str(put("x.caffemodel", bytes(raw)))
