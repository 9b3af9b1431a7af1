"""A forward pass written out: every layer's formula, its numbers put in, and what comes out. For one small item."""
from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from netdef.errors import NetdefError
from netdef.graph.render import shape_text
from netdef.layers import catalogue
from netdef.runtime.executor import RunStep
from netdef.runtime.net import Net

_FIRST = re.compile(r"y(?:_\w|\[[^\]]*\])? = .*?(?=; |\. |\.$| and dx|, or y|$)")
# How one value is made from one value, for layers where that is all there is to say.
_ONE = {"Sigmoid": "1 / (1 + exp({minus}))", "TanH": "tanh({x})", "AbsVal": "|{x}|", "ReLU": "max({x}, 0)",
        "BNLL": "log(1 + exp({x}))"}
_UNCHANGED = ("Dropout", "Split", "Flatten", "Reshape", "Input")


def worked(net: Net, values: Mapping[str, Any], limit: int = 12) -> str:
    """The pass of ``net`` over one item (arrays with a first axis of 1, by input), as text.

    A sum is written out where it has at most ``limit`` terms, a blob's values where there are at most ``limit``; of larger
    ones the first ``limit`` are shown. Runs the net, which must keep all blobs. Raises NetdefError for several items.
    """
    if any(len(v) != 1 for v in values.values()):
        raise NetdefError("steps: expected one item")
    parts: list[str] = []
    before: dict[str, np.ndarray] = {}

    def keep(step: RunStep) -> None:
        before.clear()
        before.update({b.name: b.data.copy() for b in step.bottoms})

    def show(step: RunStep) -> None:
        parts.append("\n".join(_layer(step, [before[b.name] for b in step.bottoms], limit)))

    with net.hooks.added(before_forward=keep, after_forward=show):
        net.forward(**values)
    return "\n\n".join(parts)


def _layer(step: RunStep, bottoms: Sequence[np.ndarray], limit: int) -> Iterator[str]:
    """The lines of one layer."""
    if not step.bottoms:
        for top in step.tops:
            yield f"{top.name} ({step.type}), {shape_text(top.shape)}"
            yield from _values(top.name, top.data, limit)
        return
    names = [step.node.located.message.bottom[i] for i in range(len(step.bottoms))]
    in_place = step.node.spec.in_place
    yield f"{step.name} ({step.type}) of {', '.join(names)}{', in place' if in_place else ''}{_formula(step)}"
    yield from _params(step, limit)
    for top in step.tops:
        lines = _written(step, bottoms, top.data, top.name, limit)
        if lines is None:
            yield f"  {top.name}, {shape_text(top.shape)}"
            yield from _values(top.name, top.data, limit)
        else:
            yield from lines[:limit]
            if top.data.size > limit:
                yield f"  ... and {top.data.size - limit} more"


def _formula(step: RunStep) -> str:
    """``: y = W x + b``, else the first formula of the layer type's documentation, where that is one for y."""
    if step.type == "InnerProduct":
        return ": y = W x" + (" + b" if len(step.params) > 1 else "")
    if step.type == "ReLU" and not step.layer.options.negative_slope:
        return ": y = max(x, 0)"
    if step.type == "Softmax":
        return ": y[c] = exp(x[c]) / sum over k of exp(x[k])"
    sections = dict(catalogue.entry(step.type).sections)
    found = _FIRST.match(" ".join(sections.get("Formula", "").replace("``", "").split()))
    return f": {found.group()}" if found and len(found.group()) < 90 else ""


def _params(step: RunStep, limit: int) -> Iterator[str]:
    for init, blob in zip(step.inferred.params, step.params, strict=True):
        letter = {"weights": " W", "bias": " b"}.get(init.name, "") if step.type == "InnerProduct" else ""
        head = f"  {init.name}{letter}, {shape_text(blob.shape)}"
        yield head + (f" = {_array(blob.data, len(head) + 3)}" if blob.count <= limit else "")


def _written(step: RunStep, bottoms: Sequence[np.ndarray], top: np.ndarray, name: str, limit: int) -> list[str] | None:
    """A line a value of the top (as many as ``limit``), or None where the values say more by themselves."""
    x, y = bottoms[0], top.reshape(-1)
    if step.type == "InnerProduct" and math.prod(x.shape[1:]) == x.size:
        return [f"  {name}[{n}] = {_sum(w, x.reshape(-1), b, limit)} = {_n(y[n])}"
                for n, (w, b) in enumerate(_rows(step, limit)[: len(y)])]
    if step.type == "Softmax" and x.size == len(y) and x.ndim >= 2 and x.shape[1] == x.size <= limit:
        exponents = " + ".join(f"exp({_n(v)})" for v in x.reshape(-1))
        return [f"  {name}[{n}] = exp({_n(v)}) / ({exponents}) = {_n(y[n])}" for n, v in enumerate(x.reshape(-1))]
    if step.type in _ONE and x.size == len(y) and not getattr(step.layer.options, "negative_slope", 0):
        return [f"  {_at(name, n, top)} = {_ONE[step.type].format(x=_n(v), minus=_n(-v))} = {_n(y[n])}"
                for n, v in enumerate(x.reshape(-1)[:limit])]
    if step.type == "Eltwise" and step.layer.options.operation in (0, 1) and not step.layer.options.coeff:
        sign = " * " if step.layer.options.operation == 0 else " + "
        return [f"  {_at(name, n, top)} = {sign.join(_bracketed(b.reshape(-1)[n]) for b in bottoms)} = {_n(y[n])}"
                for n in range(min(len(y), limit))]
    if step.type in _UNCHANGED and x.size == len(y) and np.array_equal(x.reshape(-1), y):
        return [f"  {name} = the same values" + ("" if x.shape == top.shape else f", as {shape_text(top.shape)}")]
    return None


def _rows(step: RunStep, limit: int) -> list[tuple[np.ndarray, float | None]]:
    """Weights and bias of the first outputs of an InnerProduct."""
    w = step.params[0].data
    w = w.T if step.layer.options.transpose else w
    bias = step.params[1].data if len(step.params) > 1 else None
    return [(w[n], None if bias is None else float(bias[n])) for n in range(min(len(w), limit))]


def _sum(w: np.ndarray, x: np.ndarray, b: float | None, limit: int) -> str:
    """``0.2*0.3 - 0.4*0.5 + 0.1``."""
    text = ""
    for i in range(min(len(x), limit)):
        text += _signed(f"{_n(abs(w[i]))}*{_bracketed(x[i])}", w[i] < 0, first=i == 0)
    if len(x) > limit:
        text += f" + ... ({len(x) - limit} more)"
    return text if b is None else text + _signed(_n(abs(b)), b < 0, first=False)


def _signed(term: str, negative: bool, first: bool) -> str:
    if first:
        return ("-" if negative else "") + term
    return (" - " if negative else " + ") + term


def _values(name: str, array: np.ndarray, limit: int) -> Iterator[str]:
    """A blob's values: all of a small one, the first of a large one."""
    own = array[0] if array.ndim > 1 and len(array) == 1 else array
    if array.size <= limit:
        yield f"  {name} = {_array(own, len(name) + 5)}"
    else:
        shown = ", ".join(_n(v) for v in array.reshape(-1)[:limit])
        yield f"  {name} = [{shown}, ... {array.size - limit} more]"


def _at(name: str, flat: int, array: np.ndarray) -> str:
    """``conv1[0,2,3]``: a value by its place in the item."""
    own = array.shape[1:] if array.ndim > 1 and len(array) == 1 else array.shape
    return f"{name}[{','.join(str(int(i)) for i in np.unravel_index(flat, own))}]" if own else name


def _array(array: np.ndarray, indent: int) -> str:
    """The numbers in brackets; further lines are indented."""
    return np.array2string(np.asarray(array), 100, separator=", ", prefix=" " * indent,
                           formatter={"float_kind": _n})  # type: ignore[arg-type]


def _bracketed(value: float) -> str:
    """A negative number in brackets, to stand behind a sign."""
    return f"({_n(value)})" if value < 0 else _n(value)


def _n(value: float) -> str:
    """Four digits."""
    text = f"{float(value):.4g}"
    return "0" if text == "-0" else text
