"""docs/recipes.md: the plans in it are what the commands print, and its recipes are recipes."""
from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from netdef.config.load import parse_text_message
from netdef.solvers.recipes import Recipe

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
BLOCKS = [textwrap.dedent(block).strip() for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", TEXT, re.MULTILINE)]


@pytest.mark.parametrize("name", ["mnist_autoencoder", "mnist_generator"])
def test_plans(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    said = str(Recipe(f"configs/{name}/recipe.yaml"))
    shown = [block for block in BLOCKS if block.startswith("stage ") and f"configs/{name}/" in block]
    assert shown
    for block in shown:
        assert block in said


def test_examples_are_recipes():
    """Every field of every recipe on the page is known."""
    found = [block for block in BLOCKS if re.search(r"^stage:", block, re.MULTILINE)]
    assert len(found) >= 3
    for block in found:
        assert parse_text_message(block, "recipe.yaml", "RecipeParameter").message.stage


def test_every_field_is_told():
    from netdef.config import schema

    fields = {f for m in ("RecipeStage", "RecipeTurn", "RecipeWeights", "RecipeFeed", "RecipeGradient") for f in schema.fields(m)}
    assert [f for f in sorted(fields) if not re.search(rf"`{f}\b|\b{f}:", TEXT)] == []
