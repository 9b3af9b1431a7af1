"""tools/gen_conformance.py: a page from a folder of files, and --check; the committed page is up to date."""
from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "gen_conformance.py"
SPEC = importlib.util.spec_from_file_location("gen_conformance", TOOL)
gen = importlib.util.module_from_spec(SPEC)
sys.modules["gen_conformance"] = gen
SPEC.loader.exec_module(gen)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "files"
    made.mkdir()
    (made / "a.prototxt").write_text('input: "data" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4\n'
                                     'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }')
    (made / "lenet_b.prototxt").write_text(
        'layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "gone" batch_size: 2 } }\n'
        'layer { name: "p" type: "DenseCRF" bottom: "data" top: "p" dense_crf_param { max_iter: 1 } }')
    (made / "c_solver.prototxt").write_text('net: "a" base_lr: 1 lr_policy: "fixed" stepearly: 3')
    (made / "d.prototxt").write_text('item { name: "x" label: 1 }')
    return made


def test_a_page(folder, tmp_path, capsys):
    out = tmp_path / "page.md"
    assert gen.main([str(folder), "--out", str(out)]) == 0
    text = out.read_text()
    assert "| `a` | deploy or test | V2, with input fields | 1 |  |  |  | TEST | yes | all |  |" in text
    assert "PSPNet" in text and "dense_crf_param (PSPNet)" in text and "DenseCRF x1" in text
    assert "data 64x1x28x28, label 64" in text
    assert "| `c_solver` | solver |  | stepearly (SegNet) |" in text and "| `d` | label map |" in text
    assert str(tmp_path) not in text
    assert gen.main([str(folder), "--out", str(out), "--check"]) == 0
    out.write_text("by hand")
    assert gen.main([str(folder), "--out", str(out), "--check"]) == 1 and "is stale" in capsys.readouterr().err


def test_without_a_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("NETDEF_SHARED", raising=False)
    assert gen.main(["--check"]) == 0 and gen.main([str(tmp_path / "none")]) == 2


@pytest.mark.slow
def test_the_committed_page_is_up_to_date(shared):
    """In a process of its own: tests register types of theirs."""
    done = subprocess.run([sys.executable, str(TOOL), str(shared / "prototxt"), "--check"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr


def test_every_file_is_described(shared):
    """Whatever is not known here, no net has a mistake beyond fields and types of forks (and templates' numbers)."""
    rows = [gen.row(p) for p in sorted((shared / "prototxt").glob("*mnist*.prototxt"))]
    assert len(rows) > 20 and all(not s.errors for r in rows for s in r.states)
    assert all(s.whole for r in rows for s in r.states)
