"""Two rings and a few hidden units: the boundary in the plane, and the plane as the hidden layer bends it, update by update."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from learnkit import COLOURS, MARKERS, Record, figure, gif, save, train

import netdef

SOLVER = Path(__file__).with_name("solver.yaml")
WIDTHS = (1, 2, 3, 4)
UPDATES = 600
FRAMES = (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 23, 26, 29, 32, 36, 40, 45, 50, 56, 63, 70, 80, 100, 130, 170, 220, 300, 400,
          600)
SEED = 1
REACH = 1.3  # of the grid

TOLERANCE = {"accuracy_1*": 0.06, "accuracy_2*": 0.04, "*_90": 15, "*": 0.02}


class Look(NamedTuple):
    """The net at one moment: of the hidden layer (h, 2) and (h), of the scores (2, h) and (2)."""

    weight: np.ndarray
    bias: np.ndarray
    score: np.ndarray
    offset: np.ndarray

    def hidden(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) as the hidden layer gives them, (..., h)."""
        bent: np.ndarray = np.tanh(points @ self.weight.T + self.bias)
        return bent

    def margin(self, points: np.ndarray) -> np.ndarray:
        """Score of the outer ring less that of the inner one: 0 on the boundary. Points are (..., 2)."""
        difference: np.ndarray = self.hidden(points) @ (self.score[1] - self.score[0]) + self.offset[1] - self.offset[0]
        return difference


def make(out: Path, quick: bool) -> dict[str, float]:
    """Draw boundary.gif and units.png; the accuracies on the test points by number of hidden units over 20 seeds."""
    seeds = range(1, 2 if quick else 21)
    updates = 10 if quick else UPDATES
    runs = {width: [once(width, seed, updates) for seed in seeds] for width in WIDTHS}
    shown = once(3, SEED, updates, True)
    gif(frames(shown, FRAMES[:2] if quick else FRAMES), out / "boundary.gif", 0.25, 3, colours=32)
    draw_units(runs, out / "units.png")
    numbers = {"seeds": len(seeds), "updates": updates}
    for width, records in runs.items():
        found = [accuracy(r) for r in records]
        numbers |= {f"accuracy_{width}": float(np.median(found)), f"accuracy_{width}_least": min(found),
                    f"accuracy_{width}_most": max(found)}
    points, labels = rings()
    right = [(iteration, np.mean((look.margin(points) > 0) == labels)) for iteration, look in shown.looks]
    numbers["shown_90"] = next((i for i, share in right if share >= 0.9), updates)
    numbers["shown_start"] = right[0][1]
    return numbers


def once(width: int, seed: int, updates: int, watched: bool = False) -> Record:
    """One training; ``watched`` after every update, else only at the beginning and the end."""
    return train(SOLVER, updates, f"net_param.layer.hidden.inner_product_param.num_output={width}",
                 f"test_interval={updates}", seed=seed, every=1 if watched else updates, look=taken)


def taken(solver: netdef.Solver) -> Look:
    """A copy of the params."""
    params = solver.net.params
    return Look(*(blob.data.copy() for name in ("hidden", "score") for blob in params[name]))


def accuracy(record: Record) -> float:
    """On the test points, at the end."""
    return record.tests["accuracy"][-1][1]


def rings() -> tuple[np.ndarray, np.ndarray]:
    """The test points (200, 2) and whether each is of the outer ring."""
    from netdef.data.synthetic import circles

    points, labels = circles("test")
    return points[:, :, 0, 0], labels == 1


def frames(record: Record, moments: tuple[int, ...]) -> Iterator[Any]:
    """The figure of the net after each of these numbers of updates."""
    for iteration, look in record.looks:
        if iteration in moments:
            yield frame(iteration, look)


def frame(iteration: int, look: Look) -> Any:
    """Left the plane with the two regions; right the space of the three hidden units, with the plane that divides it."""
    made, _ = figure(1, 1, 7.4, 3.7)
    made.clear()
    made.set_dpi(80)
    left, right = made.add_subplot(1, 2, 1), made.add_subplot(1, 2, 2, projection="3d")
    points, outer = rings()
    regions(left, look)
    share = np.mean((look.margin(points) > 0) == outer)
    left.set_title(f"update {iteration}: {100 * share:.0f}% right")
    lines = np.linspace(-REACH, REACH, 11)
    along = np.linspace(-REACH, REACH, 40)
    for at in lines:
        for line in (np.stack([along, np.full_like(along, at)], 1), np.stack([np.full_like(along, at), along], 1)):
            right.plot(*look.hidden(line).T, color="0.6", linewidth=0.6)
    for i in (0, 1):
        right.plot(*look.hidden(points[outer == i]).T, MARKERS[i], color=COLOURS[i], markersize=2.5, zorder=5)
    dividing(right, look)
    right.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1), xlabel="unit 1", ylabel="unit 2", zlabel="unit 3",
              title="the same, as the hidden layer sees it")
    for axis in (right.xaxis, right.yaxis, right.zaxis):
        axis.set_ticks([-1, 0, 1])
    right.view_init(22, -55)
    right.set_box_aspect(None, zoom=0.95)
    return made


def regions(axes: Any, look: Look) -> None:
    """The plane, tinted by the answer, with the boundary and the test points."""
    side = np.linspace(-REACH, REACH, 121)
    field = look.margin(np.stack(np.meshgrid(side, side), -1))
    axes.contourf(side, side, field, levels=[-1e9, 0, 1e9], colors=["#cfe3f1", "#f9dfcf"])
    if field.min() < 0 < field.max():
        axes.contour(side, side, field, levels=[0], colors="black", linewidths=1.5)
    points, outer = rings()
    for i, name in enumerate(("inner ring", "outer ring")):
        axes.plot(*points[outer == i].T, MARKERS[i], color=COLOURS[i], markersize=2.5, label=name)
    axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xlabel="x", ylabel="y", aspect="equal")
    axes.grid(False)


def dividing(axes: Any, look: Look) -> None:
    """The plane of equal scores, as far as it lies in the cube of the hidden units: a polygon, drawn around its middle."""
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    normal, offset = look.score[1] - look.score[0], look.offset[1] - look.offset[0]
    corners = []
    for axis in range(3):  # where it cuts the four edges along this axis
        for ends in np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], float):
            corner = np.insert(ends, axis, 0.0)
            corner[axis] = -(offset + normal @ corner) / normal[axis]
            if abs(corner[axis]) <= 1:
                corners.append(corner)
    if len(corners) < 3:
        return
    spokes = np.array(corners) - np.mean(corners, 0)
    first = spokes[0]
    turn = np.arctan2(spokes @ np.cross(normal, first) / np.linalg.norm(normal), spokes @ first)
    axes.add_collection3d(Poly3DCollection([np.array(corners)[np.argsort(turn)]], facecolor="black", alpha=0.25))


def draw_units(runs: dict[int, list[Record]], path: Path) -> None:
    """With two units: the regions, and the bent plane with its dividing line. And the accuracy by the number of units."""
    made, (plane, bent, shares) = figure(1, 3, 10, 3.5)
    look = sorted(runs[2], key=accuracy)[len(runs[2]) // 2].looks[-1][1]
    regions(plane, look)
    plane.legend(loc="upper left", fontsize=7, frameon=True)
    plane.set_title("two hidden units: a strip or a wedge")
    lines, along = np.linspace(-REACH, REACH, 15), np.linspace(-REACH, REACH, 60)
    for at in lines:
        for line in (np.stack([along, np.full_like(along, at)], 1), np.stack([np.full_like(along, at), along], 1)):
            bent.plot(*look.hidden(line).T, color="0.7", linewidth=0.6)
    points, outer = rings()
    for i in (0, 1):
        bent.plot(*look.hidden(points[outer == i]).T, MARKERS[i], color=COLOURS[i], markersize=2.5)
    normal, offset = look.score[1] - look.score[0], look.offset[1] - look.offset[0]
    side = np.array([-1.1, 1.1])
    if abs(normal[1]) > abs(normal[0]):
        bent.plot(side, -(offset + normal[0] * side) / normal[1], color="black")
    else:
        bent.plot(-(offset + normal[1] * side) / normal[0], side, color="black")
    bent.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), xlabel="unit 1", ylabel="unit 2", aspect="equal",
             title="the same in the hidden layer: a line")
    bent.grid(False)
    jitter = np.random.default_rng(0)
    for width, records in runs.items():
        found = [100 * accuracy(r) for r in records]
        shares.plot(width + jitter.uniform(-0.18, 0.18, len(found)), found, MARKERS[0], color=COLOURS[0], alpha=0.5, markersize=4)
        shares.plot([width - 0.3, width + 0.3], [np.median(found)] * 2, color="black", linewidth=2)
    shares.set(xlabel="hidden units", ylabel="right on the test points (%)", title="every seed (bar: median)")
    shares.set_xticks(WIDTHS)
    save(made, path)
