"""Debug: gradients shown and checked. Presents what ``runtime/watch.py`` measures.

``recording.py`` takes every blob's and param's data and gradient out of a pass, ``tables.py`` prints them,
``netcheck.py`` compares a net's gradients with central differences. ``watch.py`` listens to a training and advises,
``rerun.py`` (blame) replays one: both measure with ``look.py``, judge with ``health.py``, find the first bad value with
``bad.py`` and its cause with ``causes.py`` (values that are not finite) or ``stopped.py`` (gradients that are 0), and give
``finding.py``'s Findings. May import: solvers and below.
"""
from __future__ import annotations

from typing import Any

__all__ = ["blame", "check", "record"]


def __getattr__(name: str) -> Any:
    import importlib

    if name == "blame":
        return importlib.import_module("netdef.debug.rerun").blame
    if name == "record":
        return importlib.import_module("netdef.debug.recording").record
    if name == "check":
        return importlib.import_module("netdef.debug.netcheck").check
    raise AttributeError(f"module 'netdef.debug' has no attribute '{name}'")
