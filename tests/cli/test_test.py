"""`netdef test`: Caffe's lines, and the table by class."""
from __future__ import annotations

import re

import numpy as np
import pytest

NET = """
layers:
  - points: {Data: {source: "builtin:spiral/test", batch_size: 90}, top: [data, label]}
  - score: {InnerProduct: {num_output: 3, weight_filler: {type: xavier}}, bottom: data}
  - accuracy: {Accuracy: {}, bottom: [score, label], top: [accuracy, by_class]}
  - loss: {SoftmaxWithLoss: {}, bottom: [score, label], loss_weight: 0.5}
"""


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(NET)
    return path


def test_lines_of_caffe(run, net):
    ran = run("test", net, "-n", 3, "--seed", 1)
    assert ran.status == 0, ran.err
    lines = ran.out.splitlines()
    batches = [line for line in lines if line.startswith("Batch ")]
    assert len(batches) == 3 * 5 and batches[0].startswith("Batch 0, accuracy = ")
    each = [float(line.split(" = ")[1]) for line in batches if ", loss = " in line]
    mean = next(line for line in lines if line.startswith("loss = "))
    found = re.fullmatch(r"loss = (\S+) \(\* 0\.5 = (\S+) loss\)", mean)
    assert float(found[1]) == pytest.approx(np.mean(each), rel=1e-5)
    assert float(found[2]) == pytest.approx(np.mean(each) / 2, rel=1e-5)
    assert float(next(x for x in lines if x.startswith("Loss: ")).split()[1]) == pytest.approx(np.mean(each) / 2, rel=1e-5)
    assert "Batch" not in run("test", net, "-n", 3, "--no-batches").out


def test_table_by_class(run, net, tmp_path):
    (tmp_path / "labels.txt").write_text("inner\nmiddle\nouter\n")
    ran = run("test", net, "-n", 2, "--no-batches", "--labels", tmp_path / "labels.txt", "--seed", 1)
    assert ran.status == 0, ran.err
    head, *rows = ran.out.partition("right answers by class\n")[2].splitlines()
    assert head.split() == ["class", "label", "items", "right", "accuracy"]
    cells = [row.split() for row in rows[:3]]
    assert [c[1] for c in cells] == ["inner", "middle", "outer"] and sum(int(c[2]) for c in cells) == 180
    accuracy = float(re.search(r"^accuracy = (\S+)$", ran.out, re.MULTILINE)[1])
    assert sum(int(c[3]) for c in cells) == pytest.approx(180 * accuracy, abs=1e-3)
    (tmp_path / "labels.txt").write_text("a\nb\n")
    ran = run("test", net, "--labels", tmp_path / "labels.txt")
    assert ran.status == 1 and "expected 3 labels, for the classes of layer 'accuracy', got 2" in ran.err


def test_several_weights(run, net, tmp_path):
    from netdef.runtime.net import Net

    with Net(net, seed=1) as made:
        made.params["score"][0].data[...] = 0
        made.save(tmp_path / "zero.npz")
        made.params["score"][0].data[...] = [[9, 0], [0, 9], [-9, -9]]
        made.save(tmp_path / "other.npz")
    both = run("test", net, "-n", 1, "-w", f"{tmp_path}/zero.npz,{tmp_path}/other.npz").out
    assert both == run("test", net, "-n", 1, "-w", f"{tmp_path}/other.npz").out
    assert both != run("test", net, "-n", 1, "-w", f"{tmp_path}/zero.npz").out
