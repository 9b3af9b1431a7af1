"""A net's drawing as shapes and texts at their places, before any file format: ``svg.py`` and ``png.py`` only paint it."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netdef.report.boxes import LARGE, LINE, PAD, SLOT, SMALL, Look, Measured, clipped, measured, row_texts, share, text_width
from netdef.report.kinds import KINDS
from netdef.report.layout import Edge, Layout, Point, lay_out
from netdef.report.netgraph import Arrow, NetGraph, Part

MARGIN = 14.0
LEAST_WIDTH = 380.0
HEAD = 5.0  # an arrow's
_OVER = ("none", "stop", "plain", "flow")  # which lines are painted over which, where edges of one blob begin together


@dataclass(frozen=True)
class Rect:
    """A box with its upper left corner at x, y; ``style`` is a kind of layer, "bar", or "trough" behind a bar."""

    x: float
    y: float
    width: float
    height: float
    style: str
    radius: float = 3.0


@dataclass(frozen=True)
class Text:
    """One line whose base begins (``end``: ends) at x, y; ``style``: title, name, small, label, or stopped."""

    x: float
    y: float
    text: str
    style: str
    end: bool = False


@dataclass(frozen=True)
class Line:
    """An edge: "flow", "none" (no gradient comes down it), "stop" (one stops on it), "plain" (of a net without any)."""

    points: tuple[Point, ...]
    style: str


@dataclass(frozen=True)
class Mark:
    """A filled polygon: an arrow's head; styles as those of lines. With one point: a small ring there, where a blob that
    nobody reads ends."""

    points: tuple[Point, ...]
    style: str


@dataclass(frozen=True)
class Group:
    """What belongs together and has one tooltip. ``role``: box, layer, edge or legend; ``key``: the layer's name of a box or
    layer, ``blob to layer`` of an edge."""

    role: str
    key: str
    tooltip: str
    items: tuple[Rect | Text | Line | Mark | Group, ...]


@dataclass(frozen=True)
class Scene:
    """The whole: its size, title, a description in words, and groups in the order of painting."""

    title: str
    description: str
    width: float
    height: float
    rankdir: str
    groups: tuple[Group, ...]


def scene_of(graph: NetGraph, look: Look | None = None, legend: bool = True) -> Scene:
    """Lay a net out and put everything in its place; ``legend``: with a title and what the colours mean."""
    look = look or Look()
    boxes = measured(graph, look)
    layout = lay_out([b.node for b in boxes], [Edge(a.source, a.target, a.port) for a in graph.arrows], look.rankdir,
                     margin=MARGIN)
    width = max(layout.width, LEAST_WIDTH) if legend else layout.width
    top = list(_legend(graph, width)) if legend else []
    height = max((y for group in top for y in _bottoms(group)), default=0.0)
    move = ((width - layout.width) / 2, height + 4 if legend else 0.0)
    painter = _Painter(graph, layout, look, move)
    lines = sorted(zip(graph.arrows, layout.edges, strict=True), key=lambda line: _OVER.index(line_style(line[0], graph)))
    groups = [painter.edge(a, points) for a, points in lines]
    groups += [painter.box(b) for b in boxes]
    return Scene(_title(graph), _description(graph), width, layout.height + move[1], look.rankdir, (*top, *groups))


class _Painter:
    """Boxes and edges of one layout, moved to their place in the scene."""

    def __init__(self, graph: NetGraph, layout: Layout, look: Look, move: Point) -> None:
        self.graph, self.layout, self.look, self.move_by = graph, layout, look, move
        self.names = {b.key: b.parts[0].name for b in graph.boxes}

    def _moved(self, point: Point) -> Point:
        return point[0] + self.move_by[0], point[1] + self.move_by[1]

    def edge(self, arrow: Arrow, points: tuple[Point, ...]) -> Group:
        """One arrow with its head."""
        style = line_style(arrow, self.graph)
        placed = tuple(map(self._moved, points))
        x, y = placed[-1]
        across, back = HEAD * 0.7, HEAD * 1.3
        if self.look.rankdir == "tb":
            head: tuple[Point, ...] = ((x, y), (x - across, y - back), (x + across, y - back))
        else:
            head = ((x, y), (x - back, y - across), (x - back, y + across))
        return Group("edge", f"{arrow.blob} to {arrow.reader}", self._edge_tooltip(arrow),
                     (Line(placed, style), Mark(head, style)))

    def _edge_tooltip(self, a: Arrow) -> str:
        what = f"{a.blob} {a.shape}".strip()
        text = f"{self.names[a.source]} → {a.reader}, bottom {a.bottom}: {what}"
        if a.flows:
            return f"{text}\na gradient flows back"
        return f"{text}\n{'the gradient stops here' if a.stops else 'no gradient'}: {a.reason or 'the net has no loss'}"

    def box(self, m: Measured) -> Group:
        """One box: its first layer, the in-place layers under it, its bar, and the labels of what leaves it."""
        centre = self._moved(self.layout.nodes[m.box.key])
        x, y = centre[0] - m.width / 2, centre[1] - m.height / 2
        first = m.box.parts[0]
        head: list[Rect | Text] = [Text(x + PAD, y + PAD - 2 + LARGE - 1, m.lines[0], "name")]
        head += [Text(x + PAD, y + PAD + LARGE + LINE * i - 2, line, "small") for i, line in enumerate(m.lines) if i]
        if m.bar:
            bar, long = y + m.head - 7, m.width - 2 * PAD
            head += [Rect(x + PAD, bar, long, 3, "trough", 1.5), Rect(x + PAD, bar, max(1.5, m.bar * long), 3, "bar", 1.5)]
        items: list[Rect | Text | Line | Mark | Group] = [Rect(x, y, m.width, m.height, first.kind, 4)]
        items.append(Group("layer", first.name, part_tooltip(first, self.graph), tuple(head)))
        for i, part in enumerate(m.box.parts[1:]):
            items.append(self._row(part, x + 4, y + m.head + i * (SLOT + 2), m.width - 8))
        for port, label in enumerate(m.labels):
            items += self._port(m, port, label)
        return Group("box", first.name, part_tooltip(first, self.graph), tuple(items))

    def _row(self, part: Part, x: float, y: float, width: float) -> Group:
        left, right = row_texts(part)
        style = "stopped" if part.stop else "small"
        items = (Rect(x, y, width, SLOT, part.kind, 3), Text(x + PAD - 4, y + SLOT - 4.5, left, style),
                 Text(x + width - PAD + 4, y + SLOT - 4.5, right, style, end=True))
        return Group("layer", part.name, part_tooltip(part, self.graph), items)

    def _port(self, m: Measured, port: int, label: tuple[str, ...]) -> Iterator[Text | Line | Mark]:
        """The label of a blob beside the edges that leave with it; a stub with a ring where nobody reads it."""
        x, y = self._moved(self.layout.ports.get((m.box.key, port), self.layout.nodes[m.box.key]))
        if self.look.rankdir == "tb":
            yield from (Text(x + 5, y + 10 + 11.5 * i, text, "label") for i, text in enumerate(label))
            end = (x, y + max(m.node.tail, 10))
        else:
            yield from (Text(x + 5, y + (-4 if i == 0 else LINE - 2), text, "label") for i, text in enumerate(label))
            end = (x + max(m.node.tail, 10), y)
        if not m.box.outs[port].readers:
            style = "flow" if self.graph.trains and m.box.outs[port].loss_weight else "plain"
            yield Line(((x, y), end), style)
            yield Mark((end,), style)


def line_style(arrow: Arrow, graph: NetGraph) -> str:
    """The style of an arrow's line; of a net without gradients all are plain."""
    if not graph.trains:
        return "plain"
    return "flow" if arrow.flows else "stop" if arrow.stops else "none"


def part_tooltip(part: Part, graph: NetGraph) -> str:
    """All that is known of a layer, a fact a line."""
    lines = [f"{part.name} ({part.type}) {part.options}".strip()]
    if part.shape:
        lines.append(f"makes {part.shape}")
    if part.params is None or part.macs is None:
        lines.append("its shapes are not known")
    else:
        if part.params:
            lines.append(f"{part.params:,} params, {'which learn' if part.learns == 'learns' else 'which do not learn'}")
        if part.macs:
            lines.append(f"{part.macs:,} multiply-adds, {share(part.macs, graph.macs)} of the net's")
    if part.reason and graph.trains:
        lines.append(f"backward {'runs' if part.backward else 'does not run'}: {part.reason}")
    if part.stop:
        lines.append(f"the gradient stops here: {part.stop}")
    if part.assumed:
        lines.append(f"assumed: {part.assumed}")
    return "\n".join([*lines, f"phase {part.phase}, {part.where}"])


def _title(graph: NetGraph) -> str:
    return graph.name or "net without a name"


def _state(graph: NetGraph) -> str:
    return str(graph.state).replace(", level 0", "")


def _facts(graph: NetGraph) -> str:
    layers = sum(p.index >= 0 for p in graph.parts())
    return f"{layers} layer{'' if layers == 1 else 's'}, {graph.params:,} params, {graph.macs:,} multiply-adds"


def _description(graph: NetGraph) -> str:
    """The net in words, for those who cannot see it: every layer with its type and what it reads, and where gradients stop."""
    reads: dict[str, list[str]] = {}
    names = {b.key: b.parts[0].name for b in graph.boxes}
    for a in graph.arrows:
        reads.setdefault(a.reader, []).append(names[a.source])
    lines = [f"{p.name} ({p.type})" + (f" after {', '.join(dict.fromkeys(reads[p.name]))}" if p.name in reads else
                                       f" in place on {box.parts[0].name}" if p is not box.parts[0] else "")
             for box in graph.boxes for p in box.parts]
    stops = [f"{a.blob} to {a.reader}: {a.reason}" for a in graph.arrows if a.stops]
    text = f"Net {_title(graph)}, {_state(graph)}: {_facts(graph)}. Layers: {'; '.join(lines)}."
    return text + (f" Gradients stop at: {'; '.join(stops)}." if stops else "")


def _legend(graph: NetGraph, width: float) -> Iterator[Group]:
    """The title, the totals, a chip for each kind that occurs, a line for each style that occurs."""
    facts = [_state(graph), *_facts(graph).split(", ")] + ([f"{graph.unknown} of unknown shape"] if graph.unknown else [])
    most = int((width - 2 * MARGIN) / (SMALL * 0.605))
    y, lines = MARGIN + 12, [""]
    for fact in facts:
        joined = f"{lines[-1]} · {fact}" if lines[-1] else fact
        lines[-1:] = [joined] if len(joined) <= most else [lines[-1], fact]
    texts = [Text(MARGIN, y, clipped(_title(graph), int((width - 2 * MARGIN) / (14 * 0.605))), "title")]
    texts += [Text(MARGIN, y + 15 + 13 * i, line, "label") for i, line in enumerate(filter(None, lines))]
    yield Group("legend", "title", _description(graph) if not graph.boxes else _title(graph), tuple(texts))
    kinds = {p.kind for p in graph.parts()}
    styles = {line_style(a, graph) for a in graph.arrows}
    words = {"flow": "gradient flows back", "stop": "gradient stops", "none": "no gradient",
             "plain": "no gradient flows in this net"}
    entries = [(k, k) for k in KINDS if k in kinds] + [(s, w) for s, w in words.items() if s in styles]
    x, y = MARGIN, texts[-1].y + 19
    items: list[Rect | Text | Line | Mark | Group] = []
    for style, word in entries:
        room = 20 + text_width(word, SMALL) + 12
        if x + room - 12 > width - MARGIN and x > MARGIN:
            x, y = MARGIN, y + 15
        items.append(Rect(x, y - 9, 14, 11, style, 2) if style in KINDS else Line(((x, y - 3), (x + 16, y - 3)), style))
        items.append(Text(x + 20, y, word, "label"))
        x += room
    if any(box.macs for box in graph.boxes):
        largest = max(box.macs for box in graph.boxes)
        word = f"multiply-adds, longest {share(largest, graph.macs)} of all"
        if x + 32 + text_width(word, SMALL) > width - MARGIN and x > MARGIN:
            x, y = MARGIN, y + 15
        items += [Rect(x, y - 5, 16, 3, "bar", 1.5), Text(x + 20, y, word, "label")]
    yield Group("legend", "legend", "What colours and lines mean", tuple(items))


def _bottoms(group: Group) -> Iterator[float]:
    return (item.y + 6 for item in group.items if isinstance(item, Text))
