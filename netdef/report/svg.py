"""A scene as SVG: one file that needs nothing else, with text as text, tooltips, and colours for light and dark pages."""
from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from netdef.report.kinds import DARK_INK, DARK_PAPER, INK, KINDS, PAPER
from netdef.report.layout import curve
from netdef.report.scene import Group, Line, Mark, Rect, Scene, Text

FONT = 'ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace'
SIZES = {"title": (14, 700), "name": (12, 700), "small": (10, 400), "label": (10, 400), "stopped": (10, 400)}
"""Style of a text -> size in pixels, weight."""
LINES = {"flow": ("#454e59", "#aeb8c4", ""), "none": ("#77818d", "#8a949f", "4 3"), "stop": ("#b3400a", "#ff9a5c", "6 3"),
         "plain": ("#454e59", "#aeb8c4", "")}
"""Style of a line -> its colour on a light and on a dark page, its dashes."""
MUTED, DARK_MUTED = "#4a535e", "#b4bec9"
BAR, DARK_BAR = "#3d4650", "#dfe6ee"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")  # what XML cannot hold


def svg_of(scene: Scene) -> str:
    """The text of an SVG file; also fit to stand within an HTML page, where its styles touch nothing else."""
    width, height = f"{scene.width:.0f}", f"{scene.height:.0f}"
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" class="netdef-net" role="img" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}">',
             f"<title>{_text(scene.title)}</title>", f"<desc>{_text(scene.description)}</desc>",
             f"<style>{_style()}</style>", f'<rect class="paper" width="{width}" height="{height}"/>']
    for group in scene.groups:
        lines += _group(group, scene.rankdir)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _group(group: Group, rankdir: str) -> Iterator[str]:
    yield f'<g class="{group.role}" data-name="{_text(group.key)}"><title>{_text(group.tooltip)}</title>'
    for item in group.items:
        if isinstance(item, Group):
            yield from _group(item, rankdir)
        else:
            yield _item(item, rankdir)
    yield "</g>"


def _item(item: Rect | Text | Line | Mark, rankdir: str) -> str:
    if isinstance(item, Rect):
        return (f'<rect class="{item.style}" x="{item.x:.1f}" y="{item.y:.1f}" width="{item.width:.1f}" '
                f'height="{item.height:.1f}" rx="{item.radius:g}"/>')
    if isinstance(item, Text):
        end = ' text-anchor="end"' if item.end else ""
        return f'<text class="{item.style}" x="{item.x:.1f}" y="{item.y:.1f}"{end}>{_text(item.text)}</text>'
    if isinstance(item, Line):
        return f'<path class="{item.style}" d="{curve(item.points, rankdir)}"/>'
    if len(item.points) == 1:
        x, y = item.points[0]
        return f'<circle class="ring {item.style}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
    return f'<polygon class="head-{item.style}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in item.points)}"/>'


def _style() -> str:
    """Plain rules without variables, which some viewers do not know; a dark page overrides the colours."""
    sizes = "".join(f".netdef-net .{name}{{font-size:{size}px;font-weight:{weight}}}" for name, (size, weight) in SIZES.items())
    dashes = "".join(f".netdef-net .{n}{{stroke-dasharray:{d}}}" for n, (_, _, d) in LINES.items() if d)
    fixed = (f".netdef-net text{{font-family:{FONT};white-space:pre}}.netdef-net path{{fill:none;stroke-width:1.3}}"
             ".netdef-net .ring{stroke-width:1.3;stroke-dasharray:none}.netdef-net .layer:hover text{text-decoration:underline}"
             ".netdef-net .edge:hover path{stroke-width:3}")
    return f"{fixed}{sizes}{dashes}{_colours(False)}@media (prefers-color-scheme:dark){{{_colours(True)}}}"


def _colours(dark: bool) -> str:
    """The rules that differ between a light and a dark page."""
    paper, ink, muted, bar = (DARK_PAPER, DARK_INK, DARK_MUTED, DARK_BAR) if dark else (PAPER, INK, MUTED, BAR)
    rules = {"paper": f"fill:{paper}", "title": f"fill:{ink}", "name": f"fill:{ink}", "small": f"fill:{ink}",
             "label": f"fill:{muted}", "stopped": f"fill:{ink};text-decoration:line-through", "bar": f"fill:{bar}",
             "trough": f"fill:{bar};opacity:.15", "ring": f"fill:{paper}"}
    for kind, c in KINDS.items():
        rules[f"{kind}"] = f"fill:{c.dark_fill if dark else c.fill};stroke:{c.dark_edge if dark else c.edge}"
    for name, (light, night, _) in LINES.items():
        rules[name] = f"stroke:{night if dark else light}"
        rules[f"head-{name}"] = f"fill:{night if dark else light}"
    return "".join(f".netdef-net .{name}{{{rule}}}" for name, rule in rules.items())


def _text(text: str) -> str:
    return escape(_CONTROL.sub("\ufffd", text))
