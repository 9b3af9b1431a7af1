"""Recipes: several solvers in stages, one after another or in turns.

What lives here: from a RecipeParameter to a plan that can be printed (``plan.py``, and what it asks: ``fields.py``,
``solverof.py``, ``freezing.py``, ``sources.py``, ``sharing.py``, ``links.py``), and from a plan to a run that can be
stopped and gone on with (``recipe.py``, ``turns.py``, ``player.py``, ``folder.py``). May import what the solvers may.
"""
from netdef.solvers.recipes.recipe import Recipe

__all__ = ["Recipe"]
