"""`netdef predict` and `netdef extract`, as a user types them."""
from __future__ import annotations

import io
import json

import numpy as np
import pytest

from netdef.runtime.net import Net

NET = """
name: tiny
layers:
  - data: {Input: {shape: {dim: [1, 3, 4, 4]}}}
  - mean: {Pooling: {pool: AVE, global_pooling: true}}
  - score: {InnerProduct: {num_output: 3}}
  - prob: {Softmax: {}}
"""
ROWS = """
layers:
  - x: {Input: {shape: {dim: [1, 2]}}}
  - y: {InnerProduct: {num_output: 1, weight_filler: {type: constant, value: 2}}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in: a net, its weights, labels and two pictures."""
    image = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(NET)
    (tmp_path / "rows.yaml").write_text(ROWS)
    made = Net("net.yaml")
    made.params["score"][0].data[...] = np.eye(3) * 0.01
    made.params["score"][1].data[...] = 0
    made.save("w.npz")
    (tmp_path / "labels.txt").write_text("n01 blue\nn02 green\nn03 red\n")
    for name, colour in (("blue", (0, 0, 200)), ("red", (200, 0, 0))):
        image.fromarray(np.full((40, 60, 3), colour, np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


def test_a_table(run, folder):
    ran = run("predict", "net.yaml", "-w", "w.npz", "--labels", "labels.txt", "--decode", "top=1", "blue.png", "red.png")
    assert ran.status == 0, ran.err
    assert ran.out.splitlines() == ["input      score  class", "blue.png  0.7870  n01 blue", "red.png   0.7870  n03 red"]


def test_json(run, folder):
    options = ("predict", "net.yaml", "-w", "w.npz", "--decode", "cumulative=0.8", "blue.png", "red.png", "--format")
    listed = json.loads(run(*options, "json").out)
    assert [a["input"] for a in listed] == ["blue.png", "red.png"]
    assert [c["index"] for c in listed[0]["classes"]] == [0, 1]
    assert [json.loads(line) for line in run(*options, "jsonl").out.splitlines()] == listed


def test_preprocessing_is_shown_saved_and_found(run, folder):
    ran = run("predict", "net.yaml", "--channels", "rgb", "--scale", "0.5,1,1", "--show-preprocessing",
              "--save-preprocessing", "preprocessing.yaml")
    assert ran.status == 0, ran.err
    assert ran.out.endswith("# changed: channel_order, scale\nchannel_order: RGB\nscale: [0.5, 1, 1]\n")
    ran = run("predict", "net.yaml", "-w", "w.npz", "red.png", "--decode", "top=1", "--show-preprocessing")
    assert "channel_order: RGB" in ran.out and ran.out.endswith("red.png  0.5761  0\n")
    (folder / "preprocessing.yaml").write_text("chanel_order: RGB")
    ran = run("predict", "net.yaml", "-w", "w.npz", "red.png")
    assert ran.status == 1 and "preprocessing.yaml:1:1: error: no field 'chanel_order'" in ran.err
    assert "did you mean 'channel_order'?" in ran.err


def test_drawn(run, folder):
    command = ("predict", "net.yaml", "-w", "w.npz", "blue.png")
    assert run(*command, "--annotate", "out.png").status == 0
    assert (folder / "out.png").exists()
    assert run(*command, "red.png", "--annotate", "drawn").status == 0
    assert sorted(p.name for p in (folder / "drawn").iterdir()) == ["blue.png", "red.png"]
    ran = run(*command, "red.png", "--annotate", "both.png")
    assert ran.status == 1 and "expected a folder for 2 pictures" in ran.err
    ran = run(*command, "--annotate", "out.txt")
    assert ran.status == 1 and "expected a file that ends in .png" in ran.err
    assert run("predict", "rows.yaml", "--input", "1,2", "--annotate", "a.png").status == 2


def test_numbers(run, folder, monkeypatch):
    ran = run("predict", "rows.yaml", "--input", "x=1,2,3,4")
    assert [line.split() for line in ran.out.splitlines()[1:]] == [["input", "1", "y", "6"], ["input", "2", "y", "14"]]
    (folder / "r.csv").write_text("a,b\n1,2\n3,oops\n")
    ran = run("predict", "rows.yaml", "--csv", "r.csv", "--format", "jsonl")
    assert ran.status == 1 and json.loads(ran.out)["outputs"] == {"y": [6.0]}  # what came before the mistake
    assert "r.csv:3: error: expected a number, value 2 is 'oops'" in ran.err
    monkeypatch.setattr("sys.stdin", io.StringIO("[1, 1]\n"))
    assert json.loads(run("predict", "rows.yaml", "-", "--format", "jsonl").out)["outputs"] == {"y": [4.0]}
    np.savez("r.npz", x=np.ones((2, 2)))
    assert run("predict", "rows.yaml", "--npz", "r.npz").out.count(" 4\n") == 2


def test_steps(run, folder):
    ran = run("predict", "rows.yaml", "--input", "1,2", "--steps")
    assert "  y[0] = 2*1 + 2*2 + 0 = 6\n" in ran.out
    ran = run("predict", "rows.yaml", "--input", "1,2,3,4", "--steps")
    assert ran.status == 1 and "--steps: expected one input, got several" in ran.err


def test_a_train_net_from_start_to_end(run, folder):
    command = ("train", "builtin:logreg", "--set", "max_iter=60", "--set", "test_interval=60", "--set", "test_iter=1", "--set",
               "random_seed=1", "--set", "snapshot_prefix=digits")
    assert run(*command).status == 0
    from PIL import Image

    from netdef.data import open as open_source

    with_labels = open_source("builtin:mnist10k/test")
    for i in range(5):
        pixels, label = with_labels.record(i)
        Image.fromarray(pixels[0]).save(folder / f"{label}_{i}.png")
    digits = sorted(p.name for p in folder.glob("?_?.png"))
    ran = run("predict", "builtin:logreg", "-w", "digits_iter_60.caffemodel", *digits, "--format", "json", "--decode", "top=1")
    assert ran.status == 0, ran.err
    right = [a["input"][0] == str(a["classes"][0]["index"]) for a in json.loads(ran.out)]
    assert sum(right) >= 4
    alone = run("predict", "digits_iter_60.caffemodel", *digits, "--format", "json", "--decode", "top=1")
    assert json.loads(alone.out) == json.loads(ran.out)


@pytest.mark.parametrize("arguments, status, error", [
    (("net.yaml",), 2, "nothing to look at"), (("net.yaml", "a.png", "--csv", "b"), 2, "are different inputs: give one"),
    (("net.yaml", "blu.png"), 1, "blu.png: error: no such picture; did you mean 'blue.png'?"),
    (("net.yml", "blue.png"), 1, "did you mean 'net.yaml'?"), (("net.yaml", "blue.png", "--resize", "x3"), 2, "240x320"),
    (("net.yaml", "blue.png", "--mean", "1,b"), 2, "expected numbers with commas"),
    (("net.yaml", "blue.png", "--mean", "1,2"), 1, "mean_value: expected 1 number or 3"),
    (("net.yaml", "blue.png", "--labels", "blue.png"), 1, "no text in UTF-8"),
    (("net.yaml", "blue.png", "--decode", "top=x"), 1, "decode: top: expected a whole number"),
    (("net.yaml", "net.yaml"), 1, "bytes are no picture that can be read"),
    (("net.yaml", "blue.png", "-w", "none.npz"), 1, "none.npz"),
    (("net.yaml", "blue.png", "--mean-file", "m.npy"), 1, "m.npy: error: cannot read"),
    (("net.yaml", "blue.png", "--keep-size", "--shorter-side", "5"), 1, "shorter_side and keep_size exclude each other"),
    (("rows.yaml", "blue.png"), 1, "expected one input for pictures"),
])
def test_mistakes(run, folder, arguments, status, error):
    ran = run("predict", *arguments)
    assert ran.status == status
    assert error in ran.err and "Traceback" not in ran.err and "internal error" not in ran.err


def test_extract(run, folder):
    ran = run("extract", "net.yaml", "-w", "w.npz", "--blob", "mean,prob", "blue.png", "red.png", "--out", "f.npz")
    assert ran.status == 0, ran.err
    assert ran.out.splitlines() == ["mean  2x3x1x1", "prob  2x3", "files  2", "wrote f.npz"]
    with np.load("f.npz") as found:
        assert found["mean"].reshape(2, 3).tolist() == [[200, 0, 0], [0, 0, 200]]
    ran = run("extract", "builtin:logreg", "--blob", "score", "--count", "7", "--out", "own.npz")
    assert ran.out.splitlines() == ["score  7x10", "labels  7", "records  7", "wrote own.npz"]


@pytest.mark.parametrize("arguments, status, error", [
    (("--blob", "prob"), 2, "or --count N"), (("--blob", "prob", "blue.png", "--count", "3"), 2, "or --count N"),
    (("--blob", "pro", "blue.png"), 1, "did you mean 'prob'"), (("--blob", "prob", "--count", "3"), 1, "no data layer"),
    (("--blob", "prob", "blue.png", "red.txt"), 1, "no such picture"),
])
def test_extract_mistakes(run, folder, arguments, status, error):
    ran = run("extract", "net.yaml", "-w", "w.npz", "--out", "f.npz", *arguments)
    assert ran.status == status and error in ran.err
    assert not (folder / "f.npz").exists()
