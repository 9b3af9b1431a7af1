"""The recipes of configs/: their READMEs, and a much shortened run of each."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from netdef.solvers.metrics import read_metrics
from netdef.solvers.recipes import Recipe

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
RECIPES = sorted(p.parent.name for p in CONFIGS.glob("*/recipe.yaml"))


def test_there_are_recipes():
    assert {"mnist_autoencoder", "mnist_generator"} <= set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_readme(name):
    """It begins with a title and has the command; the list of all configs names it."""
    text = (CONFIGS / name / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# ") and f"    netdef train configs/{name}/recipe.yaml" in text and "Expected" in text
    assert f"| [{name}]({name}/README.md) |" in (CONFIGS / "README.md").read_text(encoding="utf-8")


def scores_of(folder: Path) -> list[dict]:
    """The records of a run's tests."""
    return [r for r in read_metrics(folder / "metrics.jsonl") if r["kind"] == "test"]


def test_pretraining_beats_a_random_start(tmp_path, monkeypatch):
    """A thirtieth of the iterations, and a few of the test digits."""
    monkeypatch.chdir(tmp_path)
    short = [f"stage.{name}.max_iter={n}" for name, n in (("layer1", 60), ("layer2", 60), ("layer3", 60), ("finetune", 40),
                                                          ("random", 40))]
    short += [f"stage.{name}.solver_param={{test_interval: 40, test_iter: 2}}" for name in ("finetune", "random")]
    recipe = Recipe(CONFIGS / "mnist_autoencoder" / "recipe.yaml", short)
    finetune, random = (recipe.plan.stages[i].members[0] for i in (3, 4))
    assert finetune.solver.message == random.solver.message
    folder = recipe.run("run", seed=1)
    losses = {}
    for stage in ("finetune", "random"):
        first, *_, last = scores_of(folder / stage)
        assert (first["iter"], last["iter"]) == (0, 40)
        losses[stage] = first["outputs"]["cross_entropy"], last["outputs"]["cross_entropy"]
    assert losses["finetune"][0] < losses["random"][0] / 2  # already before it is trained as a whole
    assert losses["finetune"][1] < losses["random"][1]


def test_generator_and_classifier_learn_from_each_other(tmp_path, monkeypatch):
    """Few rounds: the classifier tells real from generated, the generator gets its gradient, and both are saved."""
    monkeypatch.chdir(tmp_path)
    recipe = Recipe(CONFIGS / "mnist_generator" / "recipe.yaml", [
        "stage.examiner.max_iter=2", "stage.examiner.solver_param.test_iter=[]", "stage.examiner.solver_param.test_interval=0",
        "stage.turns.rounds=30", "stage.turns.turn.generator.solver_param.test_iter=1",
        "stage.turns.turn.generator.solver_param.test_interval=30", "stage.turns.turn.generator.solver_param.display=1",
        "stage.turns.snapshot=0",
        "stage.turns.turn.classifier.solver_param.display=1"])
    folder = recipe.run("run", seed=1)
    classifier, generator = ([r["loss"] for r in read_metrics(folder / "turns" / name / "metrics.jsonl")
                              if r["kind"] == "train"] for name in ("classifier", "generator"))
    assert classifier[-1] < 0.75 * classifier[0] and generator[-1] > generator[0]
    weights = json.loads((folder / "recipe.json").read_text())["finished"]["turns"]["weights"]
    assert set(weights) == {"classifier", "generator"} and all((folder / path).exists() for path in weights.values())
