"""`netdef doctor FILE`, and --assume and --dialect of the commands that look at nets."""
from __future__ import annotations

import json

import pytest

NET = """layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "gone" batch_size: 4 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


def test_files(run, net, tmp_path):
    ran = run("doctor", net)
    assert ran.status == 0 and "prototxt: net to train and test" in ran.out and "state         whole" in ran.out
    (tmp_path / "x.caffemodel").touch()
    ran = run("doctor", net, tmp_path / "x.caffemodel")
    assert ran.status == 1 and "BROKEN: byte 0" in ran.out


def test_json(run, net):
    ran = run("doctor", "--json", net)
    found = json.loads(ran.out)
    assert found["files"][0]["whole"] is True and found["fit"] == []


def test_summary_without_data(run, net):
    ran = run("summary", net)
    assert ran.status == 0 and "`--assume data=4,C,H,W` gives it" in ran.out
    ran = run("summary", net, "--assume", "data=2,1,2,2")
    assert ran.status == 0 and "2x1x2x2 (assumed), 2 (assumed)" in ran.out and "params         15" in ran.out


@pytest.mark.parametrize("command", [("summary",), ("explain",), ("explain", "--why", "ip"), ("explain", "--stage", "shapes")])
@pytest.mark.parametrize(("text", "message"), [
    ("dta=1,2", "did you mean 'data'?"), ("data=x", "expected BLOB=SIZE"), ("ip=1,3", "is made by layer 'ip'")])
def test_bad_assumptions_are_usage(run, net, command, text, message):
    ran = run(command[0], net, *command[1:], "--assume", text)
    assert ran.status == 2 and message in ran.err and "Usage:" in ran.err


def test_explain_without_data(run, net):
    assert "2x1x2x2 (assumed)" in run("explain", net, "--assume", "data=2,1,2,2").out
    assert "d loss / d ip (2x3)" in run("explain", net, "--backward", "ip", "--assume", "data=2,1,2,2").out


def test_what_runs_assumes_nothing(run, net):
    ran = run("test", net)
    assert ran.status == 1 and "no file 'gone'" in ran.err


def test_dialects(run, net, tmp_path):
    assert run("summary", net, "--dialect", "nonsense").status == 2
    ran = run("summary", net, "--assume", "data=2,1,2,2", "--dialect", "ssd")
    assert ran.status == 0 and "dialect        SSD (given)" in ran.out
    net.write_text(NET + 'layer { name: "p" type: "Permute" bottom: "ip" top: "p" permute_param { order: 1 } }')
    assert "dialect        SSD (layer type Permute" in run("summary", net, "--assume", "data=2,1,2,2").out


def test_convert_with_a_dialect(run, tmp_path):
    """NVIDIA's fork keeps recurrent_param under 151, which the type alone does not tell."""
    path = tmp_path / "net.caffemodel"
    options = b"\x08\x07"  # num_output: 7
    layer = b"\x0a\x01x\x12\x04LSTM" + b"\xba\x09" + bytes([len(options)]) + options
    path.write_bytes(b"\xa2\x06" + bytes([len(layer)]) + layer)
    assert "num_output: 7" not in run("convert", path, "--as", "prototxt").out
    assert "num_output: 7" in run("convert", path, "--as", "prototxt", "--dialect", "nvcaffe").out
    assert run("convert", path, "--dialect", "nvcafe").status == 2


def test_a_net_inside_its_weights_runs_with_them(run, tmp_path, monkeypatch):
    """Without --weights: the params of the file itself, not new ones."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "n.prototxt").write_text(
        'layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: 1 dim: 1 } data_filler { value: 3 } } }\n'
        'layer { name: "ip" type: "InnerProduct" bottom: "d" top: "ip" inner_product_param { num_output: 1 '
        'weight_filler { type: "constant" value: 2 } } }\n')
    import netdef

    net = netdef.Net("n.prototxt")
    net.params["ip"][0].data[...] = 5
    net.save("n.caffemodel")
    assert "ip = 15" in run("test", "n.caffemodel", "-n", 1).out
