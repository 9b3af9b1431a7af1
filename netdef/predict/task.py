"""What a net's outputs mean: classes, boxes, numbers, or nothing in particular."""
from __future__ import annotations

from dataclasses import dataclass

from netdef.errors import NetdefError, did_you_mean
from netdef.graph.model import GraphPlan, LayerNode, Value

TASKS = ("classify", "detect", "regress", "raw")
_PROBABILITIES = ("Softmax", "Sigmoid")


@dataclass(frozen=True)
class Task:
    """What is to be made of which blobs. ``classes`` is how many the net knows, None where that cannot be told;
    ``several``: more than one class may be right (a Sigmoid)."""

    kind: str
    outputs: tuple[str, ...]
    classes: int | None = None
    several: bool = False


def find_task(plan: GraphPlan, labels: int | None = None, kind: str | None = None, output: str | None = None) -> Task:
    """The task of a net, by its outputs; ``kind`` and ``output`` (a blob's name) overrule, ``labels`` is how many labels the
    user has.

    A top of a ...DetectionOutput layer is boxes; one Softmax or Sigmoid over (N, C), or (N, C) with C labels, is classes;
    one (N, k) numbers; else raw. Raises NetdefError.
    """
    if kind is not None and kind not in TASKS:
        raise NetdefError(f"task: expected {', '.join(TASKS)}, got '{kind}'", hint=did_you_mean(kind, TASKS))
    names = _outputs(plan, output)
    if kind == "raw":
        return Task("raw", names)
    boxes = [n for n in names if "DetectionOutput" in _maker(plan, n).type]
    if kind in (None, "detect") and (boxes or kind == "detect"):
        name = (boxes or [_only(names, "detect")])[0]
        shape = _shape(plan, name)
        if not shape or shape[-1] != 7:
            raise NetdefError(f"detect: expected an output of 1x1xNx7, '{name}' has the shape {shape}",
                              hint="such outputs come from DetectionOutput layers")
        return Task("detect", (name,), _detected_classes(_maker(plan, name)))
    if kind is None and len(names) > 1:
        return Task("raw", names)
    shape, maker = _shape(plan, names[0]), _maker(plan, names[0]).type
    rows = len(names) == 1 and all(n == 1 for n in shape[2:])  # one vector an item, or one number
    if kind == "classify" or (kind is None and rows and _is_row(shape) and (maker in _PROBABILITIES or labels == shape[1])):
        name = _only(names, "classify")
        if not _is_row(_shape(plan, name)):
            raise NetdefError(f"classify: expected an output of one score a class, '{name}' has the shape {_shape(plan, name)}",
                              hint="--output NAME picks another blob")
        return Task("classify", (name,), _shape(plan, name)[1], maker == "Sigmoid")
    return Task("regress" if kind == "regress" or rows else "raw", names)


def _outputs(plan: GraphPlan, output: str | None) -> tuple[str, ...]:
    known = [v.blob for v in plan.description.values if not v.automatic]
    if output is not None:
        names = tuple(output.split(","))
        for name in names:
            if name not in known:
                raise NetdefError(f"the net has no blob '{name}'", hint=did_you_mean(name, known))
        return names
    inputs = set(plan.description.inputs)
    names = tuple(n for n in plan.description.outputs if n in known and n not in inputs)
    if not names:
        raise NetdefError(f"net '{plan.description.name}' has no outputs", where=plan.description.located.file)
    return names


def _only(names: tuple[str, ...], kind: str) -> str:
    if len(names) != 1:
        raise NetdefError(f"{kind}: expected one output, the net has {len(names)}: {', '.join(names)}",
                          hint="pick one with --output NAME")
    return names[0]


def _value(plan: GraphPlan, name: str) -> Value:
    """The last version of a blob."""
    return [v for v in plan.description.values if v.blob == name][-1]


def _maker(plan: GraphPlan, name: str) -> LayerNode:
    """The layer that made a blob; of layers that only change its shape, the one before."""
    node = plan.description.layers[_value(plan, name).maker]
    while node.type in ("Reshape", "Flatten", "Split") and node.bottoms[0] is not None:
        node = plan.description.layers[plan.description.values[node.bottoms[0]].maker]
    return node


def _shape(plan: GraphPlan, name: str) -> tuple[int, ...]:
    return tuple(plan.shapes.values[_value(plan, name).id] or ())


def _is_row(shape: tuple[int, ...]) -> bool:
    """(N, C), or (N, C, 1, 1), with more than one class."""
    return len(shape) >= 2 and shape[1] > 1 and all(n == 1 for n in shape[2:])


def _detected_classes(node: LayerNode) -> int | None:
    options = node.spec.options
    return int(getattr(options, "num_classes", 0)) or None
