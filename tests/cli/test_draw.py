"""`netdef draw`: formats, names, phases, and what it says about bad input."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

TEST_ONLY = """
layer { name: "in" type: "Input" top: "x" include { phase: TEST } input_param { shape { dim: 2 dim: 3 } } }
layer { name: "r" type: "ReLU" bottom: "x" top: "y" }
"""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_default_name(run, model):
    ran = run("draw", "builtin:lenet")
    assert (ran.status, ran.out, ran.err) == (0, "wrote lenet.svg: 9 layers, phase TRAIN\n", "")
    assert Path("lenet.svg").read_text().startswith("<svg")
    assert run("draw", model("logreg") / "net.yaml").out.startswith("wrote net.svg")


def test_formats_and_options(run):
    pytest.importorskip("matplotlib")
    assert run("draw", "builtin:lenet", "--out", "a.png", "--phase", "test").out == "wrote a.png: 10 layers, phase TEST\n"
    assert Path("a.png").read_bytes()[1:4] == b"PNG"
    assert run("draw", "builtin:lenet", "--out", "a.dot", "--rankdir", "LR", "--in-place", "apart").status == 0
    assert "rankdir=LR" in Path("a.dot").read_text() and '[label="relu1: ReLU"' in Path("a.dot").read_text()
    ran = run("draw", "builtin:lenet", "--out", "-", "--costs", "--phase", "TEST", "--splits")
    assert ran.out.startswith("<svg") and ran.out.endswith("</svg>\n")
    assert "400k params, " in ran.out and "ip2_ip2_0_split_1" in ran.out
    assert "64x20x24x24" not in run("draw", "builtin:lenet", "--out", "-", "--no-shapes").out.split("<path")[0]


def test_without_data_here(run):
    Path("n.prototxt").write_text("""
        layer { name: "d" type: "Data" top: "data" data_param { source: "nowhere" batch_size: 2 } }
        layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 4 kernel_size: 3 } }""")
    assert "makes" not in run("draw", "n.prototxt", "--out", "-").out.split("c (Convolution)")[-1]
    assert "makes 2x4x6x6" in run("draw", "n.prototxt", "--out", "-", "--assume", "data=2,3,8,8").out
    ran = run("draw", "n.prototxt", "--assume", "dta=2,3,8,8")
    assert ran.status == 2 and "did you mean 'data'?" in ran.err


def test_the_phase_that_is_whole(run):
    Path("n.prototxt").write_text(TEST_ONLY)
    assert run("draw", "n.prototxt").out == "wrote n.svg: 2 layers, phase TEST\n"
    ran = run("draw", "n.prototxt", "--phase", "TRAIN")
    assert ran.status == 1 and "bottom 'x'" in ran.err


def test_mistakes_are_counted(run):
    Path("n.prototxt").write_text(TEST_ONLY.replace("bottom:", "bottum: 1 bottom:"))
    ran = run("draw", "n.prototxt")
    assert ran.status == 0 and ran.err.startswith("drawn with 1 mistake set aside") and "did you mean 'bottom'?" in ran.err


def test_bad_input(run):
    Path("broken.prototxt").write_text("layer {")
    Path("empty.prototxt").write_text("")
    Path("folder.svg").mkdir()
    for arguments, status, said in [
        (("nothing.prototxt",), 1, "no file 'nothing.prototxt'"),
        (("broken.prototxt",), 1, "broken.prototxt:1:7: error: this '{' is never closed"),
        (("empty.prototxt",), 1, "the file is empty"),
        (("builtin:lenet", "--out", "a.pdf"), 1, "cannot draw 'a.pdf': expected a name that ends in .svg, .png, .dot, .gv"),
        (("builtin:lenet", "--out", "no/folder/a.svg"), 1, "no/folder/a.svg: error: cannot write"),
        (("builtin:lenet", "--out", "folder.svg"), 1, "it is a folder"),
        (("builtin:lenet", "--rankdir", "up"), 2, "'up' is not one of"),
    ]:
        ran = run("draw", *arguments)
        assert ran.status == status and said in ran.err, arguments
    assert not [p for p in os.listdir() if p.endswith(".tmp")]


def test_the_old_picture_stays_where_the_new_one_fails(run, monkeypatch):
    Path("n.png").write_text("old")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    ran = run("draw", "builtin:lenet", "--out", "n.png")
    assert ran.status == 1 and "pip install 'netdef[plot]'" in ran.err and Path("n.png").read_text() == "old"
