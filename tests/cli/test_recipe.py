"""Recipes from the command line: plan, run, stop, go on, and mistakes."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

RECIPE = """name: points
stage:
  - name: hidden
    max_iter: 20
    solver_param: &first
      net: net.yaml
      base_lr: 0.05
      momentum: 0.9
      lr_policy: fixed
      display: 10
      random_seed: 1
  - name: all
    max_iter: 20
    solver_param: {<<: *first, test_iter: 2, test_interval: 20}
    weights: {stage: hidden, layer: "ip*"}
    freeze: ip1
"""
TURNS = """name: pair
stage:
  name: both
  rounds: 5
  turn:
    - name: left
      solver_param: &solver {net: net.yaml, base_lr: 0.05, lr_policy: fixed, display: 1, random_seed: 1}
    - {name: right, iter: 2, solver_param: {<<: *solver, type: Adam}}
"""


@pytest.fixture
def here(model, tmp_path, monkeypatch):
    """A folder with a net and two recipes; the test runs in it."""
    folder = model("mlp")
    monkeypatch.chdir(folder)
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "turns.yaml").write_text(TURNS)
    return folder


def test_explain_and_dry_run_print_the_plan_and_run_nothing(run, here):
    plan, dry = run("explain", "recipe.yaml"), run("train", "recipe.yaml", "--dry-run")
    assert plan.status == dry.status == 0 and plan.out.strip() == dry.out.strip()
    assert "stage 2 of 2: 'all', 20 iterations (recipe.yaml:12:5)" in plan.out
    assert "  ip1    64x2, 64      192  no (recipe.yaml:16:13)  stage 'hidden'" in plan.out
    assert not (here / "runs").exists()


def test_a_run_prints_its_plan_first_and_ends_with_its_folder(run, here):
    ran = run("train", "recipe.yaml")
    assert ran.status == 0, ran.err
    for one, other in (("recipe 'points': 2 stages", "run:    runs/points/1"), ("run:    runs/points/1", "=== stage 1 of 2"),
                       ("saved: runs/points/1/hidden/mlp_iter_20.caffemodel", "=== stage 2 of 2: 'all', 20 iterations"),
                       ("hidden/mlp_iter_20.caffemodel: loaded 2 layers: ip1, ip2", "Test net output #0: accuracy ="),
                       ("Optimization Done.", "done: all 2 stages")):
        assert 0 <= ran.out.find(one) < ran.out.find(other), (one, other)
    again = run("train", "recipe.yaml", "--snapshot", "runs/points/1")
    assert again.status == 0 and again.out.count("finished already") == 2
    assert sorted(p.name for p in (here / "runs/points/1/all").iterdir()) == [
        "metrics.jsonl", "mlp_iter_20.caffemodel", "mlp_iter_20.solverstate", "run.json", "solver.prototxt"]


def test_lines_of_nets_in_turns_say_whose_they_are(run, here):
    ran = run("train", "turns.yaml", "--run-dir", "pair", "--seed", "3")
    assert ran.status == 0, ran.err
    assert "[left] Iteration 4 (" in ran.out and "[right] Iteration 9 (" in ran.out
    assert "saved: pair/both/at_15/right_iter_10.caffemodel" in ran.out


def test_usage(run, here):
    for arguments, words in ((("--weights", "x"), "--weights is about one solver"), (("--fast-dev-run",), "trials is about one"),
                             (("--snapshot", "a", "--run-dir", "b"), "leave --run-dir out")):
        ran = run("train", "recipe.yaml", *arguments)
        assert ran.status == 2 and words in ran.err
    ran = run("train", "solver.yaml", "--dry-run")
    assert ran.status == 2 and "--dry-run prints the plan of a recipe" in ran.err


def test_mistakes_have_places_and_exit_status_1(run, here):
    (here / "recipe.yaml").write_text(RECIPE.replace("freeze: ip1", "freeze: ip").replace("max_iter: 20\n    solver_param: {",
                                                                                         "max_iter: 20\n    solver_parm: {"))
    ran = run("train", "recipe.yaml")
    assert ran.status == 1 and "recipe.yaml:14:5: error: no field 'solver_parm' in stage; did you mean 'solver_param'?" in ran.err
    (here / "recipe.yaml").write_text("stages: [")
    assert run("train", "recipe.yaml").status == 1
    (here / "recipe.yaml").write_text("stages: []\n")
    ran = run("train", "recipe.yaml")
    assert ran.status == 1 and "recipe.yaml:1:1: error: no field 'stages' in the recipe; did you mean 'stage'?" in ran.err
    assert run("train", "no/recipe.yaml").status == 1
    ran = run("train", "turns.yaml", "--snapshot", "nowhere")
    assert ran.status == 1 and "nowhere: error: is no folder of a recipe's run" in ran.err


def test_set_reaches_into_stages(run, here):
    ran = run("train", "recipe.yaml", "--dry-run", "--set", "stage.all.max_iter=7", "--set",
              "stage.hidden.solver_param.type=Adam")
    assert "stage 2 of 2: 'all', 7 iterations" in ran.out and "solver   Adam, base_lr 0.05 (fixed), 20 iterations" in ran.out
    ran = run("train", "recipe.yaml", "--set", "stage.alll.max_iter=7")
    assert ran.status == 1 and "no element of 'stage' is called 'alll'; did you mean 'all'?" in ran.err


def test_convert(run, here):
    assert run("convert", "recipe.yaml", "recipe.prototxt").status == 0
    one, other = run("explain", "recipe.yaml"), run("explain", "recipe.prototxt")
    assert one.status == other.status == 0 and "prototxt:" in other.out
    assert one.out.count("\n") == other.out.count("\n")


def test_ctrl_c_saves_and_says_how_to_go_on(here, run):
    """A process of its own is interrupted while it trains, and goes on."""
    (here / "turns.yaml").write_text(TURNS.replace("rounds: 5", "rounds: 100000").replace("display: 1", "display: 5"))
    command = [sys.executable, "-m", "netdef.cli.main", "train", "turns.yaml", "--run-dir", "pair"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env={**os.environ, "PYTHONUNBUFFERED": "1"})
    for line in process.stdout:
        if line.startswith("[right] Iteration 20 "):
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert "go on:  netdef train turns.yaml --snapshot pair" in rest and "[left] Optimization stopped early." in rest
    (moment,) = (here / "pair/both").glob("at_*")
    done = int(moment.name[3:])
    assert done >= 30
    rounds = done // 3 + 2
    begin = time.perf_counter()
    ran = run("train", "turns.yaml", "--snapshot", "pair", "--set", f"stage.both.rounds={rounds}")
    assert ran.status == 0 and f"pair/both/at_{3 * rounds}/left_iter_{rounds}.caffemodel" in ran.out, ran.err
    assert time.perf_counter() - begin < 60
