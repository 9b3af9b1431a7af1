"""Arithmetic on plain NumPy arrays: ``from netdef import kernels as K; K.relu_forward(x, 0.0, out)``.

What lives here: ``reference/<op>.py``, plain NumPy for any float dtype, written first and kept; ``compiled/<op>.py``,
the Numba twins for float32; ``table.py``, which picks between them; ``jit.py``, the only file that knows Numba's
decorators, with ``cache.py`` (where compiled code is kept) and ``threads.py``; ``conv_blocks.py``, the walk over blocks of
images that both kinds of convolution share; ``choice.py``, which algorithm a convolution gets; ``doctor.py``, what this
machine offers.

What it may import: ``netdef.errors`` and NumPy. A kernel never sees a Blob or a layer.

How to add one: write ``reference/<op>.py`` (inputs first, outputs last, written in place), a test against a naive loop,
and a row in ``table.py``. A compiled twin comes after, with its ratio and its cases in ``tests/kernels/test_pairs.py``,
which walks the table. ``NETDEF_KERNELS=reference`` runs everything on NumPy.
"""
from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def __getattr__(name: str) -> Callable[..., Any]:
    """The kernel called ``name``; AttributeError where the table has none."""
    if name.startswith("_"):
        raise AttributeError(name)
    table = importlib.import_module("netdef.kernels.table")  # a from-import would come back here
    try:
        kernel = table.TABLE[name]
    except KeyError:
        raise AttributeError(f"netdef.kernels has no kernel '{name}'") from None
    globals()[name] = kernel  # the next look-up does not come here
    return kernel


def __dir__() -> list[str]:
    return sorted(importlib.import_module("netdef.kernels.table").TABLE)
