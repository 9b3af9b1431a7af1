"""Stages in turns: shared params, feeds and gradients, and going on where they were stopped."""
from __future__ import annotations

import numpy as np
import pytest

import netdef
from netdef import weights
from netdef.solvers.recipes.turns import Turns, newest

TOGETHER = """random_seed: 7
stage:
  - name: alone
    rounds: 5
    turn:
      - {name: other, iter: 1, solver: solver.yaml, solver_param: {net: second.yaml}, share: false}
      - {name: it, iter: 2, solver: solver.yaml, solver_param: {net: first.yaml, type: Adam, random_seed: 3}}
"""
SPLIT = """random_seed: 7
stage:
  - {name: first, solver: solver.yaml, solver_param: {net: both.yaml}, max_iter: 3}
  - name: split
    rounds: 2
    turn:
      - name: maker
        iter: 4
        solver: solver.yaml
        solver_param: {net: maker.yaml, iter_size: 2}
        weights: {stage: first, layer: g}
        gradient: {from: judge, weight: 1}
      - name: judge
        iter: 0
        solver_param: {net: critic.yaml}
        weights: {stage: first, layer: d}
        feed: {from: maker, blob: made}
"""


@pytest.fixture
def turns(make, tmp_path):
    """``turns(text)``: the nets of the last stage of a recipe, made and tied together."""
    made = []

    def build(text, **seeds):
        stage = make(text).plan.stages[-1]
        made.append(Turns(stage, {m.name: seeds.get(m.name, 5) for m in stage.members}, tmp_path / "home"))
        return made[-1]

    yield build
    for each in made:
        each.close()


def test_params_of_one_name_are_one_array(turns, in_turns):
    t = turns(in_turns)
    critic, judge = (t.linked[n].net.params["d"] for n in ("critic", "judge"))
    for mine, theirs in zip(critic, judge, strict=True):
        assert np.shares_memory(mine.data, theirs.data) and not np.shares_memory(mine.diff, theirs.diff)


def test_sharing_can_be_switched_off(turns, in_turns):
    write_weights()
    t = turns(in_turns + "        share: false\n        weights: {file: w.npz}\n")
    critic, judge = (t.linked[n].net.params["d"][0] for n in ("critic", "judge"))
    assert not np.shares_memory(critic.data, judge.data)


def write_weights() -> None:
    """w.npz with params for the layer d."""
    weights.write("w.npz", [("d", "InnerProduct", [np.ones((2, 3), np.float32), np.zeros(2, np.float32)])])


def test_params_of_one_share_name_are_one_array_too(turns, in_turns, here):
    text = (here / "critic.yaml").read_text()
    (here / "judge.yaml").write_text(text.replace("- d: {", "- e: {param: {name: w}, ").replace("[d, y]", "[e, y]"))
    (here / "critic.yaml").write_text(text.replace("- d: {", "- d: {param: {name: w}, "))
    write_weights()
    more = "        weights: {file: w.npz, rename: {layer: d, to: e}}\n"
    head, tail = in_turns.split("      - name: judge")
    t = turns(f"{head}      - name: judge{tail.replace('critic.yaml', 'judge.yaml')}{more}")
    critic, judge = t.linked["critic"].net.params["d"], t.linked["judge"].net.params["e"]
    assert np.shares_memory(critic[0].data, judge[0].data) and not np.shares_memory(critic[1].data, judge[1].data)


def test_turns_leave_a_solver_as_it_is_alone(make, final, same):
    """Rule, histories, data position and random numbers live through the turns of others."""
    folder = make(TOGETHER).run("run")
    with netdef.Solver("solver.yaml", overrides=["net=first.yaml", "type=Adam", "random_seed=3"]) as solver:
        solver.step(10)
        solver.net.save("alone.caffemodel")
    assert same(final(folder, "alone", "it"), "alone.caffemodel")


@pytest.mark.parametrize(("factor", "activation"), [(1, "TanH"), (-1, "TanH"), (0.5, "TanH"), (1, "ReLU")])
def test_a_net_split_in_two_learns_as_one(make, final, arrays, here, factor, activation):
    """A maker and a lent judge against one net of the same layers whose upper half is frozen: the same bits."""
    for name in ("maker.yaml", "both.yaml"):
        (here / name).write_text((here / name).read_text().replace("TanH", activation))
    folder = make(SPLIT.replace("weight: 1}", f"weight: {factor}}}")).run("run")
    text = (here / "both.yaml").read_text()
    (here / "both.yaml").write_text(text.replace("- loss: {", f"- loss: {{loss_weight: {factor}, ").replace(
        "- d: {", "- d: {param: [{lr_mult: 0}, {lr_mult: 0}], "))
    with netdef.Solver("solver.yaml", overrides=["net=both.yaml", "iter_size=2"],
                       weights=final(folder, "first")) as solver:
        losses = []
        solver.listen(lambda event: losses.append(getattr(event, "loss", None)))
        solver.step(8)
        whole = [blob.data for blob in solver.net.params["g"]]
    split = arrays(final(folder, "split", "maker"))["g"]
    assert all(np.array_equal(x, y) if abs(factor) == 1 else np.allclose(x, y, rtol=1e-5)
               for x, y in zip(split, whole, strict=True))
    assert (arrays(final(folder, "first"))["g"][0] != whole[0]).all()


def test_a_gradient_adds_to_what_readers_in_the_net_send(make, final, arrays, here):
    """The maker has a loss of its own on the same blob: two nets against one with both losses."""
    own = "  - own: {HalfSquares: {}, bottom: [half, y], loss_weight: 0.5}\n"
    half = "  - half: {InnerProduct: {num_output: 2, weight_filler: {type: constant, value: 0.3}}, param: [{lr_mult: 0}, " \
           "{lr_mult: 0}], bottom: made}\n"
    (here / "maker.yaml").write_text((here / "maker.yaml").read_text().replace("bottom: [made, y]", "bottom: made") + half + own)
    folder = make(SPLIT).run("run")
    (here / "both.yaml").write_text((here / "both.yaml").read_text().replace(
        "- d: {", "- d: {param: [{lr_mult: 0}, {lr_mult: 0}], ") + half + own)
    with netdef.Solver("solver.yaml", overrides=["net=both.yaml", "iter_size=2"], weights=final(folder, "first")) as solver:
        solver.step(8)
        whole = solver.net.params["g"][0].data.copy()
    assert np.allclose(arrays(final(folder, "split", "maker"))["g"][0], whole, rtol=1e-5)


def test_params_learn_below_which_there_is_no_gradient(turns, in_turns, here):
    """An Embed differentiates no bottom and learns all the same, in a net without a loss of its own."""
    (here / "maker.yaml").write_text((here / "maker.yaml").read_text().replace("  - g:", """
  - ids: {DummyData: {shape: {dim: 4}, data_filler: {value: 1}}}
  - e: {Embed: {input_dim: 3, num_output: 3, weight_filler: {type: gaussian, std: 0.5}}}
  - sum: {Eltwise: {}, bottom: [x, e]}
  - g:""").replace("bottom: x, top: made", "bottom: sum, top: made"))
    t = turns(in_turns)
    table, bias = (blob.data.copy() for blob in t.linked["maker"].net.params["e"])
    t.players["maker"].play(1)
    now = [blob.data for blob in t.linked["maker"].net.params["e"]]
    assert ((now[0] != table).any(axis=1) == [False, True, False]).all() and (now[1] != bias).all()


def test_loss_of_a_judge_is_the_loss_shown(turns, in_turns):
    t = turns(in_turns)
    maker = t.players["maker"]
    seen = []
    maker.listen(lambda event: seen.append(event.loss) if type(event).__name__ == "Updated" else None)
    maker.play(2)
    assert seen[-1] == t.linked["judge"].net.loss > 0 and maker.net.loss == 0


def test_what_feeds_runs_once_before_each_pass(turns, in_turns):
    t = turns(in_turns)
    critic, maker, judge = (t.linked[n].net for n in ("critic", "maker", "judge"))
    t.players["critic"].play(2)
    assert (critic.pass_number, maker.pass_number, judge.pass_number) == (2, 2, 0)
    assert (critic.blobs["made"].data == maker.blobs["made"].data).all() and critic.blobs["made"].data.any()
    t.players["maker"].play(3)
    assert (critic.pass_number, maker.pass_number, judge.pass_number) == (2, 5, 3)
    assert (judge.blobs["made"].data == maker.blobs["made"].data).all()


def test_a_lent_net_learns_nothing_and_computes_no_gradient_by_params(turns, in_turns):
    t = turns(in_turns)
    judge = t.linked["judge"].net
    before = judge.params["d"][0].data.copy()
    t.players["maker"].play(2)
    assert (judge.params["d"][0].data == before).all() and not judge.params["d"][0].diff.any()
    assert judge.blobs["made"].diff.any()


@pytest.mark.parametrize(("net", "iteration", "kill"), [
    ("critic", 1, False), ("critic", 4, False), ("maker", 7, False), ("maker", 18, False), ("critic", 9, True),
    ("maker", 2, True)])
def test_going_on_is_exact(make, in_turns, stop_at, final, same, net, iteration, kill):
    """At whatever turn and iteration it ends; killed, it goes on from the last snapshot, or begins anew."""
    straight = make(in_turns).run("straight")
    recipe = make(in_turns)
    stop = stop_at(recipe, net, iteration, kill)
    if kill:
        with pytest.raises(KeyboardInterrupt):
            recipe.run("stopped", follower=stop)
    else:
        recipe.run("stopped", follower=stop)
        assert recipe.stopped
    again = make(in_turns)
    later = stop_at(again, "", 0)
    folder = again.run(snapshot="stopped", follower=later)
    done = len(stop.seen) if not kill else (len(stop.seen) - 1) // 10 * 10  # a snapshot every two rounds of 2 + 3
    assert len(later.seen) == 6 * 5 - done
    for name in ("critic", "maker"):
        assert same(final(straight, "duel", name), final(folder, "duel", name))
        states = [weights.read_solverstate(final(f, "duel", name).with_suffix(".solverstate")) for f in (straight, folder)]
        assert all(np.array_equal(x, y) for x, y in zip(states[0].history, states[1].history, strict=True))


def test_going_on_is_exact_with_averages_and_several_batches_an_iteration(make, in_turns, stop_at, final, same):
    settings = [f"stage.duel.turn.{net}.solver_param.{field}" for net in ("critic", "maker")
                for field in ("ema_decay=0.9", "iter_size=2")]
    straight = make(in_turns, *settings).run("straight")
    recipe = make(in_turns, *settings)
    recipe.run("stopped", follower=stop_at(recipe, "maker", 8))
    folder = make(in_turns, *settings).run(snapshot="stopped")
    for name in ("critic", "maker"):
        one, other = (final(f, "duel", name) for f in (straight, folder))
        assert same(one, other) and same(one.with_suffix(".ema.caffemodel"), other.with_suffix(".ema.caffemodel"))
        assert not same(one, one.with_suffix(".ema.caffemodel"))


def test_snapshots_are_of_all_nets_and_whole(make, in_turns, stop_at, tmp_path):
    folder = make(in_turns).run("run")
    assert sorted(p.name for p in (folder / "duel").iterdir()) == ["at_10", "at_20", "at_30", "critic", "maker"]
    assert newest(folder / "duel").name == "at_30"
    assert sorted(p.name for p in (folder / "duel/at_20").iterdir()) == [
        "critic_iter_8.caffemodel", "critic_iter_8.solverstate", "maker_iter_12.caffemodel", "maker_iter_12.solverstate",
        "turns.json"]
    (folder / "duel/at_30/turns.json").unlink()
    assert newest(folder / "duel").name == "at_20"
    kept = make(in_turns.replace("snapshot: 2", "snapshot: 2\n    keep: LAST")).run("kept")
    assert [p.name for p in sorted((kept / "duel").glob("at_*"))] == ["at_30"]
    least = make(in_turns.replace("snapshot: 2", "snapshot: 2\n    keep: WEIGHTS")).run("least")
    assert sorted(p.name for p in (least / "duel/at_30").glob("*_iter_*")) == ["critic_iter_12.caffemodel",
                                                                              "maker_iter_18.caffemodel"]


def test_a_signal_for_a_snapshot_saves_all_and_goes_on(make, in_turns):
    from netdef.solvers import events as e
    from netdef.solvers.recipes.recipe import Follower

    class Ask(Follower):
        def ready(self, stage, member, solver):
            solver.listen(lambda event: recipe.signals.request("snapshot")
                          if isinstance(event, e.Updated) and (member.name, event.iter) == ("maker", 2) else None)

    recipe = make(in_turns)
    folder = recipe.run("run", follower=Ask())
    assert not recipe.stopped and (folder / "duel/at_4/turns.json").exists()


def test_later_stages_take_from_nets_in_turns(make, in_turns, final, arrays):
    text = in_turns + """  - name: after
    solver: solver.yaml
    solver_param: {net: both.yaml}
    max_iter: 0
    strict: true
    weights: [{stage: duel/maker}, {stage: duel, layer: d}]
"""
    folder = make(text).run("run")
    both = arrays(final(folder, "after"))
    assert (both["g"][0] == arrays(final(folder, "duel", "maker"))["g"][0]).all()
    assert (both["d"][0] == arrays(final(folder, "duel", "critic"))["d"][0]).all()


def test_a_snapshot_of_other_nets_is_refused(make, in_turns, stop_at):
    recipe = make(in_turns)
    recipe.run("run", follower=stop_at(recipe, "maker", 2))
    with pytest.raises(netdef.NetdefError, match="turns.json: error: the nets of this snapshot are not those of the stage"):
        make(in_turns.replace("name: maker\n", "name: baker\n").replace("from: maker", "from: baker")).run(snapshot="run")


FOUR_STEPS = """random_seed: 7
stage:
  - {name: rpn1, solver: solver.yaml, solver_param: {net: rpn.yaml}, max_iter: 5, weights: {file: w.npz, layer: conv}}
  - name: fast1
    rounds: 1
    turn:
      - {name: proposals, iter: 0, share: false, solver_param: {net: rpn.yaml}, weights: {stage: rpn1}}
      - name: detector
        iter: 5
        solver: solver.yaml
        solver_param: {net: fast.yaml}
        weights: {file: w.npz}
        feed: [{from: proposals, blob: rois}, {from: proposals, blob: x}, {from: proposals, blob: y}]
  - {name: rpn2, solver: solver.yaml, solver_param: {net: rpn.yaml}, max_iter: 5, freeze: conv,
     weights: {stage: fast1/detector, layer: conv}}
  - name: fast2
    rounds: 1
    turn:
      - {name: proposals, iter: 0, solver_param: {net: rpn.yaml}, weights: {stage: rpn2}}
      - name: detector
        iter: 5
        solver: solver.yaml
        solver_param: {net: fast.yaml}
        weights: {stage: fast1/detector}
        freeze: conv
        feed: [{from: proposals, blob: rois}, {from: proposals, blob: x}, {from: proposals, blob: y}]
  - {name: final, max_iter: 0, solver: solver.yaml, solver_param: {net: final.yaml}, strict: true,
     weights: [{stage: rpn2}, {stage: fast2/detector}]}
"""
HEAD = """
  - conv: {InnerProduct: {num_output: 3}, bottom: x}
"""
RPN = "layers:\n  - rows: {Rows: {}, top: [x, y]}" + HEAD + """
  - rois: {InnerProduct: {num_output: 2, weight_filler: {type: gaussian, std: 0.5}}, bottom: conv}
  - loss: {HalfSquares: {}, bottom: [rois, y]}
"""
FAST = """
  - both: {Concat: {axis: 1}, bottom: [conv, rois]}
  - box: {InnerProduct: {num_output: 2, weight_filler: {type: gaussian, std: 0.5}}}
  - loss_box: {HalfSquares: {}, bottom: [box, y]}
"""


def test_four_steps_of_a_detector(make, final, arrays, here):
    """Faster R-CNN's scheme: two nets with convolutions of their own, then with the same ones, then one net of both."""
    (here / "rpn.yaml").write_text(RPN)
    (here / "fast.yaml").write_text("layers:\n  - in: {Input: {shape: [{dim: [4, 3]}, {dim: [4, 2]}, {dim: [4, 2]}]}, "
                                    "top: [x, y, rois]}" + HEAD + FAST)
    (here / "final.yaml").write_text(RPN.replace("  - loss:", "  - loss_rpn:") + FAST)
    weights.write("w.npz", [("conv", "InnerProduct", [np.eye(3, dtype=np.float32), np.zeros(3, np.float32)])])
    folder = make(FOUR_STEPS).run("run")
    rpn1, rpn2 = (arrays(final(folder, name)) for name in ("rpn1", "rpn2"))
    fast1, fast2 = (arrays(final(folder, name, "detector")) for name in ("fast1", "fast2"))
    both = arrays(final(folder, "final"))
    assert (rpn1["conv"][0] != fast1["conv"][0]).any() and (fast1["conv"][0] != np.eye(3)).any()
    for net in (rpn2, fast2, both):
        assert (net["conv"][0] == fast1["conv"][0]).all()
    assert (both["rois"][0] == rpn2["rois"][0]).all() and (both["box"][0] == fast2["box"][0]).all()
    assert (fast2["box"][0] != fast1["box"][0]).any() and (rpn2["rois"][0] != rpn1["rois"][0]).any()
