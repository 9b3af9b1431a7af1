"""How large each box of a net's drawing is and what is written in it, in pixels from the box's own corner.

All text is monospaced, so that its width is known without any font at hand.
"""
from __future__ import annotations

from dataclasses import dataclass

from netdef.report.layout import Node
from netdef.report.netgraph import Box, NetGraph, Out, Part

EM = 0.605  # width of a character by its size, the widest of the usual monospaced fonts
LARGE, SMALL = 12.0, 10.0
LINE = 13.0  # of small text
PAD, SLOT = 8.0, 15.0  # space beside text; height of an in-place layer's row
NARROWEST = 104.0
LONGEST, LONGEST_SMALL, LONGEST_LABEL = 38, 46, 30  # characters that are shown
WIDEST = 480.0  # all labels below one box; beyond it the blobs' labels are left out


@dataclass(frozen=True)
class Look:
    """What to show: which way ranks run, the blobs' shapes, the costs of layers in words."""

    rankdir: str = "tb"
    shapes: bool = True
    costs: bool = False


@dataclass(frozen=True)
class Measured:
    """A box with its size: ``head`` is the height of its first layer's part, ``lines`` what is written there, ``labels`` up
    to two lines for each blob that leaves it, ``bar`` the share of the multiply-adds of the costliest box, from 0 to 1."""

    box: Box
    width: float
    height: float
    head: float
    lines: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    bar: float
    node: Node


def measured(graph: NetGraph, look: Look) -> list[Measured]:
    """Every box of a graph with its size, ready to be placed."""
    most = max((box.macs for box in graph.boxes), default=0)
    return [_measure(box, graph, look, most) for box in graph.boxes]


def _measure(box: Box, graph: NetGraph, look: Look, most: int) -> Measured:
    first = box.parts[0]
    lines = [clipped(first.name or first.type), cut(f"{first.type} {first.options}".strip(), LONGEST_SMALL)]
    if look.costs and (text := cost_text(box, graph)):
        lines.append(text)
    bar = box.macs / most if most and box.macs else 0.0
    head = PAD - 2 + LARGE + 2 + LINE * (len(lines) - 1) + 4 + (5 if bar else 0)
    height = head + (len(box.parts) - 1) * (SLOT + 2) + (3 if len(box.parts) > 1 else 0)
    widths = [text_width(lines[0], LARGE), *(text_width(t, SMALL) for t in lines[1:])]
    widths += [text_width("  ".join(row_texts(p)), SMALL) + PAD for p in box.parts[1:]]
    labels = tuple(_label(o, box, look) for o in box.outs)
    wide = [max((text_width(t, SMALL) for t in label), default=0.0) for label in labels]
    if len(labels) > 1 and (sum(wide) + 16 * len(wide) > WIDEST if look.rankdir == "tb" else len(wide) > 12):
        labels, wide = ((),) * len(labels), [0.0] * len(labels)
    width = max(NARROWEST, max(widths) + 2 * PAD)
    lines_below = max(map(len, labels), default=0)
    if look.rankdir == "lr":
        tail = max(wide, default=0.0) + 8 if lines_below else 0.0
        ports = tuple((LINE + 1, LINE + 1) if label else (LINE / 2, LINE / 2) for label in labels)
        height = max(height, sum(map(sum, ports)))
    else:
        tail = lines_below * 12.0 + 2 if lines_below else 0.0
        ports = tuple((7.0, w + 9) for w in wide)
        width = max(width, sum(map(sum, ports)) if len(ports) > 1 else 2 * (max(wide, default=0.0) + 7))
    node = Node(box.key, width, height, tail, ports if len(ports) > 1 else ())
    return Measured(box, width, height, head, tuple(lines), labels, bar, node)


def row_texts(part: Part) -> tuple[str, str]:
    """What the row of an in-place layer says on its left and on its right."""
    right = f"{part.type} {part.options}".strip()
    right = cut(right if len(right) <= LONGEST_SMALL // 2 else part.type, LONGEST_SMALL // 2)
    return clipped(part.name, LONGEST_SMALL - len(right)), right


def _label(out: Out, box: Box, look: Look) -> tuple[str, ...]:
    """Name and shape of a blob; the name only where it is not that of a layer in the box, and the box has other blobs."""
    shape = out.shape if look.shapes else ""
    if out.loss_weight:
        shape = f"loss, weight {out.loss_weight:g}"
    named = len(box.outs) > 1 or out.blob not in {"", *(p.name for p in box.parts)}
    return tuple(clipped(t, LONGEST_LABEL) for t in (out.blob if named else "", shape) if t)


def cost_text(box: Box, graph: NetGraph) -> str:
    """``1.6M params, 102M macs 70%`` of a box, or what of it there is."""
    known = [p.params for p in box.parts if p.params]
    parts = [f"{short(sum(known))} params"] if known else []
    if box.macs:
        parts.append(f"{short(box.macs)} macs {share(box.macs, graph.macs)}")
    return ", ".join(parts)


def share(part: int, whole: int) -> str:
    """A percentage, with a digit behind the point where it is small."""
    percent = 100 * part / whole
    return f"{percent:.0f}%" if percent >= 9.5 else f"{percent:.1f}%" if percent >= 0.05 else "<0.1%"


def short(n: int) -> str:
    """Three digits: 950, 12.3k, 1.64M, 3.86G."""
    size, unit = float(n), 0
    while size >= 999.5 and unit < 4:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g}{' kMGT'[unit].strip()}"


def text_width(text: str, size: float) -> float:
    """Pixels that a line takes; signs of East Asian scripts are twice as wide."""
    return sum(2 if ord(c) >= 0x1100 else 1 for c in text) * size * EM


def cut(text: str, most: int) -> str:
    """A text with its end left out where it is too long."""
    return text if len(text) <= most else text[: most - 1].rstrip(" ,") + "…"


def clipped(text: str, most: int = LONGEST) -> str:
    """A text with its middle left out where it is too long: both ends of a layer's name say which it is."""
    if len(text) <= most:
        return text
    head = (most - 1) * 3 // 5
    return f"{text[:head]}…{text[len(text) - (most - 1 - head):]}"
