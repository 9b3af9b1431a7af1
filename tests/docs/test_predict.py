"""docs/predict.md: its worked example is what the command prints."""
from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from netdef import Predictor, Preprocessing
from netdef.predict.steps import worked

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "predict.md").read_text(encoding="utf-8")
NET = ROOT / "docs" / "predict" / "worked.yaml"


def test_steps():
    block = re.search(r"<!-- steps -->\n\n(.*?)\nSums and blobs", TEXT, re.DOTALL)
    predictor = Predictor(NET, keep="all")
    assert worked(predictor.net, {"x": np.array([[0.3, 0.5]])}) == textwrap.dedent(block[1]).strip()


def test_numbers(caplog):
    answers = [json.loads(line) for line in re.findall(r'^    (\{"input".*)$', TEXT, re.MULTILINE)]
    predictor = Predictor(NET)
    for answer, x in zip(answers, ([0.3, 0.5], [1, 2]), strict=True):
        assert predictor.values(x=x).outputs["y"] == pytest.approx(answer["outputs"]["y"], rel=1e-6)
    assert "without weights" not in caplog.text  # they are written down in the net


def test_the_file_of_the_page_is_one(tmp_path):
    (tmp_path / "preprocessing.yaml").write_text(re.search(r"```yaml\n(name: caffenet.*?)```", TEXT, re.DOTALL)[1])
    np.save(tmp_path / "ilsvrc_2012_mean.npy", np.zeros((3, 256, 256)))
    (tmp_path / "synset_words.txt").write_text("n01440764 tench\n")
    found = Preprocessing.load(tmp_path / "preprocessing.yaml")
    assert (found.name, found.resize, found.crop_size) == ("caffenet", (256, 256), 227)
