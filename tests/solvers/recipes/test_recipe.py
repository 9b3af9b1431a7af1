"""Stages one after another: what is taken over, what stays, and going on where a run was stopped."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import netdef
from netdef import weights
from netdef.errors import ConfigError, SolverError


def test_weights_go_from_stage_to_stage_and_frozen_ones_stay(make, in_stages, final, arrays):
    folder = make(in_stages).run("run")
    one, two = arrays(final(folder, "one")), arrays(final(folder, "two"))
    start = netdef.Net("first.yaml", "TRAIN", seed=1).params
    assert all((x == y).all() for x, y in zip(one["a"], two["a"], strict=True))
    assert (one["b"][0] != two["c"][0]).all() and set(two) == {"a", "mid", "c"}
    assert one["a"][0].shape == start["a"][0].shape


def test_what_a_stage_takes_is_what_the_earlier_one_left(make, in_stages, final, arrays):
    recipe = make(in_stages, "stage.two.max_iter=0")
    folder = recipe.run("run")
    one, two = arrays(final(folder, "one")), arrays(final(folder, "two"))
    assert (one["b"][0] == two["c"][0]).all() and (one["b"][1] == two["c"][1]).all()


def test_nothing_below_what_is_frozen_is_computed(make, in_stages):
    member = make(in_stages).plan.stages[1].members[0]
    steps = {s.node.name: s for s in member.plan.steps}
    assert not steps["a"].backward and steps["mid"].backward
    assert not steps["mid"].need.bottoms[0] and all(steps["mid"].need.params)
    assert member.plan.params[0].lr_mult == 0 and str(member.plan.params[0].reason.span).startswith("recipe.yaml:13:13")


def test_a_recipe_of_one_stage_is_its_solver(make, final, same):
    """The same seed gives the same bits as the solver alone."""
    text = "stage: {name: only, solver: solver.yaml, solver_param: {net: first.yaml, random_seed: 3}, max_iter: 7}"
    folder = make(text).run("run")
    with netdef.Solver("solver.yaml", overrides=["net=first.yaml", "random_seed=3"]) as solver:
        solver.step(7)
        solver.net.save("alone.caffemodel")
    assert same(final(folder, "only"), "alone.caffemodel")


def test_batch_norm_that_is_frozen_keeps_its_statistics(make, here, in_stages, final, arrays):
    (here / "first.yaml").write_text((here / "first.yaml").read_text().replace("  - b:", "  - bn: {BatchNorm: {}}\n  - b:"))
    (here / "second.yaml").write_text((here / "second.yaml").read_text().replace("  - mid:", "  - bn: {BatchNorm: {}}\n  - mid:")
                                      .replace("bottom: a}", "bottom: bn}"))
    folder = make(in_stages.replace("layer: a,", "layer: [a, bn],").replace("freeze: a", 'freeze: [a, "b*"]')).run("run")
    one, two = arrays(final(folder, "one")), arrays(final(folder, "two"))
    assert one["bn"][2] == pytest.approx(sum(0.999 ** k for k in range(10)))
    assert all((x == y).all() for x, y in zip(one["bn"], two["bn"], strict=True))


@pytest.mark.parametrize("overrides", [(), ("stage.one.keep=LAST", "stage.two.keep=WEIGHTS")])
def test_what_is_kept(make, overrides, in_stages):
    folder = make(in_stages, *overrides, "stage.two.solver_param.ema_decay=0.9").run("run")
    found = {stage: sorted(p.name.partition("_iter_")[2] for p in (folder / stage).glob("*_iter_*"))
             for stage in ("one", "two")}
    every = [f"{n}.{kind}" for n in (10, 4, 8) for kind in ("caffemodel", "solverstate")]
    assert found == ({"one": every, "two": sorted([*every, *(f"{n}.ema.caffemodel" for n in (10, 4, 8))])}
                     if not overrides else {"one": every[:2], "two": ["10.caffemodel", "10.ema.caffemodel"]})


@pytest.mark.parametrize(("stage", "iteration", "kill"), [
    ("one", 3, False), ("one", 10, False), ("two", 6, False), ("one", 6, True), ("one", 2, True), ("two", 9, True)])
def test_going_on_is_exact(make, stage, iteration, kill, in_stages, final, same, stop_at):
    """Stopped by a signal, or killed (then it goes on from the last snapshot, or the stage begins anew)."""
    straight = make(in_stages).run("straight")
    recipe = make(in_stages)
    stop = stop_at(recipe, stage, iteration, kill)
    if kill:
        with pytest.raises(KeyboardInterrupt):
            recipe.run("stopped", follower=stop)
    else:
        recipe.run("stopped", follower=stop)
        assert recipe.stopped
    again = make(in_stages)
    later = stop_at(again, "", 0)
    folder = again.run(snapshot="stopped", follower=later)
    assert not again.stopped and folder == Path("stopped")
    begins = {False: iteration, True: iteration // 4 * 4}[kill]
    assert (stage, begins + 1 if begins < 10 else 10) in [s[:2] for s in later.seen] or begins == 10
    assert (stage, begins) not in [s[:2] for s in later.seen]
    for name in ("one", "two"):
        assert same(final(straight, name), final(folder, name))
        states = [weights.read_solverstate(final(f, name).with_suffix(".solverstate")) for f in (straight, folder)]
        assert all(np.array_equal(x, y) for x, y in zip(states[0].history, states[1].history, strict=True))


def test_a_finished_run_has_nothing_to_do_and_says_what_changed(make, caplog, in_stages):
    folder = make(in_stages).run("run")
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.caffemodel")}
    assert make(in_stages).run(snapshot=folder / "recipe.json") == folder and not caplog.records
    make(in_stages, "stage.one.max_iter=20").run(snapshot=folder)
    assert "stage 'one' has changed since it ran; what it learned is kept" in caplog.text
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.caffemodel")} == before


def test_seeds(make, in_stages, final, arrays, same):
    """The recipe's seed makes one for each stage; a solver's own wins over it, and the user's over both."""
    own = in_stages.replace("snapshot: 4}\n    max_iter: 10\n  - name: two", "random_seed: 5}\n    max_iter: 10\n  - name: two")
    plain, twice, owned = make(in_stages).run("a"), make(in_stages).run("b"), make(own).run("c")
    said, again = make(own).run("d", seed=9), make(in_stages).run("e", seed=9)
    assert same(final(plain, "two"), final(twice, "two"))
    assert not same(final(plain, "one"), final(owned, "one"))
    assert same(final(said, "one"), final(again, "one")) and not same(final(said, "one"), final(plain, "one"))
    assert not (arrays(final(plain, "two"))["mid"][0] == arrays(final(said, "two"))["mid"][0]).any()


def test_weights_from_a_file(make, here, in_stages, final, same):
    folder = make(in_stages).run("run")
    (here / "given.caffemodel").write_bytes(final(folder, "one").read_bytes())
    text = in_stages.replace("weights: {stage: one,", "weights: {file: given.caffemodel,")
    other = make(text, "stage.one.max_iter=1").run("other")
    assert same(final(folder, "two"), final(other, "two"))


def test_an_early_stop_ends_the_stage_and_not_the_run(make, in_stages):
    text = in_stages.replace("{net: first.yaml, snapshot: 4}",
                             "{net: first.yaml, base_lr: 0, display: 1, monitor: 'train:loss', early_stop: 2, average_loss: 3}")
    recipe = make(text)
    folder = recipe.run("run")
    told = json.loads((folder / "recipe.json").read_text())["finished"]
    assert not recipe.stopped and told["one"]["iterations"] < 10 and told["two"]["iterations"] == 10


def test_folders(make, here, in_stages):
    recipe = make(in_stages)
    assert [str(recipe.run()) for _ in range(2)] == ["runs/steps/1", "runs/steps/2"]
    with pytest.raises(SolverError, match="the folder of the run is not empty.*--snapshot runs/steps/1 goes on"):
        recipe.run("runs/steps/1")
    with pytest.raises(SolverError, match="no folder of a recipe's run.*the run's folder is 'runs/steps/1'"):
        recipe.run(snapshot="runs/steps/1/one")
    (here / "runs/steps/1/recipe.json").write_text('{"version": 1')
    with pytest.raises(SolverError, match="runs/steps/1/recipe.json: error: cannot be read as the state"):
        recipe.run(snapshot="runs/steps/1")
    assert make("folder: elsewhere\n" + in_stages).run() == Path("elsewhere")
    with pytest.raises(ConfigError):
        make(in_stages.replace("first.yaml", "frist.yaml"))


def test_prototxt_is_the_same_recipe(make, here, in_turns):
    from netdef.config.write import to_prototxt

    (here / "recipe.prototxt").write_text(to_prototxt(make(in_turns).located.message))
    from netdef.solvers.recipes import Recipe

    assert str(Recipe("recipe.prototxt")).replace(".prototxt", ".yaml").count("shared with 'critic'") == 1
    assert Recipe("recipe.prototxt").located.message == make(in_turns).located.message
