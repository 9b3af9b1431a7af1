"""Curves drawn with characters, for terminals and logs."""
from __future__ import annotations

import math
from collections.abc import Sequence

MARKS = "*o+x#@%&"
Points = Sequence[tuple[float, float]]


def chart(curves: Sequence[tuple[str, Points]], width: int = 72, height: int = 16, log_x: bool = False,
          log_y: bool = False, title: str = "") -> str:
    """Named curves of (x, y) points in one frame, a mark for each; where two meet the later one shows.

    Points that are not finite, or not above 0 on a logarithmic axis, are left out; a line says how many.
    """
    drawn = [(name, [(_scale(x, log_x), _scale(y, log_y)) for x, y in points]) for name, points in curves]
    whole = [p for _, points in drawn for p in points]
    shown = [p for p in whole if math.isfinite(p[0]) and math.isfinite(p[1])]
    lines = [title] if title else []
    if not shown:
        return "\n".join([*lines, "  (no finite value to draw)"])
    (left, right), (low, high) = (_range([p[axis] for p in shown]) for axis in (0, 1))
    grid = [[" "] * width for _ in range(height)]
    places = [[((x - left) / (right - left) * (width - 1), (high - y) / (high - low) * (height - 1))
               if math.isfinite(x) and math.isfinite(y) else None for x, y in points] for _, points in drawn]
    for line in places:
        for begin, end in zip(line, line[1:], strict=False):
            if begin is not None and end is not None:
                _connect(grid, begin, end)
    for number, line in enumerate(places):
        for place in line:
            if place is not None:
                grid[round(place[1])][round(place[0])] = MARKS[number % len(MARKS)]
    labels = {0: high, height // 2: high - (high - low) * (height // 2) / (height - 1), height - 1: low}
    for i, row in enumerate(grid):
        label = f"{_unscale(labels[i], log_y):.4g}" if i in labels else ""
        lines.append(f"{label:>10} |{''.join(row)}".rstrip())
    first, last = (f"{_unscale(x, log_x):.4g}" for x in (left, right))
    lines += [" " * 11 + "+" + "-" * width, " " * 12 + first + last.rjust(width - len(first))]
    lines += [f"{'':12}{MARKS[i % len(MARKS)]} {name}" for i, (name, _) in enumerate(drawn)]
    if len(shown) < len(whole):
        lines.append(f"{'':12}(points that cannot be drawn: {len(whole) - len(shown)})")
    return "\n".join(lines)


def _connect(grid: list[list[str]], begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Dots in the columns between two points."""
    for column in range(math.ceil(min(begin[0], end[0])), math.floor(max(begin[0], end[0])) + 1):
        share = (column - begin[0]) / ((end[0] - begin[0]) or 1.0)
        row = round(begin[1] + share * (end[1] - begin[1]))
        if grid[row][column] == " ":
            grid[row][column] = "."


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest value, drawn apart where they are equal."""
    low, high = min(values), max(values)
    if high > low:
        return low, high
    room = abs(low) * 0.1 or 1.0
    return low - room, high + room


def _scale(value: float, log: bool) -> float:
    if not log:
        return float(value)
    return math.log10(value) if value > 0 else math.nan


def _unscale(value: float, log: bool) -> float:
    return float(10 ** value) if log else value
