"""Which algorithm runs a pass of a convolution, and how much scratch it takes: decided by shapes and the processor alone.

``NETDEF_CONV=<name>`` asks for one algorithm, to look for a mistake or to compare; where it cannot be, the next one of ``NAMES``
that can. ``NETDEF_WINOGRAD=0``, or ``winograd: false`` in a net, leaves Winograd out, whose rounding errors are larger than
those of a plain sum.
"""
from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache

from netdef.kernels.conv_blocks import Geometry, Sizes, geometry
from netdef.kernels.table import LEAST

PASSES = ("forward", "backward_data", "backward_weights")

NAMES = ("winograd4x4", "winograd2x2", "winograd2x2_5x5", "depthwise", "product", "pointwise", "direct", "blocks")
"""All algorithms, the preferred first."""


_plain: ContextVar[bool] = ContextVar("plain", default=False)


@contextmanager
def winograd(allowed: bool) -> Iterator[None]:
    """Inside the block this thread's convolutions may be done by Winograd's algorithms, or not."""
    token = _plain.set(not allowed)
    try:
        yield
    finally:
        _plain.reset(token)


def choose(g: Geometry, which: str) -> str:
    """The algorithm for a pass (one of ``PASSES``) of a convolution over two axes, or any other. Raises ValueError for
    a NETDEF_CONV that is no name."""
    return _choose(g, which, os.environ.get("NETDEF_CONV", ""), _plain.get() or os.environ.get("NETDEF_WINOGRAD", "") == "0")


@lru_cache(maxsize=4096)
def _choose(g: Geometry, which: str, wanted: str, plain: bool) -> str:
    if wanted and wanted not in NAMES:
        raise ValueError(f"NETDEF_CONV: expected one of {', '.join(NAMES)}, got '{wanted}'")
    legal = _legal(g, which, plain)
    behind = NAMES[NAMES.index(wanted):] if wanted else NAMES
    return next(name for name in behind if name in legal)


def _legal(g: Geometry, which: str, plain: bool) -> set[str]:
    """The algorithms that can do a pass, without those that would be slower than the next."""
    from netdef.kernels.compiled import depthwise
    from netdef.kernels.compiled import winograd as tiles

    if len(g.kernel) != 2 or g.images * g.area * math.prod(g.image) == 0:
        return {"blocks"}
    found = {"direct", "blocks"}
    variant = None if plain else tiles.suits(g, which)
    if variant is not None:
        found.add(variant)
    if depthwise.suits(g):
        found.add("depthwise")
    if g.kernel == g.image and g.pad == (0, 0) and g.dilation == (1, 1) and g.group == 1:
        found.add("product")
    if g.kernel == (1, 1) and g.pad == (0, 0) and g.stride == (1, 1):
        found.add("pointwise")
    return found


def planar(g: Geometry) -> Geometry:
    """The same convolution over two axes, where it is one over a single axis."""
    if len(g.kernel) != 1:
        return g
    return replace(g, image=(1, *g.image), kernel=(1, *g.kernel), stride=(1, *g.stride), pad=(0, *g.pad),
                   dilation=(1, *g.dilation), out=(1, *g.out))


def scratch_shape(x_shape: Sizes, w_shape: Sizes, stride: Sizes, pad: Sizes, dilation: Sizes, group: int) -> Sizes:
    """Shape of the scratch array ``col`` for the three passes. Where compiled kernels will not run it is what the plain
    ones take; where they will and then do not, as in float64, the plain ones make their own."""
    g = geometry(tuple(x_shape), tuple(w_shape), tuple(stride), tuple(pad), tuple(dilation), group)
    small = max(math.prod(x_shape), math.prod(w_shape), g.images * g.filters * g.area) < LEAST
    if small or len(g.kernel) not in (1, 2) or os.environ.get("NETDEF_KERNELS", "") == "reference":
        return (g.scratch,)
    from netdef.kernels.compiled.conv import scratch

    return (max(scratch(planar(g), which, choose(planar(g), which)) for which in PASSES),)
