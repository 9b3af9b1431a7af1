"""Logs as text: Caffe's real ones, and netdef's, which must say what the metrics say."""
from __future__ import annotations

import math

import pytest

from netdef.errors import NetdefError
from netdef.solvers.log import lines
from netdef.solvers.logfile import is_log, read_log
from netdef.solvers.metrics import Metrics, read_metrics

CAFFE = """\
I1231 23:59:59.000000  4993 solver.cpp:347] Iteration 0, Testing net (#0)
I1231 23:59:59.500000  4993 solver.cpp:414]     Test net output #0: accuracy = 0.25
I1231 23:59:59.500000  4993 solver.cpp:414]     Test net output #1: loss = 1.5 (* 0.5 = 0.75 loss)
I0101 00:00:01.000000  4993 solver.cpp:347] Iteration 0, Testing net (#1)
I0101 00:00:01.000000  4993 solver.cpp:414]     Test net output #0: each = 1
I0101 00:00:01.000000  4993 solver.cpp:414]     Test net output #1: each = 2
I0101 00:00:02.000000  4993 solver.cpp:239] Iteration 0 (-nan iter/s, 0.002s/2 iters), loss = 1.4293
I0101 00:00:02.000000  4993 solver.cpp:258]     Train net output #0: a = 1.0 (* 1 = 1.0 loss)
I0101 00:00:02.000000  4993 solver.cpp:258]     Train net output #1: b = 4.0 (* 0.1 = 0.4 loss)
I0101 00:00:02.000000  4993 sgd_solver.cpp:112] Iteration 0, lr = 1e-05
I0101 00:00:03.000000  4993 solver.cpp:228] Iteration 2, loss = -nan
"""


def test_a_log_of_glog(tmp_path):
    (tmp_path / "log").write_text(CAFFE)
    first, second, train, last = read_log(tmp_path / "log")
    assert first == {"kind": "test", "net": 0, "iter": 0, "outputs": {"accuracy": 0.25, "loss": 1.5}, "seconds": 0.5}
    assert second["net"] == 1 and second["outputs"] == {"each": [1.0, 2.0]} and second["seconds"] == 2.0
    assert train["loss"] == pytest.approx(1.4) and train["smoothed_loss"] == 1.4293 and train["lr"] == 1e-05
    assert train["outputs"] == {"a": 1.0, "b": 4.0} and train["seconds"] == 3.0
    assert last["iter"] == 2 and math.isnan(last["smoothed_loss"]) and last["seconds"] == 4.0


def test_a_real_log(shared):
    records = read_log(shared / "conformance/log/log.txt")
    assert [(r["kind"], r["iter"]) for r in records] == [("test", 0), ("train", 0), ("test", 2), ("train", 2),
                                                         ("train", 4), ("test", 4)]
    assert records[0]["outputs"] == {"loss": 1.38672} and records[1]["lr"] == 0.1
    assert 0 < records[-1]["seconds"] < 1


def test_a_log_of_netdef_says_what_the_metrics_say(squares, tmp_path):
    solver = squares("test_iter: 1 test_interval: 2 display: 2 average_loss: 2 max_iter: 6 snapshot_after_train: false "
                     "test_compute_loss: true")
    told = []
    solver.listen(lambda event: told.extend(lines(event)))
    solver.listen(Metrics(solver, tmp_path))
    solver.solve()
    (tmp_path / "log.txt").write_text("\n".join(told))
    records, metrics = read_log(tmp_path / "log.txt"), read_metrics(tmp_path / "metrics.jsonl")
    assert len(records) == len(metrics) == 8
    for mine, theirs in zip(records, metrics, strict=True):
        assert mine["kind"] == theirs["kind"]
        for key, value in mine.items():
            if key not in ("seconds", "kind") and value != {}:
                assert value == pytest.approx(theirs[key], rel=1e-5), key
    assert records[-1]["seconds"] == pytest.approx(metrics[-1]["seconds"], abs=0.2)


def test_what_is_no_log(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff\xfe nothing\n")
    assert not is_log(tmp_path / "x") and not is_log(tmp_path / "absent")
    with pytest.raises(NetdefError, match="there is no line like 'Iteration 100, loss = 0.5'"):
        read_log(tmp_path / "x")
    with pytest.raises(NetdefError, match="cannot read"):
        read_log(tmp_path)
