"""What a net sees: the batches of a data layer, after its transforms, as tiles for a contact sheet."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from netdef.config.load import kind_of, load_net, load_solver
from netdef.data.labels import read_labels
from netdef.data.transforms import Transformer
from netdef.datasets.records import Box, boxes_text, class_text
from netdef.datasets.sheet import Tile
from netdef.errors import NetdefError, did_you_mean
from netdef.graph.build import build
from netdef.runtime.executor import RunStep
from netdef.runtime.net import Net


class Seen(NamedTuple):
    """Tiles, and which layer they are from."""

    tiles: list[Tile]
    layer: str
    text: str
    """shape and values, for a title"""


def open_net(net: str, phase: str, level: int | None = None, stages: Sequence[str] = (), overrides: Sequence[str] = (),
             seed: int | None = None) -> Net:
    """The net of a file, or the one that a solver's file names, to be run. Raises ConfigError(s) and DataError."""
    source: Any = net
    if kind_of(net) == "solver":
        solver = load_solver(net)
        inside = solver.message.net or solver.message.train_net
        if not inside:
            raise NetdefError("the solver names no net in a file of its own", where=net, hint="give the net's file")
        source = load_net(inside, beside=solver.file)
    return Net(build(source, phase, level, stages, overrides=overrides), phase=None, seed=seed)


def seen_by(net: Net, count: int, layer: str | None = None, names: Sequence[str] | None = None,
            add_mean: bool = False) -> Seen:
    """The first ``count`` items that a data layer gives, in as many passes as that takes.

    ``names`` are the classes' (by default those beside the database); ``add_mean`` undoes scale and mean. Raises NetdefError
    where the net has no such layer, DataError for records that cannot be read.
    """
    step = _data_layer(net, layer)
    tiles: list[Tile] = []
    low, high, shape = np.inf, -np.inf, step.tops[0].shape
    while len(tiles) < count:
        net.forward(end=step.node.name)
        names = names if names is not None else _names(step)
        data = step.tops[0].data
        if not len(data):
            raise NetdefError("the layer gives empty batches", where=step.node.name)
        low, high, shape = min(low, float(data.min())), max(high, float(data.max())), data.shape
        second = step.tops[1].data if len(step.tops) > 1 else np.empty(0)
        boxed = step.type in ("AnnotatedData", "VOCData") and second.ndim == 4
        labels = second if second.shape[:1] == data.shape[:1] and not boxed else None
        for i, item in enumerate(data[: count - len(tiles)]):
            pixels = _picture(np.array(item))
            if add_mean:
                pixels = undone(pixels, _transformer(step))
            boxes = [_box(row) for row in second[0, 0] if row[0] == i] if boxed else []
            text = boxes_text(boxes, names) if boxed else "" if labels is None else _label(labels[i], names)
            tiles.append(Tile(pixels, text, boxes))
    sizes = "x".join(map(str, shape[1:]))
    return Seen(tiles, step.node.name, f"{step.node.name} ({step.type}), {net.phase}: {sizes}, values {low:.4g} to {high:.4g}")


def _box(row: np.ndarray) -> Box:
    """A row of eight numbers as a box."""
    left, top, right, bottom = row[3:7].tolist()
    return Box(int(row[1]), left, top, right, bottom, bool(row[7]))


def undone(pixels: np.ndarray, transformer: Transformer | None) -> np.ndarray:
    """Pixels (C, H, W) with scale and mean taken back; of a mean image the centre, which is exact without a random crop."""
    if transformer is None:
        return pixels
    pixels = pixels / (transformer.scale or 1)
    if transformer.mean_values.size:
        return np.asarray(pixels + transformer.mean_values.reshape(-1, 1, 1))
    if transformer.mean is not None:
        (height, width), (full, wide) = pixels.shape[1:], transformer.mean.shape[1:]
        y, x = (full - height) // 2, (wide - width) // 2
        return np.asarray(pixels + transformer.mean[:, y: y + height, x: x + width])
    return pixels


def _data_layer(net: Net, name: str | None) -> RunStep:
    """The layer without bottoms whose first top has items, or the one that is named."""
    candidates = [s for s in net.steps if not s.bottoms and s.tops and s.type != "Input" and s.tops[0].shape]
    if name is None:
        ranked = sorted(candidates, key=lambda s: len(s.tops[0].shape) != 4)  # pictures first
        if ranked:
            return ranked[0]
        raise NetdefError(f"the net has no data layer in the phase {net.phase}", where=net.name or None,
                          hint="nets of Input layers are shown by netdef predict")
    found = next((s for s in candidates if s.node.name == name), None)
    if found is None:
        names = [s.node.name for s in candidates]
        raise NetdefError(f"no data layer '{name}'", hint=did_you_mean(name, names) or f"there are {', '.join(names) or 'none'}")
    return found


def _picture(item: np.ndarray) -> np.ndarray:
    """An item of any rank as (C, H, W); a vector becomes a strip."""
    if item.ndim == 3:
        return item
    return item.reshape((1, *item.shape) if item.ndim == 2 else (1, 1, -1))


def _transformer(step: RunStep) -> Transformer | None:
    """What the layer does to values, where it is one that has transform_param."""
    peeked: Any = step.layer.spec.peeked
    found = getattr(getattr(peeked, "steps", None), "transformer", None) or getattr(peeked, "transformer", None) or getattr(
        getattr(peeked, "transform", None), "values", None)
    return found if isinstance(found, Transformer) else None


def _names(step: RunStep) -> Sequence[str]:
    """The names of the classes that the layer's source knows, or that stand beside its database."""
    source: Any = getattr(step.layer, "source", None)
    named: Any = getattr(step.layer.spec.peeked, "class_names", None)
    if named:
        return list(named)
    path = os.path.join(getattr(source, "name", None) or "", "labels.txt")
    return list(getattr(source, "class_names", ())) or (read_labels(path) if os.path.isfile(path) else ())


def _label(value: np.ndarray, names: Sequence[str] | None) -> str:
    """The label of an item: a class with its name, or the first numbers of a vector."""
    flat = np.ravel(value)
    if flat.size != 1:
        return " ".join(f"{v:g}" for v in flat[:8])
    whole = np.isfinite(flat[0]) and flat[0] == int(flat[0])
    return class_text(int(flat[0]), names) if whole else f"{flat[0]:g}"
