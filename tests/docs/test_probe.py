"""docs/probe.md: its outputs, tables and pictures are those of tools/gen_probe.py, its example runs, its claims hold."""
from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from netdef.probe.field import Fields
from netdef.probe.inverses import TABLE
from netdef.probe.subject import Probe
from netdef.runtime.net import Net

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "probe.md"
TEXT = PAGE.read_text(encoding="utf-8")
SPEC = importlib.util.spec_from_file_location("gen_probe", ROOT / "tools" / "gen_probe.py")
gen = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gen)
BLOCKS = {m["options"].strip() or m["body"].splitlines()[0]: m["body"] for m in gen.gen_gradients.BLOCK.finditer(TEXT)}


def rows(name):
    """The cells of a table of the page, without its head."""
    return [re.split(r"\s{2,}", line.strip()) for line in BLOCKS[name].splitlines()[1:]]


def test_every_block_is_known_and_filled():
    assert {n for n in BLOCKS if not n.startswith("$")} == set(gen.NUMBERS)
    assert all(len(body.splitlines()) > 1 for body in BLOCKS.values())
    assert TEXT.count("$ netdef") == sum(n.startswith("$") for n in BLOCKS)
    assert set(re.findall(r"\]\(probe/(\w+\.png)\)", TEXT)) == set(gen.PICTURES)


def test_what_is_said_of_the_net():
    net = Net(gen.NET, weights=gen.WEIGHTS)
    assert f"{sum(blob.count for blobs in net.params.values() for blob in blobs):,} numbers" in TEXT
    right = 0
    for _ in range(20):
        right += float(net.forward()["accuracy"]) / 20
    assert f"{100 * right:.1f} %" in TEXT


def test_the_table_of_inverses():
    listed = {name: how for how, names in rows("inverses") for name in names.split(", ")}
    assert set(listed) == set(TABLE)
    assert gen.alike(BLOCKS["inverses"], gen.inverse_table())


def test_residuals():
    """Exact inversion is right to rounding; the search gets near; and what the page says is so."""
    for _, _, method, largest, relative in rows("residuals"):
        if method == "exact":
            assert float(largest) < 1e-10 and float(relative) < 1e-10
        else:
            assert float(relative) < 0.05
    assert [r[0].split()[0] for r in rows("residuals")[2::3]] == ["relu1", "relu2", "score", "prob"]


def test_the_large_net():
    """What was measured by hand is within what the slow test wants."""
    ends = re.search(r"\| end to end \| \| 47 s \| (\S+) \(largest (\S+)\) \|", TEXT)
    assert float(ends[1]) < 1e-8 and float(ends[2]) < 1e-8
    assert "test_10000_units" in TEXT and "def test_10000_units" in (ROOT / "tests/probe/test_exact.py").read_text()


def test_completeness_and_attacks_go_the_right_way():
    gaps = [abs(float(r[-1])) for r in rows("completeness")]
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] < 0.01
    by_norm = {norm: [r for r in rows("attacks") if r[0] == norm] for norm in ("linf", "l2")}
    for found in by_norm.values():
        assert all(int(fgsm) <= int(pgd) for _, _, fgsm, pgd, _ in found)
        assert [int(r[3]) for r in found] == sorted(int(r[3]) for r in found)


def test_fields():
    assert str(Fields(str(gen.NET))).splitlines() == [
        line for line in BLOCKS["$ netdef -q field docs/probe/digits.yaml"].splitlines()[1:]]


def test_the_search_that_is_shown():
    body = next(b for n, b in BLOCKS.items() if "--target class=3" in n)
    shown = float(re.search(r"8 bits: class 3: probability ([\d.]+)", body)[1])
    assert 0.98 < shown < 1 and Probe(str(gen.NET), str(gen.WEIGHTS)).classes == 10


def test_the_example_in_python(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    code = re.search(r"```python\n(.*?)```", TEXT, re.S)[1]
    exec(compile(code, "docs/probe.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and float(lines[0].split()[0]) < 1e-3 and float(lines[3]) < 1e-12
    assert lines[4] == "((12, 19), (12, 19))"


@pytest.mark.slow
def test_the_page_and_its_pictures_are_up_to_date(capsys):
    assert gen.main(["--check"]) == 0, capsys.readouterr().err


def test_alike():
    assert gen.alike("p 0.9512, 12.34 s, 1e-15", "p 0.9513, 99.99 s, 3e-12")
    assert not gen.alike("p 0.95", "p 0.85") and not gen.alike("fooled", "held") and not gen.alike("1e-5", "2e-5")


def test_a_stale_picture_is_noticed(monkeypatch, tmp_path):
    shutil.copytree(gen.FOLDER, tmp_path / "probe")
    monkeypatch.setattr(gen, "FOLDER", tmp_path / "probe")
    monkeypatch.setattr(gen, "PICTURES", {"field.png": gen.field_picture})
    assert gen.drawn(write=False) == []
    pixels = 255 - gen.field_picture()
    gen.write_picture(tmp_path / "probe" / "field.png", pixels)
    assert gen.drawn(write=False) == ["field.png"]
    assert gen.drawn(write=True) == ["field.png"] and gen.drawn(write=False) == []
    assert not np.array_equal(pixels, gen.field_picture())
