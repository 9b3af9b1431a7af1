"""The proof of an exact resume finds what is not exact."""
from __future__ import annotations

import pytest

import netdef
from netdef.solvers.prove import prove_resume

DROPPING = """
layer { name: "rows" type: "Rows" top: "x" top: "y" }
layer { name: "drop" type: "Dropout" bottom: "x" top: "d" }
layer { name: "ip" type: "InnerProduct" bottom: "d" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "HalfSquares" bottom: "ip" bottom: "y" top: "loss" }
"""


@pytest.fixture
def proof(solver_file, tmp_path):
    """``proof(solver_text)``: what prove_resume says after five iterations."""

    def prove(text, n=5):
        path = solver_file(DROPPING, text)
        return prove_resume(lambda overrides, seed: netdef.Solver(path, overrides=overrides, seed=seed), n, tmp_path)

    return prove


def test_a_resume_is_exact_with_a_seed_of_the_systems(proof):
    found = proof("momentum: 0.9 test_iter: 2 test_interval: 2 display: 1 ema_decay: 0.9 snapshot: 1")
    assert found.holds and found.compared > 15
    assert str(found).startswith("10 iterations in one go against 5, a snapshot, a new solver and 5 more: equal bit")


def test_an_early_stop_does_not_end_it(proof):
    assert proof('monitor: "loss" early_stop: 1 test_iter: 1 test_interval: 1 snapshot_best: 1').holds


@pytest.mark.parametrize(("what", "expected"), [
    ("seed", "not equal; first difference after iteration 6: loss"),
    ("history", "not equal; first difference after iteration 7: loss"),
    ("data", "not equal; first difference after iteration 6: loss"),
])
def test_what_a_snapshot_forgets_is_found(proof, monkeypatch, what, expected):
    from netdef.solvers import state

    if what == "seed":
        monkeypatch.setattr(state, "reseed", lambda nets, seed: None)
    elif what == "data":
        monkeypatch.setattr("netdef.runtime.net.Net.set_state", lambda self, state: None)
    else:
        real = netdef.Solver.restore

        def restore(self, path):
            real(self, path)
            for history in self.update.rule.history:
                history[...] = 0

        monkeypatch.setattr(netdef.Solver, "restore", restore)
    found = proof("momentum: 0.9 random_seed: -1")
    assert not found.holds and expected in str(found)


def test_a_difference_that_no_loss_shows(proof, monkeypatch):
    real = netdef.Solver.restore

    def restore(self, path):
        real(self, path)
        self.net.params["ip"][1].data[1] += 1

    monkeypatch.setattr(netdef.Solver, "restore", restore)
    assert "first difference after iteration 2: loss" in str(proof("base_lr: 0.1", 1))
    monkeypatch.setattr("netdef.solvers.prove._difference_of_events", lambda a, b: "")
    assert "param 0 of layer 'ip' differs from value" in str(proof("base_lr: 0.1", 1))
