"""Events in the words of Caffe's log."""
from __future__ import annotations

import pytest

from netdef.solvers import events as e
from netdef.solvers.log import lines

LOSS, ACCURACY = e.Output("loss", 1.38672, 2.0), e.Output("accuracy", 0.25)


@pytest.mark.parametrize(("event", "expected"), [
    (e.Displayed(100, 1.4501, 0.05, 2.5, 40.0, 100, [ACCURACY, LOSS]),
     ["Iteration 100 (2.5 iter/s, 40s/100 iters), loss = 1.4501",
      "    Train net output #0: accuracy = 0.25",
      "    Train net output #1: loss = 1.38672 (* 2 = 2.77344 loss)",
      "Iteration 100, lr = 0.05"]),
    (e.Testing(100, 1), ["Iteration 100, Testing net (#1)"]),
    (e.Tested(100, 0, [LOSS]), ["    Test net output #0: loss = 1.38672 (* 2 = 2.77344 loss)"]),
    (e.Tested(100, 0, [ACCURACY], 0.5), ["Test loss: 0.5", "    Test net output #0: accuracy = 0.25"]),
    (e.TestInterrupted(100, 0), ["Test interrupted."]),
    (e.Snapshotting(4, "dbg_iter_4.caffemodel", "dbg_iter_4.solverstate"),
     ["Snapshotting to binary proto file dbg_iter_4.caffemodel",
      "Snapshotting solver state to binary proto file dbg_iter_4.solverstate"]),
    (e.Snapshotted(4, "a", "b"), []),
    (e.Restored(4, "a.solverstate", "a.caffemodel", True), ["Restoring previous solver status from a.solverstate"]),
    (e.Started(0, "net", "step"), ["Solving net", "Learning Rate Policy: step"]),
    (e.FinalLoss(4, 1e-7), ["Iteration 4, loss = 1e-07"]),
    (e.Finished(4, False), ["Optimization Done."]),
    (e.Finished(3, True), ["Optimization stopped early."]),
    (e.Updated(1, 0.5, 0.1), []),
])
def test_lines(event, expected):
    assert lines(event) == expected


def test_numbers_that_are_not_finite():
    assert lines(e.FinalLoss(1, float("nan"))) == ["Iteration 1, loss = nan"]
    assert lines(e.FinalLoss(1, float("inf"))) == ["Iteration 1, loss = inf"]
