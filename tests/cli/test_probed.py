"""`netdef invert`, `saliency`, `attack` and `field`, as a user types them."""
from __future__ import annotations

import re

import numpy as np
import pytest

from netdef.probe.records import own_records
from netdef.runtime.net import Net

NET = """
name: small
layers:
  - data: {Input: {shape: {dim: [1, 1, 8, 8]}}}
  - conv1: {Convolution: {num_output: 4, kernel_size: 3, weight_filler: {type: gaussian, std: 0.4}}}
  - relu1: {ReLU: {}, top: conv1}
  - pool1: {Pooling: {pool: MAX, kernel_size: 2, stride: 2}, bottom: conv1}
  - score: {InnerProduct: {num_output: 3, weight_filler: {type: gaussian, std: 0.4}}}
  - prob: {Softmax: {}}
"""
ROWS = """
layers:
  - x: {Input: {shape: {dim: [1, 6]}}}
  - ip1: {InnerProduct: {num_output: 5, weight_filler: {type: gaussian, std: 1}}}
  - s1: {Sigmoid: {}, top: ip1}
  - y: {InnerProduct: {num_output: 2, weight_filler: {type: gaussian, std: 1}}, bottom: ip1}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two nets with weights, labels, and pictures."""
    image = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    for name, text in (("net", NET), ("rows", ROWS)):
        (tmp_path / f"{name}.yaml").write_text(text)
        Net(f"{name}.yaml", seed=5).save(f"{name}.npz")
    (tmp_path / "preprocessing.yaml").write_text("scale: 0.00390625\n")
    (tmp_path / "labels.txt").write_text("ant\nbee\ncat\n")
    rng = np.random.default_rng(0)
    for name in "ab":
        image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.fixture
def ask(run, folder):
    """``ask("invert", ...)``: a command about the net of pictures; it must end well."""

    def call(command, *args):
        ran = run(command, "net.yaml", "-w", "net.npz", *args)
        assert ran.status == 0, ran.err
        return ran.out

    return call


@pytest.fixture
def fails(run, folder):
    """``fails(status, said, "invert", ...)``: a command that must end with this status and say so."""

    def call(status, said, *args):
        ran = run(*args)
        assert ran.status == status and re.search(said, ran.err), ran
        assert "Traceback" not in ran.err and "internal error" not in ran.err

    return call


def test_invert_a_class(ask, folder):
    said = ask("invert", "--target", "class=bee", "--labels", "labels.txt", "--out", "bee.png", "--animate", "bee.gif",
               "--rate", "0.1", "--tolerance", "0.1")
    assert "reached in step" in said and "wrote bee.png" in said and "as a picture of 8 bits: class 1: probability 0.9" in said
    told = float(re.search(r"8 bits: class 1: probability ([\d.]+)", said)[1])
    predicted = ask("predict", "bee.png", "--decode", "top=1")
    assert float(predicted.split()[4]) == pytest.approx(told, abs=1e-4) and predicted.split()[5] == "1"


def test_invert_the_values_of_a_picture(ask):
    said = ask("invert", "--target", "conv1=a.png", "--iterations", "200", "--out", "x.npz", "--start", "b.png", "--rate", "0.1")
    got = np.load("x.npz")
    wanted = Net("net.yaml", weights="net.npz")
    relative = float(re.search(r"relative (\S+)", said)[1])
    assert relative < 0.1 and wanted.forward(data=got["x"][None]) and wanted.blobs["conv1"].data[0] == pytest.approx(
        got["outputs"], abs=1e-4)


def test_invert_a_unit(ask):
    said = ask("invert", "--blob", "conv1", "--unit", "2,1,1", "--iterations", "20", "--seed", "1", "--out", "u.npy")
    again = ask("invert", "--blob", "conv1", "--unit", "2,1,1", "--iterations", "20", "--seed", "1", "--out", "v.npy")
    assert said.replace("u.npy", "v.npy") == again and (np.load("u.npy") == np.load("v.npy")).all()
    assert "not reached" not in said and "unit 2,1,1: value" in said


def test_invert_exactly(run, folder):
    net = Net("rows.yaml", weights="rows.npz", dtype="float64")
    y = net.forward(x=np.random.default_rng(0).standard_normal((1, 6)))["y"][0]
    ran = run("invert", "rows.yaml", "-w", "rows.npz", "--method", "exact", "--out", "x.npy", "--target",
              f"y={y[0]:.17g},{y[1]:.17g}")
    assert ran.status == 0, ran.err
    assert [line.split()[0] for line in ran.out.splitlines()[1:4]] == ["y", "s1", "ip1"]
    assert float(re.search(r"f\(x\) - wanted\|: largest (\S+),", ran.out)[1]) < 1e-9
    assert net.forward(x=np.load("x.npy")[None])["y"][0] == pytest.approx(y, abs=1e-9)


def test_saliency(ask, folder):
    image = pytest.importorskip("PIL.Image")
    said = ask("saliency", "a.png", "--method", "all", "--class", "cat", "--labels", "labels.txt", "--out", "map.png")
    assert re.search(r"a.png: class 2 cat \(probability 0.\d+\), score 'score': value", said) and "completeness" in said
    with image.open("map.png") as drawn:
        assert drawn.size == (3 * 224 + 2 * 4, 7 * 224 + 6 * 4)
    ask("saliency", "a.png", "b.png", "--out", "maps/")
    assert sorted(p.name for p in (folder / "maps").iterdir()) == ["a.png", "b.png"]
    ask("saliency", "a.png", "--blob", "conv1", "--unit", "1", "--method", "guided,smooth", "--out", "map.npz")
    assert sorted(np.load("map.npz").files) == ["guided", "smooth"] and np.load("map.npz")["guided"].shape == (1, 8, 8)


def test_attack(ask, folder):
    said = ask("attack", "a.png", "b.png", "--eps", "60", "--out", "fooled")
    assert "read again from the files: the net says the same of 2 of 2" in said
    assert sorted(p.name for p in (folder / "fooled").iterdir()) == ["a.png", "a_change.png", "b.png", "b_change.png"]
    rows = {line.split()[0]: line.split() for line in said.splitlines()[1:3]}
    predicted = ask("predict", "fooled/a.png", "--decode", "top=1").splitlines()[1].split()
    assert predicted[2] == rows["a.png"][3] and f"({predicted[1]})" == rows["a.png"][4]
    assert max(int(row[6]) for row in rows.values()) <= 60
    assert ask("attack", "a.png", "--eps", "0").splitlines()[1].split()[-1] == "held"


def test_attack_on_the_nets_own_data(run, folder):
    ran = run("attack", "builtin:lenet", "--count", "4", "--eps", "30", "--method", "fgsm", "--out", "records")
    assert ran.status == 0 and re.search(r"fgsm, linf, eps 30: of 4 pictures the net knew \d", ran.out), ran
    labels = own_records("builtin:lenet", 4)[1]
    lines = [line.split() for line in ran.out.splitlines()[1:5]]
    assert [line[-1] == "before" for line in lines] == [int(line[1]) != k for line, k in zip(lines, labels, strict=True)]
    assert len(list((folder / "records").iterdir())) == 8


def test_field(run, folder):
    table = run("field", "net.yaml").out.splitlines()
    assert table[0].split() == ["blob", "type", "an", "item", "size", "jump", "start"]
    assert [line.split()[-3:] for line in table[2:4]] == [["3", "1", "0"], ["4", "2", "0"]]
    ran = run("field", "net.yaml", "pool1,1,0", "-w", "net.npz", "--effective", "--out", "field.png")
    assert ran.out.startswith("pool1[1,0] reads rows 2 to 5 and columns 0 to 3 of 'data': 4x4 of 8x8 pixels, 1 of 1 channels")
    assert "of 16 places move the unit" in ran.out and (folder / "field.png").exists()


@pytest.mark.parametrize("status, said, args", [
    (2, "give either --target", ("invert", "--out", "x.png")),
    (2, "expected class=3 or BLOB=VALUES, got '3'", ("invert", "--target", "3", "--out", "x.png")),
    (2, "leave --blob out", ("invert", "--target", "prob=1,2,3", "--blob", "prob", "--out", "x.png")),
    (2, "expected numbers with commas", ("invert", "--target", "prob=a,b", "--out", "x.png")),
    (2, "expected noise, zeros, gray, a picture", ("invert", "--target", "class=1", "--start", "nois", "--out", "x.png")),
    (2, "asks for a maximum", ("invert", "--unit", "1", "--method", "exact", "--out", "x.png")),
    (1, "no class 3: the net knows 3", ("invert", "--target", "class=3", "--out", "x.png")),
    (1, "no class 'ant'.*--labels", ("invert", "--target", "class=ant", "--out", "x.png")),
    (1, "no blob 'conv'; did you mean 'conv1'", ("invert", "--target", "conv=a.png", "--out", "x.png")),
    (1, "expected 3 wanted values", ("invert", "--target", "prob=1,2", "--out", "x.png")),
    (1, "broken.npy: error: is no array", ("invert", "--target", "prob=broken.npy", "--out", "x.png")),
    (1, "missing.npy: error: cannot read", ("invert", "--target", "prob=missing.npy", "--out", "x.png")),
    (1, "x.jpg: error: expected a file that ends in .png", ("invert", "--target", "class=1", "--out", "x.jpg")),
    (1, "layer 'pool1' .Pooling.: has no inverse: MAX", ("invert", "--target", "class=1", "--method", "exact", "--out", "x.png")),
    (1, "c.png: error: no such picture", ("saliency", "c.png", "--out", "x.png")),
    (2, "--method: expected gradient", ("saliency", "a.png", "--method", "grad", "--out", "x.png")),
    (2, "different questions", ("saliency", "a.png", "--class", "1", "--unit", "1", "--out", "x.png")),
    (2, "expected a folder for 2 pictures", ("saliency", "a.png", "b.png", "--out", "x.png")),
    (1, "no unit 7 in a blob", ("saliency", "a.png", "--blob", "conv1", "--unit", "7", "--out", "x.png")),
    (1, "pick one of its units", ("saliency", "a.png", "--blob", "conv1", "--out", "x.png")),
    (2, "give pictures, or --count", ("attack",)),
    (1, "expected a data layer", ("attack", "--count", "3")),
    (1, "no class 9", ("attack", "a.png", "--target", "9")),
    (1, "broken.png: error: .*no picture", ("attack", "broken.png")),
    (2, "name a blob", ("field", "--effective")),
    (2, "expected BLOB, BLOB,Y,X", ("field", "conv1,a")),
    (1, "no unit 9,9 in 'conv1', which is 4x6x6", ("field", "conv1,9,9")),
])
def test_mistakes(fails, folder, status, said, args):
    (folder / "broken.npy").write_bytes(b"\x93NUMPY\x01")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    fails(status, said, args[0], "net.yaml", *args[1:], "-w", "net.npz")
    assert not (folder / "x.png").exists()


def test_out_of_range(fails):
    fails(1, r"layer 's1' \(Sigmoid\): expected wanted values within \(0, 1\), got 1.2.*--clip 0.001", "invert",
          "rows.yaml", "-w", "rows.npz", "--method", "exact", "--target", "ip1=0.5,0.5,1.2,0.5,0.5", "--out", "x.npy")
