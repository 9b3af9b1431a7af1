"""Answers as tables and as plain values."""
from __future__ import annotations

import json

import numpy as np

from netdef.predict.result import Box, Guess, Prediction
from netdef.predict.show import predictions_table


def test_classes():
    answers = [Prediction("a.png", "classify", {}, (Guess(1, 0.75, "cat"), Guess(0, 0.25))), Prediction("b.png", "classify", {})]
    assert predictions_table(answers).splitlines() == [
        "input   score  class", "a.png  0.7500  cat", "       0.2500  0", "b.png       -  -"]


def test_boxes():
    answers = [Prediction("a.png", "detect", {}, boxes=(Box(1, 0.5, (1.0, 2.25, 30.0, 4.0)), Box(0, 0.5, (0.1, 0.2, 1.0, 1.0))))]
    assert predictions_table(answers).splitlines()[1:] == [
        "a.png  0.5000  1        1.0    2.2   30.0     4.0", "       0.5000  0      0.100  0.200  1.000   1.000"]


def test_numbers():
    answers = [Prediction("a", "regress", {"y": np.array([0.5, 2], np.float32), "z": np.arange(10.0)})]
    assert predictions_table(answers).splitlines()[1:] == ["a      y       0.5 2", "       z       0 1 2 3 4 5 6 7 ... (10)"]
    raw = predictions_table([Prediction("a", "raw", {"m": np.array([[1.0, 3.0]])})])
    assert raw.splitlines()[1].split() == ["a", "m", "1x2", "1", "2", "3", "1", "3"]
    assert predictions_table([]) == ""


def test_json():
    made = Prediction("a", "raw", {"m": np.array([[0.1, np.inf], [np.nan, 2]], np.float32)}).as_dict()
    assert json.loads(json.dumps(made)) == {"input": "a", "task": "raw", "outputs": {"m": [[0.1, None], [None, 2.0]]}}
