"""`netdef train`: weights and their report, the trials, signals, times."""
from __future__ import annotations

import os
import signal

import pytest

SHORT = ("--set", "max_iter=4", "--set", "test_interval=2", "--set", "test_iter=[2]", "--set", "display=2")


@pytest.fixture
def solver(model, tmp_path, monkeypatch):
    """The solver file of a small model; the test runs in an empty folder."""
    path = model("mlp") / "solver.yaml"
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    return path


@pytest.fixture
def weights(run, solver):
    """A weights file of this model."""
    assert run("train", solver, *SHORT, "--set", "snapshot_prefix=w").status == 0
    return "w_iter_4.caffemodel"


def renamed(solver, old, new):
    """The net of a solver with a layer, and its top, called otherwise."""
    net = solver.parent / "net.yaml"
    net.write_text(net.read_text().replace(f"- {old}:", f"- {new}:").replace(f"[{old},", f"[{new},"))


def test_weights_that_fit_are_reported(run, solver, weights):
    ran = run("train", solver, *SHORT, "--weights", weights, "--strict")
    assert ran.status == 0, ran.err
    assert f"{weights}: loaded 3 layers: ip1, ip2, score" in ran.out
    assert "values of the net's params (100.0%)" in ran.out and "skipped" not in ran.out


def test_a_skip_says_both_shapes_and_a_near_name_and_is_an_error_with_strict(run, solver, weights):
    renamed(solver, "score", "score_new")
    ran = run("train", solver, *SHORT, "--weights", weights)
    assert ran.status == 0, ran.err
    lines = [line for line in ran.out.splitlines() if "skipped" in line]
    assert lines[0].startswith("  skipped: 'score_new' is not in the file and keeps its values; (")
    assert "in the net; did you mean 'score', (" in lines[0] and lines[0].endswith("in the file?")
    assert lines[1].startswith("  skipped: 'score' is not in the net; (") and "did you mean 'score_new'" in lines[1]
    assert "covered: " in ran.out and "(100.0%)" not in ran.out
    ran = run("train", solver, *SHORT, "--weights", weights, "--strict")
    assert ran.status == 1 and "strict: " in ran.err and "'score_new' is not in the file" in ran.err


def test_a_shape_that_does_not_fit_names_the_line_of_the_config(run, solver, weights):
    net = solver.parent / "net.yaml"
    text = net.read_text()
    line = next(i for i, t in enumerate(text.splitlines(), 1) if "- ip2:" in t)
    net.write_text("\n".join(t.replace("num_output: ", "num_output: 1") if i == line else t
                             for i, t in enumerate(text.splitlines(), 1)) + "\n")
    ran = run("train", solver, *SHORT, "--weights", weights)
    assert ran.status == 1
    assert f"net.yaml:{line}:" in ran.err and "layer 'ip2': param 0 has shape" in ran.err
    assert f"the file: {weights}" in ran.err


def test_several_files_cover_the_net_together(run, solver, weights):
    import netdef

    net = netdef.Net(str(solver.parent / "net.yaml"), phase="TRAIN", seed=1)
    from netdef import weights as files

    for name in ("ip1", "ip2"):
        files.write(f"{name}.npz", [(name, "InnerProduct", [b.data for b in net.params[name]])])
    files.write("score.h5", [("score", "InnerProduct", [b.data for b in net.params["score"]])])
    ran = run("train", solver, *SHORT, "--weights", "ip1.npz,ip2.npz,score.h5", "--strict")
    assert ran.status == 0, ran.err
    assert ran.out.count("loaded 1 layer:") == 3 and "(100.0%)" in ran.out
    ran = run("train", solver, *SHORT, "--weights", "ip1.npz,score.h5", "--strict")
    assert ran.status == 1 and "'ip2' is not in the file" in ran.err


def test_prove_resume(run, solver):
    ran = run("train", solver, "--prove-resume", "--prove-iter", 3)
    assert ran.status == 0, ran.err
    assert ran.out.splitlines()[-1].startswith("prove-resume: 6 iterations in one go against 3, a snapshot, a new solver "
                                               "and 3 more: equal bit for bit (")
    assert os.listdir() == []


def test_prove_resume_fails_where_the_data_forget(run, solver, monkeypatch):
    monkeypatch.setattr("netdef.runtime.net.Net.set_state", lambda self, state: None)
    ran = run("train", solver, "--prove-resume", "--prove-iter", 3)
    assert ran.status == 1 and "not equal; first difference after iteration 4: loss" in ran.out


def test_fast_dev_run(run, solver):
    ran = run("train", solver, "--fast-dev-run")
    assert ran.status == 0, ran.err
    assert ran.out.splitlines()[-1] == ("fast-dev-run: 3 iterations, 1 test net, a snapshot and its restore went through; "
                                        "nothing was kept")
    assert ran.out.count("Testing net (#0)") == 4 and os.listdir() == []


def test_overfit_batch(run, solver):
    ran = run("train", solver, "--overfit-batch", "--set", "max_iter=300")
    assert ran.status == 0, ran.out
    assert "in 300 iterations on one batch: the net can learn it" in ran.out
    ran = run("train", solver, "--overfit-batch", "--set", "base_lr=0", "--set", "max_iter=5")
    assert ran.status == 1 and "the net does not learn it" in ran.out
    assert os.listdir() == []


def test_gradient_norms_and_times_come_with_each_display(run, solver):
    ran = run("train", solver, *SHORT, "--grad-norms")
    assert ran.status == 0, ran.err
    assert ran.out.count("    Gradient norm of all params: ") == ran.out.count("    Gradient norm of layer ip1: ") == 2
    assert ran.out.count(" elapsed") == 2 and " to go" in ran.out


def test_debug_info_reaches_the_log(run, solver):
    ran = run("train", solver, *SHORT, "--set", "debug_info=true")
    assert "    [Forward] Layer ip1, top blob ip1 data: " in ran.out
    assert ran.out.count("[Backward] All net params (data, diff): L1 norm = (") == 2


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX systems")
@pytest.mark.parametrize(("option", "number", "shown"), [
    ("--sigint-effect=snapshot", "SIGINT", "done after 4 iterations"),
    ("--sighup_effect=stop", "SIGHUP", "stopped after 1 iterations"),
])
def test_effects_of_signals(run, solver, monkeypatch, option, number, shown):
    from netdef.solvers.solver import Solver

    real, sent = Solver.apply_update, []

    def update(self):
        if not sent:
            sent.append(os.kill(os.getpid(), getattr(signal, number)))
        real(self)

    monkeypatch.setattr(Solver, "apply_update", update)
    ran = run("train", solver, *SHORT, "--set", "snapshot_prefix=w", option)
    assert ran.status == 0 and shown in ran.out, ran.out + ran.err
    assert os.path.exists("w_iter_1.solverstate")


def test_an_early_stop_is_told(run, solver):
    ran = run("train", solver, "--set", "max_iter=50", "--set", "test_interval=2", "--set", "test_iter=[1]", "--set",
              "base_lr=0", "--set", "monitor=accuracy", "--set", "early_stop=2", "--set", "display=0")
    assert ran.status == 0, ran.err
    assert "stopping early: accuracy has not been better than" in ran.out and "Optimization stopped early." in ran.out


def test_trials_and_snapshots_exclude_each_other(run, solver):
    assert run("train", solver, "--fast-dev-run", "--snapshot", "x").status == 2
