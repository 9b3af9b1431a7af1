"""The watch: what it says and when, what happens on NaN, and the evidence."""
from __future__ import annotations

import numpy as np
import pytest

import netdef
from netdef.debug.recording import read
from netdef.debug.watch import Watch
from netdef.errors import NetdefError, NumericalError

NET = '''
name: "spiral"
layer { name: "points" type: "Data" top: "data" top: "label" data_param { source: "builtin:spiral/train" batch_size: 90 } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1"
  inner_product_param { num_output: 16 weight_filler { type: "xavier" } BIAS } }
layer { name: "act1" type: "ACT" bottom: "ip1" top: "ip1" }
layer { name: "score" type: "InnerProduct" bottom: "ip1" top: "score"
  inner_product_param { num_output: 3 FILLER } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" LOSS }
'''
XAVIER = 'weight_filler { type: "xavier" }'


@pytest.fixture
def watched(tmp_path):
    """``watched(on_nan, "base_lr=3", act="ReLU", ...)``: a solver, what its watch says, the watch."""
    made = []

    def make(on_nan="stop", *overrides, bias="", act="ReLU", filler=XAVIER, loss="", keep="all"):
        net = NET.replace("BIAS", bias).replace("ACT", act).replace("FILLER", filler).replace("LOSS", loss)
        (tmp_path / "net.prototxt").write_text(net)
        (tmp_path / "solver.prototxt").write_text(
            f'net: "net.prototxt"\nbase_lr: 0.05\nmomentum: 0.9\nlr_policy: "fixed"\nmax_iter: 1000\ndisplay: 1\n'
            f'random_seed: 3\nsnapshot_prefix: "{tmp_path}/run/s"\n')
        solver = netdef.Solver(tmp_path / "solver.prototxt", overrides=overrides, keep=keep)
        made.append(solver)
        said = []
        watch = Watch(solver, said.append, on_nan)
        solver.listen(watch)
        return solver, said, watch

    yield make
    for solver in made:
        solver.close()


def spoil(solver, iteration, where="data", item=4):
    """Put a NaN into the data, or into a gradient after backward, in one iteration."""
    def hook(run):
        if solver.iter == iteration and where == "data" and run.name == "points":
            run.tops[0].data[item, 0] = np.nan
        if solver.iter == iteration and where == "gradient" and run.name == "ip1":
            run.params[0].diff[0, 0] = np.nan

    solver.net.hooks.add("after_forward" if where == "data" else "after_backward", hook)


@pytest.mark.parametrize("keep", ["all", "outputs"])
def test_stops_before_the_params_are_spoilt(watched, tmp_path, keep):
    solver, said, _ = watched("stop", keep=keep)
    spoil(solver, 7)
    with pytest.raises(NumericalError) as stop:
        solver.step(30)
    assert solver.iter == 7 and said == []
    assert all(np.isfinite(b.data).all() for b in solver.net.param_blobs)
    text = str(stop.value)
    assert "net.prototxt:3:" in text and "iteration 7: data: layer 'points' (Data): 'data'" in text
    assert "item 4 of the batch" in text and "likely cause: bad record" in text and "record 634" in text
    recording = read(tmp_path / "run" / "s_nan_iter_7.npz")[0]
    assert recording.iteration == 7 and np.isnan(recording.arrays["blob/data/data"][4]).any()
    evidence = (tmp_path / "run" / "s_nan_iter_7.txt").read_text()
    assert "netdef blame" in evidence and "--seed 3 --iterations 8" in evidence and "nan" in evidence


def test_evidence_that_cannot_be_written_does_not_hide_the_error(watched, tmp_path):
    solver, _, _ = watched("stop")
    (tmp_path / "run").write_text("a file where the folder should be")
    spoil(solver, 2)
    with pytest.raises(NumericalError, match="no evidence was written"):
        solver.step(5)


def test_skips_the_update(watched):
    solver, said, _ = watched("skip")
    spoil(solver, 3)
    solver.step(3)
    before = [b.data.copy() for b in solver.net.param_blobs]
    history = [h.copy() for h in solver.update.rule.history]
    solver.step(1)
    assert solver.iter == 4
    assert all((a == b.data).all() for a, b in zip(before, solver.net.param_blobs, strict=True))
    assert all((a == b).all() for a, b in zip(history, solver.update.rule.history, strict=True))
    solver.step(40)
    assert np.isfinite(solver.smoothed_loss)
    assert len(said) == 1 and "bad record" in said[0].line() and "evidence is in" in said[0].line()


def test_skips_bad_gradients_in_any_iteration(watched):
    solver, said, _ = watched("skip")
    spoil(solver, 13, "gradient")
    solver.step(30)
    assert all(np.isfinite(b.data).all() for b in solver.net.param_blobs)
    assert len(said) == 1 and "backward: layer 'ip1'" in said[0].what and said[0].iteration == 13


def test_skipping_ends_where_it_cannot_help(watched):
    solver, _, _ = watched("skip")
    solver.net.params["ip1"][0].data[0, 0] = np.nan
    with pytest.raises(NumericalError, match="a param itself is not finite"):
        solver.step(3)


def test_ignores(watched, caplog):
    solver, said, _ = watched("ignore")
    spoil(solver, 3)
    solver.step(30)
    assert solver.iter == 30 and len(said) == 1
    assert "training goes on, as in Caffe" in caplog.text


def test_unknown_choice(watched):
    with pytest.raises(NetdefError, match="stop, skip, ignore"):
        watched("halt")


@pytest.mark.parametrize("parts, overrides, cause, layer, words", [
    ({"bias": 'bias_filler { type: "constant" value: -100 }'}, [], "dead ReLU", "act1", "100% of its units are 0"),
    ({"act": "Sigmoid", "bias": 'bias_filler { type: "constant" value: 9 }'}, [], "saturated", "act1",
     "100% of its values are saturated"),
    ({}, ["base_lr=1e-12"], "learning rate", "ip1", "below float32's rounding"),
    ({}, ["base_lr=0"], "learning rate", "", "the learning rate is 0"),
    ({"loss": "loss_weight: 0"}, [], "loss_weight", "loss", "gets no gradient")])
def test_advice(watched, parts, overrides, cause, layer, words):
    solver, said, watch = watched("stop", *overrides, **parts)
    solver.step(100)
    assert len(said) == 1, [f.line() for f in said]  # five looks, one line
    assert (said[0].cause, said[0].layer) == (cause, layer)
    line = said[0].line()
    assert words in line and "\n" not in line and line.startswith(str(said[0].span))
    assert watch.findings == said


def test_what_is_seen_once_may_pass(watched):
    solver, said, _ = watched("stop", bias='bias_filler { type: "constant" value: -100 }')
    solver.step(1)
    assert said == []
    solver.net.params["ip1"][1].data[...] = 0
    solver.step(60)
    assert said == []


def test_looks_at_displays_and_not_too_often(watched):
    solver, _, watch = watched()
    solver.step(45)
    assert watch.history.iterations == [0, 20, 40]
    solver, _, watch = watched("stop", "display=30")
    solver.step(61)
    assert watch.history.iterations == [0, 30, 60]
    solver, _, watch = watched("stop", "display=0")
    solver.step(101)
    assert watch.history.iterations == [0, 100]


def test_changes_no_number(watched):
    solver, _, _ = watched()
    solver.step(45)
    plain = netdef.Solver(solver.located.file)
    plain.step(45)
    for a, b in zip(solver.net.param_blobs, plain.net.param_blobs, strict=True):
        assert (a.data == b.data).all()
    plain.close()
