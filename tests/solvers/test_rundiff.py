"""Where two runs first differ."""
from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from netdef import weights
from netdef.errors import NetdefError
from netdef.solvers.metrics import encode, read_metrics
from netdef.solvers.rundiff import compare_runs
from netdef.solvers.rundir import RunDirectory

TEXT = "test_iter: 1 test_interval: 2 display: 1 max_iter: 4 snapshot: 2 "


@pytest.fixture
def run(squares):
    def make(folder, text=TEXT, **options):
        with RunDirectory(squares(text, **options), folder) as run:
            run.begin([])
            run.solver.solve()
        return run.folder

    return make


def told(*args, **options):
    found = compare_runs(*args, **options)
    return found.render(), found.same


def test_the_same_run_twice(run):
    text, same = told(run("a"), run("b"))
    assert same and text.endswith("the runs are the same") and "seed: 3\n" in text and "config: same" in text
    assert "metrics: same in 8 records, up to iteration 4" in text
    assert "params: same in the snapshots of iteration 2, 4" in text


def test_config_and_seed(run, squares):
    text, same = told(run("a"), run("b", TEXT + "base_lr: 0.2", seed=4))
    assert not same and "config: 1 difference\n  solver base_lr: 0.1 and 0.2\nseed: 3 and 4" in text
    assert "metrics: first difference at iteration 0, test net 0:\n  loss: " in text
    assert "params: first difference at iteration 2: ip[0]: 6 of 6 values differ, most at (" in text


def test_fields_of_layers_go_by_the_layers_name(run):
    a, b = run("a"), run("b")
    net = Path(b, "net.prototxt")
    net.write_text(net.read_text().replace("std: 0.5", "std: 0.25").replace('name: "squares"', 'name: "other"'))
    text, same = told(a, b)
    assert not same
    assert "  layer 'ip' inner_product_param.weight_filler.std: 0.5 and 0.25" in text and "1 difference\n" in text


def test_the_first_iteration_and_output(run):
    a, b = run("a"), run("b")
    records = read_metrics(b / "metrics.jsonl")
    at = next(i for i, r in enumerate(records) if r["kind"] == "train" and r["iter"] == 3)
    records[at]["outputs"]["loss"] *= 1 + 1e-4
    (b / "metrics.jsonl").write_bytes(b"".join(map(encode, records)))
    text, same = told(a, b)
    assert not same and "first difference at iteration 3, train net:\n  loss: " in text and "1 of 8 records differ" in text
    assert "(0.0001 of the larger)" in text
    assert told(a, b, tolerance=1e-3)[1] and not told(a, b, tolerance=1e-5)[1]


def test_the_first_param_in_net_order(run):
    a, b = run("a"), run("b")
    path = b / "squares_iter_4.caffemodel"
    found = weights.read(path)
    w, bias = (array.copy() for array in found.layers["ip"])
    bias[1] += np.float32(0.5)
    w[1, 2] = np.nan
    weights.write(path, [("ip", "InnerProduct", [w, bias])])
    text, same = told(a, b)
    assert not same and "params: first difference at iteration 4: ip[0]: 1 of 6 values differ, most at (1, 2): " in text
    weights.write(path, [("ip", "InnerProduct", [found.layers["ip"][0], bias])])
    assert "iteration 4: ip[1]: 1 of 2 values differ, most at (1): " in told(a, b)[0]
    assert told(a, b, tolerance=10.0)[1]
    weights.write(path, [("ip", "InnerProduct", [found.layers["ip"][0]])])
    assert "layer 'ip' has 2 params and 1" in told(a, b)[0]


def test_what_only_one_has_does_not_count(run):
    a, b = run("a"), run("b")
    lines = (b / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (b / "metrics.jsonl").write_bytes(b"".join(lines[:4]))
    text, same = told(a, b)
    assert same and "only A goes on after iteration" in text
    text, same = told(a / "metrics.jsonl", b)
    assert same and f"not recorded for {a}" in text and "params" not in text


def test_nan_is_equal_to_nan_alone(tmp_path):
    def metrics(name, value):
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(encode({"kind": "train", "iter": 1, "loss": value, "outputs": {}}))
        return path

    nan, one = metrics("a", float("nan")), metrics("b", 1.0)
    assert told(nan, nan)[1] and not told(nan, one)[1] and not told(one, nan, tolerance=0.5)[1]


def test_nothing_in_common(tmp_path, run):
    a, b = run("a"), run("b", "display: 1 max_iter: 2")
    (b / "metrics.jsonl").write_bytes(encode({"kind": "train", "iter": 9}))
    text, _ = told(a, b)
    assert "no display or test at a common iteration" in text
    shutil.rmtree(b)
    with pytest.raises(NetdefError):
        compare_runs(a, b)
