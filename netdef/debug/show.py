"""One layer's gradients for the eye: numbers, a histogram, and filters as blocks of shades."""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netdef.debug.recording import Recording
from netdef.errors import NetdefError, did_you_mean
from netdef.graph.model import GraphPlan
from netdef.graph.render import shape_text
from netdef.runtime.watch import statistics

SHADES = " ░▒▓█"
BARS = 40  # characters of the longest bar
BINS = 11
MOST_NUMBERS = 100  # an array up to this size is printed whole
MOST_FILTERS = 16


def show_layer(plan: GraphPlan, recording: Recording, layer: str) -> str:
    """The gradients of a layer's tops and params. Raises NetdefError on an unknown name."""
    step = next((s for s in plan.steps if s.node.name == layer), None)
    if step is None:
        names = [s.node.name for s in plan.steps]
        raise NetdefError(f"the net has no layer '{layer}'", hint=did_you_mean(layer, names))
    parts: list[str] = []
    for value in step.node.tops:
        name = plan.description.value_name(value)
        parts += _shown(f"gradient by top '{name}'", recording.arrays.get(f"blob/{name}/diff"))
    for p in step.params:
        param = plan.params[p]
        title = f"gradient by param {param.index} ({param.init.name})"
        parts += _shown(title, recording.of(layer, param.index, "diff"))
        parts += _uses(plan, recording, p)
    return "\n".join(parts)


def _uses(plan: GraphPlan, recording: Recording, param: int) -> Iterator[str]:
    """The share of each use of a shared param."""
    owner = plan.params[param].owner
    users = [p for p in plan.params if p.owner == owner]
    if len(users) < 2:
        return
    yield f"  shared by {len(users)} uses; L2 of each one's part:"
    total: np.ndarray | float = 0.0
    for user in users:
        name = plan.description.layers[user.layer].name
        part = recording.of(name, user.index, "part")
        if part is not None:
            total = total + part.reshape(-1).astype(np.float64)
            yield f"    {name}[{user.index}]  {statistics(part).l2:.6g}"
    yield f"    sum  {statistics(np.asarray(total)).l2:.6g}"


def _shown(title: str, array: np.ndarray | None) -> Iterator[str]:
    if array is None:
        yield f"{title}: none (`netdef explain --why` says why)"
        return
    s = statistics(array)
    yield (f"{title}, {shape_text(array.shape)}: mean|g| {s.mean_abs:.4g}, max|g| {s.max_abs:.4g}, L2 {s.l2:.4g}, "
           f"zeros {s.zeros:.0%}, not finite {s.non_finite:.2%}")
    yield from numbers(array)
    yield from histogram(array)
    if array.ndim == 4 and 1 < array.shape[2] * array.shape[3] <= 400:
        yield from filters(array)
    yield ""


def numbers(array: np.ndarray) -> Iterator[str]:
    """All numbers of a small array, the largest few of a large one with their indices."""
    if array.size <= MOST_NUMBERS:
        with np.printoptions(precision=4, linewidth=100, floatmode="maxprec"):
            yield from ("  " + line for line in str(array).splitlines())
        return
    flat = array.reshape(-1)
    size = np.where(np.isnan(flat), np.inf, np.abs(flat))
    for at in np.argsort(-size, kind="stable")[:5]:
        index = ", ".join(str(int(i)) for i in np.unravel_index(at, array.shape))
        yield f"  [{index}] = {flat[at]:.6g}"


def histogram(array: np.ndarray) -> Iterator[str]:
    """Lines with a bar for each of eleven equal ranges, the middle one around 0."""
    values = array[np.isfinite(array)].astype(np.float64)
    reach = float(np.abs(values).max(initial=0))
    if reach == 0:
        return
    counts, edges = np.histogram(values, bins=BINS, range=(-reach, reach))
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        bar = "█" * round(BARS * count / max(counts.max(), 1))
        yield f"  {low:+.2e} .. {high:+.2e}  {count:>8}  {bar}"


def filters(array: np.ndarray) -> Iterator[str]:
    """The first planes of a 4-D array side by side, large gradients dark: ``█`` is the largest of all."""
    planes = np.abs(array.reshape(-1, *array.shape[2:]).astype(np.float64))
    shown = planes[:MOST_FILTERS]
    reach = float(np.nan_to_num(shown, posinf=0).max(initial=0)) or 1.0
    level = np.clip(np.nan_to_num(shown) / reach * (len(SHADES) - 1), 0, len(SHADES) - 1).round().astype(int)
    yield f"  |g| of planes 0 to {len(shown) - 1} of {len(planes)}, '{SHADES[-1]}' = {reach:.3g}"
    width = max(1, 100 // (2 * array.shape[3] + 1))
    for start in range(0, len(shown), width):
        group = level[start: start + width]
        for row in range(array.shape[2]):
            yield "  " + " ".join("".join(SHADES[v] * 2 for v in plane[row]) for plane in group)
        yield ""
