"""What a recipe can get wrong, each with its place; and the plan in words."""
from __future__ import annotations

import pytest

from netdef.errors import ConfigErrors, NetdefError


@pytest.fixture
def refused(make):
    """``refused(text)``: the message of the error."""

    def message(text: str) -> str:
        with pytest.raises(NetdefError) as caught:
            make(text)
        return str(caught.value)

    return message


@pytest.mark.parametrize(("old", "new", "words"), [
    ("stage: one", "stage: onne", "recipe.yaml:12:22: error: stage 'two': weights: there is no stage 'onne'; did you mean 'one'"),
    ("stage: one", "stage: two", "recipe.yaml:12:22: error: stage 'two': weights: stage 'two', at recipe.yaml:8:5, has not run"),
    ("stage: one", "stage: one/x", "recipe.yaml:12:22: error: stage 'two': weights: stage 'one' has no turn 'x'"),
    ("stage: one,", "", "recipe.yaml:12:5: error: stage 'two': weights: expected either stage or file"),
    ("stage: one", "file: no.npz", "recipe.yaml:12:21: error: no file 'no.npz': tried"),
    ("stage: one", "file: first.yaml", "recipe.yaml:12:21: error: stage 'two': weights: "),
    ("layer: a", "layer: aa", "recipe.yaml:12:34: error: stage 'two': weights: stage 'one' has no layer 'aa' with params"),
    ("layer: b,", "layer: bb,", "recipe.yaml:12:53: error: stage 'two': weights: stage 'one' has no layer 'bb' with params"),
    ("to: c", "to: cc", "recipe.yaml:12:60: error: stage 'two': weights: the net has no layer 'cc' with params"),
    ("to: c", "to: mid", "recipe.yaml:12:5: error: stage 'two': weights: param 0 of layer 'mid' has shape (3, 3), 'b' of stage "
     "'one' has (2, 3)"),
    ("freeze: a", "freeze: aa", "recipe.yaml:13:13: error: stage 'two': freeze: 'aa' freezes nothing: the net has no such layer"),
    ("freeze: a", "freeze: midd", "the net has no such layer; did you mean 'mid'?"),
    ("freeze: a", "freeze: loss", "recipe.yaml:13:13: error: stage 'two': freeze: 'loss' freezes nothing: what it matches has no "
     "params"),
    ("freeze: a", "freeze: '*'", "recipe.yaml:13:13: error: stage 'two': freeze leaves nothing to learn"),
    ("freeze: a", "freeze: mid", "recipe.yaml:13:13: error: stage 'two': 'mid' is frozen, but no weights give layer 'mid' "
     "(InnerProduct) its params, and no other net of the stage does: they would stay at random"),
    ("freeze: a", "strict: true", "recipe.yaml:13:13: error: stage 'two': strict: no weights give layer 'mid' (InnerProduct)"),
    ("name: two", "name: one", "recipe.yaml:8:11: error: stage: 'one' is the name of another stage, at recipe.yaml:4:11"),
    ("name: two", "name: a/b", "recipe.yaml:8:11: error: stage: name: expected letters, digits"),
    ("    freeze: a", "    rounds: 2", "recipe.yaml:13:13: error: stage 'two': rounds is for stages with turns"),
    ("    freeze: a", "    feed: {from: one}", "recipe.yaml:13:5: error: no field 'feed' in stage"),
    ("type: Adam", "typ: Adam", "no field 'typ' in stage.solver_param; did you mean 'type'?"),
    ("type: Adam", "type: Adma", "recipe.yaml:10:44: error: solver: type: unknown solver type 'Adma'; did you mean 'Adam'?"),
    ("type: Adam", "snapshot_prefix: x", "solver_param.snapshot_prefix has no place in a recipe"),
    ("second.yaml", "secnod.yaml", "recipe.yaml:10:25: error: no file 'secnod.yaml': tried"),
    ("solver: solver.yaml\n    solver_param: {net: second", "solver: sovler.yaml\n    solver_param: {net: second",
     "recipe.yaml:9:13: error: no file 'sovler.yaml': tried"),
    ("    max_iter: 10\n    weights", "    weights", "recipe.yaml:8:5: error: stage 'two': max_iter: missing"),
])
def test_mistakes_in_stages(refused, in_stages, old, new, words):
    assert old in in_stages
    text = in_stages.replace("name: steps\nrandom_seed: 7\n", "random_seed: 7\n# a line\n")
    head, found, tail = text.rpartition(old)
    assert found and words in refused(head + new + tail)


@pytest.mark.parametrize(("old", "new", "words"), [
    ("from: maker, blob: made}\n      - name: maker", "from: baker, blob: made}\n      - name: maker",
     "recipe.yaml:12:22: error: stage 'duel', turn 'critic': feed: the stage has no turn 'baker'; did you mean 'maker'?"),
    ("from: maker, blob: made}\n      - name: maker", "from: critic, blob: made}\n      - name: maker",
     "recipe.yaml:12:22: error: stage 'duel', turn 'critic': feed: from: expected another turn, got this one"),
    ("blob: made}\n      - name: maker", "blob: mad}\n      - name: maker",
     "recipe.yaml:12:35: error: stage 'duel', turn 'critic': feed: the net 'maker' has no blob 'mad'; did you mean 'made'?"),
    ("blob: made}\n      - name: maker", "blob: made, to: d}\n      - name: maker",
     "the blob 'd' of 'critic' is made by layer 'd' (InnerProduct); a blob that comes in from outside is the top of an Input"),
    ("blob: made}\n      - name: maker", "blob: y, to: made}\n      - name: maker",
     "recipe.yaml:12:9: error: stage 'duel', turn 'critic': feed: 'y' of 'maker' has shape (4, 2), 'made' of 'critic' "
     "has (4, 3)"),
    ("from: judge", "from: critic, weight: 0.5", None),
    ("from: judge", "from: maker", "gradient: from: expected another turn, got this one"),
    ("        feed: {from: maker, blob: made}\n      - name: maker", "        share: true\n      - name: maker", None),
    ("        feed: {from: maker, blob: made}\n", "        share: true\n",
     "recipe.yaml:17:26: error: stage 'duel', turn 'maker': gradient: 'judge' has no feed from 'maker'"),
    ("        iter: 0\n        solver_param: {net: critic.yaml}", "        iter: 0\n        solver_param: {net: other.yaml}",
     "param 0 of layer 'd' has shape (3, 3) in 'judge' and (2, 3) in 'critic', and the nets share it"),
    ("        iter: 0\n", "        iter: 0\n        share: false\n",
     "recipe.yaml:19:15: error: stage 'duel', turn 'judge': the net is only lent, but no weights give layer 'd'"),
    ("    rounds: 6\n", "", "recipe.yaml:4:5: error: stage 'duel': rounds: missing"),
    ("    rounds: 6\n", "    rounds: 0\n", "rounds: expected at least 1, got 0"),
    ("    rounds: 6\n", "    rounds: 6\n    freeze: d\n",
     "recipe.yaml:6:13: error: stage 'duel': freeze does not go together with turn"),
    ("type: Adam,", "snapshot: 5,", "recipe.yaml:11:52: error: stage 'duel', turn 'critic': "
     "solver_param.snapshot has no place in a recipe in turns"),
    ("iter: 3", "iter: -3", "recipe.yaml:14:15: error: stage 'duel', turn 'maker': iter: expected at least 0, got -3"),
    ("        gradient: {from: judge}\n", "", None),
    ("        gradient: {from: judge}\n", "        feed: {from: critic, blob: d, to: x}\n", "made by layer 'rows' (Rows)"),
])
def test_mistakes_in_turns(make, refused, in_turns, here, old, new, words):
    text = (here / "critic.yaml").read_text()
    (here / "other.yaml").write_text(text.replace("num_output: 2", "num_output: 3").replace("[d, y]", "[d, made]"))
    head, found, tail = in_turns.rpartition(old)
    assert found
    if words is None:
        make(head + new + tail)
    else:
        assert words in refused(head + new + tail)


def test_both_lines_of_a_shape_that_does_not_fit(refused, in_stages, in_turns, here):
    said = refused(in_stages.replace("to: c", "to: mid"))
    assert "there: first.yaml:6:5" in said and "here:  second.yaml:6:5" in said
    (here / "other.yaml").write_text((here / "critic.yaml").read_text().replace("num_output: 2", "num_output: 3")
                                     .replace("[d, y]", "[d, made]"))
    head, _, tail = in_turns.rpartition("critic.yaml")
    said = refused(f"{head}other.yaml{tail}")
    assert "other.yaml:6:5: error" in said and "in 'critic': critic.yaml:6:5" in said


def test_nets_that_feed_each_other_in_a_circle(refused, in_turns, here):
    (here / "maker.yaml").write_text((here / "maker.yaml").read_text().replace(
        "  - g:", "  - back: {Input: {shape: {dim: [4, 2]}}}\n  - g:").replace("bottom: [made, y]", "bottom: [made, y, back]"))
    said = refused(in_turns.replace("        gradient: {from: judge}", "        feed: {from: critic, blob: d, to: back}"))
    assert "feed: nets feed each other in a circle: critic <- maker <- critic" in said


def test_a_loss_that_does_not_depend_on_what_is_fed(refused, in_turns, here):
    (here / "critic.yaml").write_text((here / "critic.yaml").read_text().replace("bottom: x}", "bottom: made}").replace(
        "num_output: 2, weight_filler: {type: gaussian, std: 0.5}}", "num_output: 2, weight_filler: {type: gaussian, std: 0.5}}, "
        "bottom: x"))
    assert "gradient: no loss of 'judge' depends on its blob 'made'" in refused(in_turns)


def test_layers_of_test_nets_need_weights(refused, in_stages, here):
    (here / "first.yaml").write_text((here / "first.yaml").read_text() +
                                     "  - more: {InnerProduct: {num_output: 2}, bottom: b, include: {phase: TEST}}\n")
    said = refused(in_stages.replace("snapshot: 4}\n    max_iter: 10\n  - name: two",
                                     "test_iter: 1, test_interval: 5}\n    max_iter: 10\n  - name: two"))
    assert "first.yaml:8:5: error: stage 'one': layer 'more' (InnerProduct) is in the test net only" in said


def test_mistakes_are_told_together(make):
    with pytest.raises(ConfigErrors) as caught:
        make("stage:\n  - {solver: a}\n  - {name: b}\n  - {name: b, solver: c, turn: {name: d}}\n")
    assert len(caught.value.errors) == 6
    with pytest.raises(NetdefError, match="recipe: no stage"):
        make("name: x\n")


def test_the_plan_in_words(make, in_stages, in_turns):
    assert str(make(in_stages)) == """recipe 'steps': 2 stages, 20 iterations

stage 1 of 2: 'one', 10 iterations (recipe.yaml:4:5)
  net      'first' (first.yaml), phase TRAIN, level 0
  solver   SGD, base_lr 0.1 (fixed), 10 iterations
  layer  params  values  learns  begins as
  a      3x3, 3      12  yes     filled: gaussian, constant
  b      2x3, 2       8  yes     filled: gaussian, constant
  keeps all snapshots

stage 2 of 2: 'two', 10 iterations (recipe.yaml:8:5)
  net      'second' (second.yaml), phase TRAIN, level 0
  solver   Adam, base_lr 0.1 (fixed), 10 iterations
  layer  params  values  learns                  begins as
  a      3x3, 3      12  no (recipe.yaml:13:13)  stage 'one'
  mid    3x3, 3      12  yes                     filled: gaussian, constant
  c      2x3, 2       8  yes                     stage 'one', layer 'b'
  backward ends at 'mid'
  keeps all snapshots"""
    said = str(make(in_turns))
    for line in ("stage 1 of 1: 'duel', 6 rounds of critic 2, maker 3 in turns (recipe.yaml:4:5)",
                 "    feed     'made' is 'made' of maker (recipe.yaml:12:9)",
                 "    solver   SGD, base_lr 0.1 (fixed), 18 iterations, 3 in each turn",
                 "    gradient of the loss of judge: 'made' from 'made' (recipe.yaml:17:9)",
                 "    net      'critic' (critic.yaml), phase TRAIN, level 0, only lent: nothing in it learns",
                 "    d      2x3, 2       8  no      shared with 'critic'", "  keeps all snapshots; saves every 2 rounds"):
        assert line in said.splitlines(), line


def test_overrides_reach_into_stages_and_turns(make, in_turns):
    plan = make(in_turns, "stage.duel.rounds=2", "stage.duel.turn.critic.solver_param.base_lr=0.5").plan
    critic = plan.stages[0].member("critic")
    assert (plan.stages[0].iterations, critic.solver.message.base_lr, critic.solver.message.max_iter) == (10, 0.5, 4)


def test_nets_may_stand_in_the_recipe(make):
    plan = make("""stage:
  name: here
  max_iter: 3
  solver_param:
    base_lr: 0.1
    lr_policy: fixed
    net_param:
      name: inside
      layers:
        - rows: {Rows: {}, top: [x, y]}
        - a: {InnerProduct: {num_output: 2}, bottom: x}
        - loss: {HalfSquares: {}, bottom: [a, y]}
""").plan
    assert plan.stages[0].members[0].plan.description.name == "inside"
