"""A net as text for Graphviz, for those who want its drawings or who draw on with other tools."""
from __future__ import annotations

from collections.abc import Iterator

from netdef.report.boxes import Look, cost_text
from netdef.report.kinds import INK, KINDS
from netdef.report.netgraph import Arrow, Box, NetGraph
from netdef.report.scene import line_style
from netdef.report.svg import LINES

_STYLE = {"flow": "solid", "plain": "solid", "none": "dashed", "stop": "dashed"}


def dot_of(graph: NetGraph, look: Look) -> str:
    """The text of a .dot file: a node for each box, an edge for each bottom, dashed where no gradient comes down it."""
    lines = [f"digraph {_quoted(graph.name)} {{", f"  rankdir={look.rankdir.upper()};",
             f'  node [shape=box, style="filled,rounded", fontname="monospace", fontsize=10, fontcolor="{INK}"];',
             '  edge [fontname="monospace", fontsize=9];']
    lines += [f"  {_box(box, graph, look)}" for box in graph.boxes]
    lines += [f"  {line}" for a in graph.arrows for line in _edge(a, graph, look)]
    return "\n".join([*lines, "}"]) + "\n"


def _box(box: Box, graph: NetGraph, look: Look) -> str:
    colours = KINDS[box.parts[0].kind]
    text = [f"{p.name}: {p.type} {p.options}".rstrip() for p in box.parts]
    if look.costs and (costs := cost_text(box, graph)):
        text.append(costs)
    return f'{_quoted(box.key)} [label={_quoted(*text)}, fillcolor="{colours.fill}", color="{colours.edge}"];'


def _edge(arrow: Arrow, graph: NetGraph, look: Look) -> Iterator[str]:
    style = line_style(arrow, graph)
    label = f"{arrow.blob} {arrow.shape if look.shapes else ''}".strip()
    note = f", tooltip={_quoted(arrow.reason)}" if arrow.reason else ""
    yield (f'{_quoted(arrow.source)} -> {_quoted(arrow.target)} [label={_quoted(label)}, style={_STYLE[style]}, '
           f'color="{LINES[style][0]}"{note}];')


def _quoted(*lines: str) -> str:
    """A string of dot's; several lines are centred. In it a backslash begins an escape, so it is written twice."""
    return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines) + '"'
