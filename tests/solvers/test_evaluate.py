"""Outputs as numbers."""
from __future__ import annotations

import pytest

import netdef
from netdef.errors import SolverError
from netdef.solvers.evaluate import evaluate, output_weights, outputs_of


def test_outputs_by_name_with_their_loss_weights(solver_file):
    solver_file('layer { name: "r" type: "Rows" top: "x" top: "y" } '
                'layer { name: "p" type: "Pull" top: "q" loss_weight: 2 } '
                'layer { name: "a" type: "ReLU" bottom: "y" top: "a" }', "")
    net = netdef.Net("net.prototxt", phase="TRAIN")
    net.forward()
    assert output_weights(net) == {"a": 0.0, "q": 2.0, "x": 0.0}
    assert [o.name for o in outputs_of(net)] == ["a"] * 8 + ["q"] + ["x"] * 12


def test_an_output_that_changes_its_size_has_no_mean(squares, monkeypatch):
    net = squares().net
    sizes = iter([4, 3])
    monkeypatch.setattr(type(net), "forward", lambda self: {"loss": net.blobs["x"].data[:next(sizes)]})
    with pytest.raises(SolverError, match="output 'loss' had 12 numbers and now has 9"):
        evaluate(net, 2, lambda: True)


def test_no_passes_give_no_scores(squares):
    scores = evaluate(squares().net, 0, lambda: True)
    assert scores.outputs == [] and scores.loss == 0
