"""A scene as a PNG picture, painted by matplotlib (the extra ``plot``) in the colours of a light page."""
from __future__ import annotations

from typing import IO, Any

from netdef.errors import NetdefError
from netdef.report.kinds import INK, KINDS, PAPER
from netdef.report.layout import Point
from netdef.report.scene import Group, Line, Mark, Rect, Scene, Text
from netdef.report.svg import BAR, LINES, MUTED, SIZES

SHARP = 2.0  # pixels of the picture for each of the scene's
MOST_SIDE, MOST_PIXELS = 30_000, 120_000_000  # larger drawings are painted smaller
_FONT = "DejaVu Sans Mono"  # comes with matplotlib, so that a picture is the same everywhere


def write_png(scene: Scene, file: IO[bytes]) -> None:
    """Paint a scene into an open file. Raises NetdefError without matplotlib."""
    figure_class = _matplotlib()
    figure = figure_class(figsize=(scene.width / 100, scene.height / 100), dpi=100, facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, scene.width), ylim=(scene.height, 0))
    axes.axis("off")
    for order, group in enumerate(scene.groups):
        _group(axes, group, scene.rankdir, order + 1)
    figure.savefig(file, format="png", dpi=100 * scale_of(scene), facecolor=PAPER)


def scale_of(scene: Scene) -> float:
    """Pixels of the picture for each of the scene's: SHARP, or fewer where the picture would be too large."""
    sides = MOST_SIDE / max(scene.width, scene.height)
    return min(SHARP, sides, (MOST_PIXELS / (scene.width * scene.height)) ** 0.5)


def _group(axes: Any, group: Group, rankdir: str, order: int) -> None:
    for item in group.items:
        if isinstance(item, Group):
            _group(axes, item, rankdir, order)
        elif isinstance(item, Rect):
            _rect(axes, item, order)
        elif isinstance(item, Text):
            _text(axes, item, order)
        elif isinstance(item, Line):
            _line(axes, item, rankdir, order)
        else:
            _mark(axes, item, order)


def _rect(axes: Any, item: Rect, order: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    fill, edge = KINDS[item.style][:2] if item.style in KINDS else (BAR, "none")
    radius = min(item.radius, item.width / 2, item.height / 2)
    axes.add_patch(FancyBboxPatch((item.x, item.y), item.width, item.height, boxstyle=f"round,pad=0,rounding_size={radius}",
                                  facecolor=fill, edgecolor=edge, linewidth=0.72, zorder=order,
                                  alpha=0.15 if item.style == "trough" else None))


def _text(axes: Any, item: Text, order: int) -> None:
    size, weight = SIZES[item.style]
    axes.text(item.x, item.y, item.text, fontsize=size * 0.72, fontweight=weight, family=_FONT, parse_math=False,
              color=MUTED if item.style == "label" else INK, ha="right" if item.end else "left", va="baseline", zorder=order)


def _line(axes: Any, item: Line, rankdir: str, order: int) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    places: list[Point] = [item.points[0]]
    codes = [Path.MOVETO]
    for (x, y), (x1, y1) in zip(item.points, item.points[1:], strict=False):
        if x == x1 or y == y1:
            places, codes = [*places, (x1, y1)], [*codes, Path.LINETO]
            continue
        bend = [(x, (y + y1) / 2), (x1, (y + y1) / 2)] if rankdir == "tb" else [((x + x1) / 2, y), ((x + x1) / 2, y1)]
        places, codes = [*places, *bend, (x1, y1)], [*codes, *[Path.CURVE4] * 3]
    colour, _, dashes = LINES[item.style]
    style: Any = (0, tuple(float(d) for d in dashes.split())) if dashes else "solid"
    axes.add_patch(PathPatch(Path(places, codes), fill=False, edgecolor=colour, linewidth=0.94, linestyle=style, zorder=order))


def _mark(axes: Any, item: Mark, order: int) -> None:
    from matplotlib.patches import Circle, Polygon

    colour = LINES[item.style][0]
    if len(item.points) == 1:
        axes.add_patch(Circle(item.points[0], 3, facecolor=PAPER, edgecolor=colour, linewidth=0.94, zorder=order))
    else:
        axes.add_patch(Polygon(item.points, closed=True, facecolor=colour, edgecolor="none", zorder=order))


def _matplotlib() -> Any:
    """Its class of figures, which needs no window and leaves a user's own settings alone."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise NetdefError("a PNG needs the package matplotlib, which is not installed",
                          hint="pip install 'netdef[plot]', or draw an .svg, which needs nothing") from None
    return Figure
