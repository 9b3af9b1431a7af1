"""The recurrent layers learn a real task: digits read row by row."""
from __future__ import annotations

from pathlib import Path

import pytest

import netdef

HOME = Path(__file__).resolve().parents[2] / "configs" / "rnn_digits"


@pytest.mark.parametrize("type_, least", [("LSTM", 0.86), ("RNN", 0.8)])
def test_three_hundred_iterations(type_, least, tmp_path, monkeypatch):
    """Far above the tenth that guessing gives; the README says where the whole run ends."""
    monkeypatch.chdir(tmp_path)
    for name in ("net.yaml", "solver.yaml"):
        (tmp_path / name).write_text((HOME / name).read_text().replace("{LSTM: {", f"{{{type_}: {{"))
    overrides = ["max_iter=300", "test_interval=1000", "test_initialization=false", "snapshot_after_train=false"]
    with netdef.Solver(tmp_path / "solver.yaml", overrides=overrides, seed=1) as solver:
        solver.solve()
        assert solver.net.steps[4].type == type_
        (scores,) = solver.test_all()
    accuracy = {output.name: output.value for output in scores.outputs}["accuracy"]
    assert accuracy > least
