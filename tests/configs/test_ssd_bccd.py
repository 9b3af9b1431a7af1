"""The detector of configs/ssd_bccd: trained for two iterations on a tiny folder of its kind, resumed, and tested."""
from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import netdef

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "ssd_bccd"
OVERRIDES = ["net=cells.yaml", "max_iter=2", "test_interval=2", "test_iter=1", "display=1", "random_seed=3", "snapshot=1",
             "snapshot_keep=0", "snapshot_prefix=run"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A net over three pictures with a disc each (and one with two), where the tests run."""
    image = pytest.importorskip("PIL.Image")
    home = tmp_path / "Cells"
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (home / part).mkdir(parents=True)
    rows, columns = np.mgrid[:120, :160]
    for i, discs in enumerate([[("WBC", 60, 60, 25)], [("RBC", 40, 50, 12)], [("Platelets", 90, 30, 5), ("RBC", 30, 80, 12)]]):
        pixels = np.full((120, 160, 3), 220, np.uint8)
        things = ""
        for name, x, y, r in discs:
            pixels[(columns - x) ** 2 + (rows - y) ** 2 < r * r] = (180, 80, 120)
            things += (f"<object><name>{name}</name><difficult>0</difficult><bndbox><xmin>{x - r}</xmin><ymin>{y - r}</ymin>"
                       f"<xmax>{x + r}</xmax><ymax>{y + r}</ymax></bndbox></object>")
        image.fromarray(pixels).save(home / "JPEGImages" / f"{i}.jpg")
        (home / "Annotations" / f"{i}.xml").write_text(
            f"<annotation><size><width>160</width><height>120</height></size>{things}</annotation>")
    for split, names in (("train", "0\n1\n2\n"), ("val", "1\n2\n")):
        (home / "ImageSets/Main" / f"{split}.txt").write_text(names)
    (tmp_path / "cells.yaml").write_text(f"base: {CONFIG / 'net.yaml'}\nlet: {{folder: Cells, batch: 2, test_batch: 2}}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_trains_tests_and_resumes(folder):
    with netdef.Solver(CONFIG / "solver.yaml", overrides=OVERRIDES) as solver:
        assert solver.net.blobs["data"].shape == (2, 3, 160, 208) and solver.net.blobs["places"].shape == (2, 20_800)
        before = {name: params[0].data.copy() for name, params in solver.net.params.items()}
        solver.step(1)
        solver.snapshot()
        solver.step(1)
        assert math.isfinite(solver.smoothed_loss)
        after = {name: params[0].data.copy() for name, params in solver.net.params.items()}
        assert all((after[name] != before[name]).any() for name in before)
        names = [o.name for o in solver.test_all()[0].outputs]
        assert names == ["mAP", "mAP_class1", "mAP_class2", "mAP_class3"]
    with netdef.Solver(CONFIG / "solver.yaml", overrides=OVERRIDES) as again:
        again.restore("run_iter_1.solverstate")
        again.step(1)
        assert all(np.array_equal(params[0].data, after[name]) for name, params in again.net.params.items())


def test_the_folder_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(netdef.errors.NetdefError, match="source: no file 'BCCD': tried"):
        netdef.Solver(CONFIG / "solver.yaml")


def test_figures():
    """The README's number of params is the net's."""
    from netdef.graph.build import build
    from netdef.graph.standin import Assumptions

    plan = build(CONFIG / "net.yaml", "TEST", assume=Assumptions({}))
    count = sum(math.prod(p.init.shape) for p in plan.params if p.init.learns)
    assert f"{count:,}" in (CONFIG / "README.md").read_text(encoding="utf-8")
    assert f"| {count:,} |" in (CONFIG.parent / "README.md").read_text(encoding="utf-8")
