"""Debug: gradients shown and checked. Presents what ``runtime/watch.py`` measures.

``record.py`` takes every blob's and param's data and gradient out of a pass, ``tables.py`` prints them,
``check.py`` compares a net's gradients with central differences. May import: solvers and below.
"""
from __future__ import annotations

from typing import Any

__all__ = ["check", "record"]


def __getattr__(name: str) -> Any:
    import importlib

    if name == "record":
        return importlib.import_module("netdef.debug.record").record
    if name == "check":
        return importlib.import_module("netdef.debug.check").check
    raise AttributeError(f"module 'netdef.debug' has no attribute '{name}'")
