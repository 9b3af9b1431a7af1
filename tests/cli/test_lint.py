"""``netdef lint`` as a user runs it."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

BAD = '''layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "builtin:spiral/train" batch_size: 9 } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" inner_product_param { num_output: 3 %s } }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" }
'''


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(BAD % "")
    return path


def test_text(run, bad):
    ran = run("lint", bad)
    assert ran.status == 1 and ran.err == ""
    head, line, caret, why, do = ran.out.splitlines()[:5]
    assert head.startswith(f"{bad}:2:68: warning: zero-weights: layer 'ip1' (InnerProduct): its weights begin at 0")
    assert line.strip() == BAD.splitlines()[1].replace("%s ", " ") and set(caret.strip()) <= {"^", "~"}
    assert why.startswith("    why: ") and do.startswith("    do:  ")
    assert ran.out.splitlines()[-1] == "1 file: 2 warnings"


def test_json(run, bad):
    ran = run("lint", "--json", bad)
    report = json.loads(ran.out)
    assert ran.status == 1 and not report["ok"] and report["files"] == [str(bad)]
    assert {f["rule"] for f in report["findings"]} == {"zero-weights", "linear-pair"}
    assert all(f["line"] in (2, 3) and f["why"] and f["do"] for f in report["findings"])


def test_ignore_and_only(run, bad):
    assert run("lint", bad, "--ignore", "zero-weights", "--ignore", "linear-pair").out == "1 file: nothing found\n"
    assert run("lint", bad, "--only", "zero-weights").out.splitlines()[-1] == "1 file: 1 warning"
    ran = run("lint", bad, "--ignore", "zero-weight")
    assert ran.status == 2 and "no rule 'zero-weight'; did you mean 'zero-weights'?" in ran.err


def test_notes_do_not_count(run, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(BAD.replace("3 %s", '3 weight_filler { type: "xavier" } bias_term: false bias_filler { value: 1 }').replace(
        'layer { name: "ip2" type: "InnerProduct"', 'layer { name: "r" type: "ReLU" bottom: "ip1" top: "ip1" }\n'
        'layer { name: "ip2" type: "InnerProduct"'))
    ran = run("lint", path)
    assert ran.status == 0 and ran.out.splitlines()[-1] == "1 file: 1 note"


def test_rules(run):
    ran = run("lint", "--rules")
    assert ran.status == 0 and "zero-weights (warning)" in ran.out
    rules = json.loads(run("lint", "--rules", "--json").out)
    assert len(rules) >= 15 and all(r["why"] and r["severity"] in ("error", "warning", "note") for r in rules)


def test_wrong_use(run, tmp_path):
    assert run("lint").status == 2
    ran = run("lint", tmp_path / "nte.prototxt")
    assert ran.status == 1 and "no file" in ran.err
    (tmp_path / "cut.prototxt").write_text('layer { name: "x')
    ran = run("lint", tmp_path / "cut.prototxt")
    assert ran.status == 1 and "cut.prototxt:1:15: error: this string has no closing quote" in ran.err
    (tmp_path / "empty.prototxt").write_text("")
    assert "the file is empty" in run("lint", tmp_path / "empty.prototxt").err


def test_mistakes_are_listed_with_the_rest(run, bad):
    bad.write_text(BAD.replace("3 %s", "3 num_outptu: 4"))
    ran = run("lint", bad)
    assert ran.status == 1 and "error: config: layer 'ip1' (InnerProduct): no field 'num_outptu'" in ran.out
    assert "do:  did you mean 'num_output'?" in ran.out


def test_a_solver_and_its_net(run, bad):
    solver = bad.parent / "solver.prototxt"
    solver.write_text('net: "net.prototxt"\nbase_lr: 0\nlr_policy: "fixed"\nmax_iter: 9\n')
    ran = run("lint", solver)
    assert f"{solver}:2:10: error: nothing-moves" in ran.out and "zero-weights" in ran.out
    assert ran.out.splitlines()[-1] == "2 files: 1 error, 2 warnings"
    solver.write_text(solver.read_text().replace("net.prototxt", "nte.prototxt"))
    ran = run("lint", solver)
    assert ran.status == 1 and "error: config: no file 'nte.prototxt'" in ran.out and "nothing-moves" in ran.out


def test_many_findings_are_cut(run, tmp_path):
    lines = "".join(f'layer {{ name: "ip{i}" type: "InnerProduct" bottom: "data" top: "ip{i}" inner_product_param {{ '
                    f'num_output: 3 weight_filler {{ type: "xavier" std: 1 }} }} }}\n' for i in range(9))
    (tmp_path / "n.prototxt").write_text('layer { name: "d" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 } } }\n'
                                         + lines)
    ran = run("lint", tmp_path / "n.prototxt")
    assert ran.out.count("why:") == 5 and "and 4 more of filler-field-ignored" in ran.out
    assert run("lint", tmp_path / "n.prototxt", "--only", "filler-field-ignored").out.count("why:") == 9


def test_nothing_runs(run, bad, monkeypatch):
    from netdef.runtime.net import Net

    monkeypatch.setattr(Net, "forward", None)
    monkeypatch.chdir(bad.parent)
    run("lint", bad)
    assert [p.name for p in Path(".").iterdir()] == ["net.prototxt"]
