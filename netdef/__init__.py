"""netdef: Caffe you can pip install.

>>> import netdef
>>> net = netdef.Net("configs/logreg/net.yaml", phase="TEST")      # doctest: +SKIP
>>> net.forward()                                                  # doctest: +SKIP

Public names are loaded when they are first used, so that ``import netdef`` costs next to nothing.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from netdef.blob import Blob as Blob
    from netdef.data.preprocessing import Preprocessing as Preprocessing
    from netdef.errors import NetdefError as NetdefError
    from netdef.layers.base import Layer as Layer
    from netdef.layers.registry import register_user_layer as register
    from netdef.predict.predictor import Predictor as Predictor
    from netdef.runtime.net import Net as Net
    from netdef.solvers.recipes.recipe import Recipe as Recipe
    from netdef.solvers.solver import Solver as Solver

_WHERE = {
    "Blob": ("netdef.blob", "Blob"),
    "Layer": ("netdef.layers.base", "Layer"),
    "Net": ("netdef.runtime.net", "Net"),
    "NetdefError": ("netdef.errors", "NetdefError"),
    "Predictor": ("netdef.predict.predictor", "Predictor"),
    "Preprocessing": ("netdef.data.preprocessing", "Preprocessing"),
    "Recipe": ("netdef.solvers.recipes.recipe", "Recipe"),
    "Solver": ("netdef.solvers.solver", "Solver"),
    "register": ("netdef.layers.registry", "register_user_layer"),
}
__all__ = ["Blob", "Layer", "Net", "NetdefError", "Predictor", "Preprocessing", "Solver", "__version__", "register"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        import importlib

        module, attribute = _WHERE[name]
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module 'netdef' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
