"""Counts by class over several passes."""
from __future__ import annotations

import numpy as np

from netdef.runtime.net import Net
from netdef.solvers.perclass import PerClass

NET = """
layers:
  - in: {{Input: {{shape: [{{dim: [4, {classes}]}}, {{dim: 4}}]}}, top: [score, label]}}
  - accuracy: {{Accuracy: {{ignore_label: 9}}, bottom: [score, label], top: [accuracy, by_class]}}
"""


def counted(tmp_path, classes, *passes):
    (tmp_path / "net.yaml").write_text(NET.format(classes=classes))
    net = Net(tmp_path / "net.yaml")
    counts = PerClass(net)
    with net.hooks.added(after_forward=counts.seen):
        for guesses, labels in passes:
            net.forward(score=np.eye(classes)[guesses], label=labels)
    return counts


def test_over_all_items(tmp_path):
    """A class that a batch has no item of does not count as wrong there."""
    counts = counted(tmp_path, 3, ([0, 0, 1, 1], [0, 0, 0, 1]), ([1, 1, 2, 0], [1, 1, 9, 1]))
    assert counts.items["accuracy"].tolist() == [3, 4, 0] and counts.right["accuracy"].tolist() == [2, 3, 0]
    assert counts.text("accuracy").splitlines() == [
        "layer 'accuracy', right answers by class", "class  items  right  accuracy", "    0      3      2    0.6667",
        "    1      4      3    0.7500", "    2      0      0         -", "mean of the classes: 0.7083"]


def test_of_many_classes_the_worst(tmp_path):
    text = counted(tmp_path, 80, ([0, 0, 77, 70], [0, 0, 76, 70])).text("accuracy", [f"c{i}" for i in range(80)])
    lines = text.splitlines()
    assert lines[0].endswith("the worst 50 of 80 classes") and lines[2].split() == ["76", "c76", "1", "0", "0.0000"]
    assert len(lines) == 2 + 50 + 1
