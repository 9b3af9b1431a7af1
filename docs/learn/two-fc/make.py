"""Heads of nets: one fully connected layer, two without and with a bend between them, and global average pooling."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from learnkit import COLOURS, MARKERS, Record, figure, save, train

FOLDER = Path(__file__).parent
HEADS = {"one": "one FC layer", "straight": "two FC layers,\nnothing between", "two": "two FC layers,\nReLU between",
         "pool": "average pooling,\none FC layer", "deeper": "third convolution,\npooling, one FC"}
ON_POINTS = ("one", "straight", "two")
TRUNK = ("conv1", "conv2")
BATCH = 50

TOLERANCE = {"params_*": 0, "macs_*": 0, "*seeds": 0, "spiral_*": 0.02, "digits_pool*": 0.03, "*": 0.008}


def make(out: Path, quick: bool) -> dict[str, float]:
    """Draw spiral.png and digits.png; by head the accuracies (median, least, most), and its params and multiply-adds, which
    leave the two convolutions that all nets share out."""
    seeds = range(1, 2 if quick else 6)
    points = [train(FOLDER / "spiral.yaml", 40 if quick else 1500, "test_initialization=false", seed=seed)
              for seed in seeds[:3]]
    digits = {head: [train(FOLDER / "solver.yaml", 10 if quick else 800, f"net={head}.yaml", "test_initialization=false",
                           *(["test_iter=1"] if quick else []), seed=seed) for seed in seeds] for head in HEADS}
    numbers: dict[str, float] = {"seeds": len(seeds), "spiral_seeds": len(points)}
    for head in ON_POINTS:
        numbers |= summed(f"spiral_{head}", [r.tests[f"right_{head}"][-1][1] for r in points])
    for head, records in digits.items():
        numbers |= summed(f"digits_{head}", [r.tests["accuracy"][-1][1] for r in records])
        numbers[f"params_{head}"], numbers[f"macs_{head}"] = costs(records[0])
    net = digits["one"][0].net
    numbers["params_trunk"] = sum(blob.data.size for name in TRUNK for blob in net.params[name])
    numbers["macs_trunk"] = sum(step.inferred.macs for step in net.plan.steps if step.node.name in TRUNK) / BATCH
    draw_spiral(points[0], numbers, out / "spiral.png")
    draw_digits(digits, numbers, out / "digits.png")
    return numbers


def summed(name: str, found: list[float]) -> dict[str, float]:
    """Median, least and most."""
    return {name: float(np.median(found)), f"{name}_least": min(found), f"{name}_most": max(found)}


def costs(record: Record) -> tuple[int, float]:
    """Params of the head, and its multiply-adds for one digit."""
    params = sum(blob.data.size for name, blobs in record.net.params.items() if name not in TRUNK for blob in blobs)
    macs = sum(step.inferred.macs for step in record.net.plan.steps if step.node.name not in TRUNK)
    return params, macs / BATCH


def draw_spiral(record: Record, numbers: dict[str, float], path: Path) -> None:
    """The plane as each head divides it, with the test points."""
    made, panels = figure(1, 3, 9.5, 4.0, sharey=True)
    test = record.solver.test_nets[0]
    test.forward()
    points, labels = test.blobs["data"].data[:, :, 0, 0].copy(), test.blobs["label"].data.reshape(-1).astype(int)
    side = np.linspace(-1.2, 1.2, 301)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    for panel, head in zip(panels, ON_POINTS, strict=True):
        regions(panel, scores(record, head, grid).argmax(1).reshape(len(side), -1), side)
        for i in range(3):
            panel.plot(*points[labels == i].T, MARKERS[i], color=COLOURS[i], markersize=3)
        panel.set(xlabel="x", aspect="equal", title=f"{HEADS[head]}: {100 * numbers[f'spiral_{head}']:.0f}% right")
        panel.grid(False)
    panels[0].set_ylabel("y")
    save(made, path)


def scores(record: Record, head: str, points: np.ndarray) -> np.ndarray:
    """What a head of spiral.yaml says to points (N, 2), by its params: (N, 3)."""
    params = record.net.params
    if head != "one":
        weight, bias = (blob.data for blob in params[f"{head}1"])
        points = points @ weight.T + bias
        points = np.maximum(points, 0) if head == "two" else points
    weight, bias = (blob.data for blob in params[head])
    answer: np.ndarray = points @ weight.T + bias
    return answer


def regions(panel: Any, answer: np.ndarray, side: np.ndarray) -> None:
    """Tint the plane by the class answered."""
    tints = np.array([[0xCF, 0xE3, 0xF1], [0xF9, 0xDF, 0xCF], [0xCD, 0xEB, 0xE1]], np.uint8)
    panel.imshow(tints[answer], origin="lower", extent=(side[0], side[-1], side[0], side[-1]))


def draw_digits(digits: dict[str, list[Record]], numbers: dict[str, float], path: Path) -> None:
    """Accuracy of every seed, params and multiply-adds of each head."""
    made, (right, params, macs) = figure(1, 3, 10, 3.6, sharey=True, width_ratios=(1.3, 1, 1))
    jitter = np.random.default_rng(0)
    for row, (head, records) in enumerate(digits.items()):
        found = [100 * r.tests["accuracy"][-1][1] for r in records]
        right.plot(found, row + jitter.uniform(-0.2, 0.2, len(found)), MARKERS[0], color=COLOURS[0], alpha=0.6, markersize=5)
        right.plot([np.median(found)] * 2, [row - 0.32, row + 0.32], color="black", linewidth=2)
        for panel, name in ((params, "params"), (macs, "macs")):
            panel.barh(row, numbers[f"{name}_{head}"], 0.6, color=COLOURS[4])
            panel.annotate(f"{numbers[f'{name}_{head}']:,.0f}", (numbers[f"{name}_{head}"], row), (3, 0),
                           textcoords="offset points", va="center", fontsize=8)
    right.set(xlabel="right on 2,000 test digits (%)", title="every seed (bar: median)")
    right.set_yticks(range(len(HEADS)), list(HEADS.values()))
    right.set_ylim(len(HEADS) - 0.5, -0.5)
    params.set(xlabel="params of the head", xlim=(0, 1.3 * max(numbers[f"params_{h}"] for h in HEADS)))
    for panel in (params, macs):
        panel.xaxis.set_major_formatter("{x:,.0f}")
        panel.locator_params("x", nbins=3)
    macs.set(xlabel="its multiply-adds a digit", xlim=(0, 1.35 * max(numbers[f"macs_{h}"] for h in HEADS)))
    save(made, path)
