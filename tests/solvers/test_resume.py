"""2n iterations equal n, a snapshot, and n more, bit for bit."""
from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

import netdef
from netdef import weights
from netdef.solvers import events as e

DROPPING = """
name: "dropping"
layer { name: "rows" type: "Rows" top: "x" top: "y" }
layer { name: "hidden" type: "InnerProduct" bottom: "x" top: "hidden"
  inner_product_param { num_output: 16 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "hidden" top: "hidden" dropout_param { dropout_ratio: 0.5 } }
layer { name: "ip" type: "InnerProduct" bottom: "hidden" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "HalfSquares" bottom: "ip" bottom: "y" top: "loss" }
"""
RULES = {
    "SGD": 'momentum: 0.9 lr_policy: "multistep" gamma: 0.5 stepvalue: 3 stepvalue: 7',
    "Nesterov": "momentum: 0.9",
    "AdaGrad": "",
    "RMSProp": 'lr_policy: "inv" gamma: 0.1 power: 0.5',
    "AdaDelta": "momentum: 0.95 delta: 1e-6",
    "Adam": "momentum: 0.9",
}


def values(solver):
    return [p.data.copy() for layer in solver.net.params.values() for p in layer] + [
        h.copy() for h in solver.update.rule.history]


def equal(a, b):
    return all((x == y).all() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("seed", ["random_seed: 4", ""])
def test_resume_is_exact(solver_file, kind, seed):
    text = (f'type: "{kind}" base_lr: 0.05 weight_decay: 0.01 iter_size: 2 {RULES[kind]} {seed} max_iter: 10 '
            'test_iter: 2 test_interval: 3 display: 5 snapshot: 5 snapshot_prefix: "s"')
    path = solver_file(DROPPING, text)
    straight = netdef.Solver(path)
    seen = told(straight)
    straight.solve()

    again = netdef.Solver(path, snapshot="s_iter_5.solverstate")
    assert again.iter == 5 and again.lr == pytest.approx(straight.policy.rate(straight.param, 5))
    later = told(again)
    again.solve()
    assert equal(values(straight), values(again))
    assert [t for t in seen if t.iter > 5] == later, "tests go on with the same data too"


def told(solver):
    found = []
    solver.listen(lambda event: found.append(event) if isinstance(event, e.Tested) else None)
    return found


@pytest.mark.parametrize("effect", ["snapshot", "stop"])
def test_a_snapshot_in_the_midst_of_a_test_is_exact_too(solver_file, effect):
    """It holds the state before the test, and the test is done again as a whole."""
    path = solver_file(DROPPING, 'test_iter: 3 test_interval: 4 max_iter: 9 random_seed: 4 snapshot_prefix: "s"')
    straight = netdef.Solver(path, overrides=["snapshot_prefix=t"])
    seen = told(straight)
    straight.solve()
    asked = netdef.Solver(path)
    asked.listen(lambda event: asked.signals.request(effect) if event == e.Testing(4, 0) else None)
    asked.solve()
    again = netdef.Solver(path, snapshot="s_iter_4.solverstate")
    later = told(again)
    again.solve()
    assert equal(values(straight), values(again))
    assert [t for t in seen if t.iter >= 4] == later


def test_dropout_and_data_do_matter_here(solver_file):
    """Without netdef's part of the state the run would go elsewhere: the test above proves something."""
    path = solver_file(DROPPING, 'max_iter: 8 snapshot: 5 snapshot_prefix: "s" random_seed: 4')
    straight = netdef.Solver(path)
    straight.solve()
    saved = weights.read_solverstate("s_iter_5.solverstate")
    weights.write_solverstate("bare.solverstate", 5, "s_iter_5.caffemodel", [h.copy() for h in saved.history])
    again = netdef.Solver(path, snapshot="bare.solverstate")
    again.solve()
    assert not equal(values(straight), values(again))


def test_the_seed_of_a_snapshot_goes_on_unless_one_is_given(squares):
    solver = squares('snapshot_prefix: "s" random_seed: 5', seed=None)
    solver.snapshot()
    path = "s_iter_0.solverstate"
    assert squares("random_seed: 6", seed=None, snapshot=path).net.seed == 5
    assert squares("random_seed: 6", seed=7, snapshot=path).net.seed == 7


def test_a_state_of_caffe_begins_the_data_anew_and_says_so(squares, caplog):
    solver = squares()
    solver.step(2)
    solver.net.save("c.caffemodel")
    history = [np.full_like(h, 0.5) for h in solver.update.rule.history]
    weights.write_solverstate("c.solverstate", 7, "c.caffemodel", history, 1)
    other = squares("iter_size: 2", seed=8)
    found = []
    other.listen(found.append)
    with caplog.at_level(logging.WARNING, "netdef"):
        other.restore("c.solverstate")
    assert "no data position" in caplog.text
    assert other.iter == 7 and other.net.pass_number == 14
    assert equal(values(solver)[:2], values(other)[:2]) and equal(values(other)[2:], history)
    assert found == [e.Restored(7, "c.solverstate", "c.caffemodel", False)]


@pytest.mark.parametrize("given", [0, 1])
def test_snapshots_in_hdf5(squares, given):
    pytest.importorskip("h5py")
    solver = squares("snapshot_format: HDF5 momentum: 0.9")
    solver.step(3)
    paths = solver.snapshot()
    assert [p.name.partition("_iter_")[2] for p in paths] == ["3.caffemodel.h5", "3.solverstate.h5"]
    other = squares("snapshot_format: HDF5 momentum: 0.9", seed=8)
    other.restore(paths[given])
    assert other.iter == 3 and other.net.seed == solver.net.seed and equal(values(solver), values(other))
    for one in (solver, other):
        one.step(2)
    assert equal(values(solver), values(other))


def test_a_real_state_in_hdf5(shared, monkeypatch):
    pytest.importorskip("h5py")
    monkeypatch.chdir(shared / "conformance/solvers")
    solver = netdef.Solver("h5.solver.prototxt", snapshot="h5snap_iter_10.solverstate.h5")
    saved = weights.read("h5snap_iter_10.caffemodel.h5")
    assert solver.iter == 10 and any(h.any() for h in solver.update.rule.history)
    np.testing.assert_array_equal(solver.net.params["ip"][0].data, saved.layers["ip"][0])


def test_the_weights_beside_a_state_do_as_well(squares):
    solver = squares('snapshot_prefix: "s"')
    solver.step(2)
    solver.snapshot()
    assert squares(snapshot="s_iter_2.caffemodel").iter == 2


def test_a_restored_solver_does_not_snapshot_what_it_read(squares, tmp_path):
    solver = squares('max_iter: 2 snapshot_prefix: "s"')
    solver.solve()
    before = Path("s_iter_2.solverstate").stat().st_mtime_ns
    squares('max_iter: 2 snapshot_prefix: "s"', snapshot="s_iter_2.solverstate").solve()
    assert Path("s_iter_2.solverstate").stat().st_mtime_ns == before


def test_histories_of_another_rule(squares, caplog):
    solver = squares('snapshot_prefix: "s"')
    solver.snapshot()
    before = values(adam := squares('type: "Adam"', seed=8))
    with pytest.raises(netdef.NetdefError, match="expected 4 histories for 2 params and type Adam, got 2"):
        adam.restore("s_iter_0.solverstate")
    assert equal(before, values(adam))
    squares('type: "Nesterov"').restore("s_iter_0.solverstate")
    assert "saved by type SGD, its histories now serve Nesterov" in caplog.text


def test_histories_of_another_net(squares, solver_file):
    squares('snapshot_prefix: "s"').snapshot()
    wide = DROPPING.replace("num_output: 2", "num_output: 3").replace('bottom: "y"', 'bottom: "ip"')
    with pytest.raises(netdef.NetdefError, match="expected 4 histories"):
        netdef.Solver(solver_file(wide, ""), snapshot="s_iter_0.solverstate")
    path = Path("net.prototxt")
    squares()
    path.write_text(path.read_text().replace("num_output: 2", "num_output: 3").replace('bottom: "y"', 'bottom: "ip"'))
    with pytest.raises(netdef.NetdefError, match=r"history 0, of ip\[0\], has shape \(2, 3\) in the file and \(3, 3\)"):
        netdef.Solver("solver.prototxt", snapshot="s_iter_0.solverstate")


def test_a_missing_state(squares, tmp_path):
    with pytest.raises(netdef.NetdefError, match="no file 'x.solverstate': tried"):
        squares(snapshot="x.solverstate")
    (tmp_path / "w.caffemodel").write_bytes(b"")
    with pytest.raises(netdef.NetdefError, match="is weights only"):
        squares(snapshot="w.caffemodel")
