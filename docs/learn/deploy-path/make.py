"""Page deploy-path: one digit on its way through a trained net, by netdef and by NumPy."""
from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import learnkit
import numpy as np

import netdef
from netdef.graph.differences import compare_files
from netdef.predict.steps import worked

HERE = Path(__file__).resolve().parent
DIGIT = 6
LETTERS = "abcdefg"
# Where the segments lie: from (x, y) to (x, y), in the order a to g.
LINES = (((0, 2), (1, 2)), ((1, 2), (1, 1)), ((1, 1), (1, 0)), ((0, 0), (1, 0)), ((0, 1), (0, 0)), ((0, 2), (0, 1)),
         ((0, 1), (1, 1)))
TOLERANCE = {"off_*": 1e-5, "*": 0.05}


def make(out: Path, quick: bool) -> dict[str, float]:
    """Write path.png; the numbers of the page."""
    trained = learnkit.train(HERE / "solver.yaml", 5 if quick else 200, "display=0", seed=1)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "segments.caffemodel"
        trained.net.save(weights)
        net = netdef.Net(HERE / "deploy.yaml", phase="TEST", weights=weights)
        numbers: dict[str, float] = {"differs": differs(Path(folder))}
    bits = np.array([[digit >> place & 1 for place in (3, 2, 1, 0)] for digit in range(10)], np.float64)
    steps = by_hand(net, bits)
    numbers["off_hand"] = max(off(net, bits[d], {k: v[d] for k, v in steps.items()}) for d in range(10))
    one = {name: values[DIGIT] for name, values in steps.items()}
    text = worked(net, {"data": bits[DIGIT].reshape(1, 4, 1, 1)})
    numbers["lines"], numbers["lines_right"] = printed(text, one)
    trained.net.forward()  # the train net, on all ten digits at once
    numbers["off_train"] = float(np.abs(trained.net.blobs["score"].data - steps["score"]).max())
    lit = trained.net.blobs["lit"].data > 0.5
    numbers |= {"wrong": int(((steps["prob"] > 0.5) != lit).sum()),
                "least_lit": float(steps["prob"][lit].min()), "most_dark": float(steps["prob"][~lit].max())}
    for name, values in one.items():
        numbers |= {f"{name}_{i}": float(v) for i, v in enumerate(values)}
    numbers |= {f"w_{i}": float(v) for i, v in enumerate(net.params["hidden"][0].data[0])}
    numbers["b_0"] = float(net.params["hidden"][1].data[0])
    draw(net, bits[DIGIT], one, out / "path.png")
    return numbers


def differs(folder: Path) -> bool:
    """Whether deploy.yaml means anything else than what `netdef convert --deploy` makes of net.yaml."""
    from netdef.config.write import to_prototxt
    from netdef.graph.deploy import deploy

    made = folder / "made.prototxt"
    made.write_text(to_prototxt(deploy(HERE / "net.yaml").message), encoding="utf-8")
    return not compare_files(str(HERE / "deploy.yaml"), str(made)).same


def by_hand(net: netdef.Net, x: np.ndarray) -> dict[str, np.ndarray]:
    """The pass in NumPy and float64; (10, ...) by the name of the step."""
    w1, b1, w2, b2 = (blob.data.astype(np.float64) for layer in ("hidden", "score") for blob in net.params[layer])
    hidden = x @ w1.T + b1
    squash = np.tanh(hidden)
    score = squash @ w2.T + b2
    return {"hidden": hidden, "squash": squash, "score": score, "prob": 1 / (1 + np.exp(-score))}


def off(net: netdef.Net, x: np.ndarray, wanted: dict[str, np.ndarray]) -> float:
    """The largest difference between netdef's pass of one item and NumPy's, over all layers."""
    worst = 0.0

    def compare(step: Any) -> None:
        nonlocal worst
        if step.name in wanted:  # in place: what stood in the blob after this layer
            worst = max(worst, float(np.abs(step.tops[0].data[0] - wanted[step.name]).max()))

    with net.hooks.added(after_forward=compare):
        net.forward(data=x.reshape(1, 4, 1, 1))
    return worst


def printed(text: str, wanted: dict[str, np.ndarray]) -> tuple[int, int]:
    """Lines `name[i] = ... = value` of `netdef predict --steps`, and how many of their values are NumPy's to four digits."""
    count = right = 0
    layer = ""
    for line in text.splitlines():
        if head := re.match(r"(\w+) \((?!Input)\w+\) of ", line):
            layer = head[1]
        elif found := re.match(r"  \w+\[(\d+)\] = .* = (\S+)$", line):
            count += 1
            value = wanted[layer][int(found[1])]
            right += abs(float(found[2]) - value) <= 6e-4 * abs(value)
    return count, right


def draw(net: netdef.Net, x: np.ndarray, steps: dict[str, np.ndarray], file: Path) -> None:
    """Vectors as columns and matrices as tables, all with their numbers, from the bits to the display."""
    (w1, b1), (w2, b2) = ([blob.data for blob in net.params[layer]] for layer in ("hidden", "score"))
    parts = (("bits", x[:, None]), ("W hidden", w1), ("b", b1[:, None]), ("hidden", steps["hidden"][:, None]),
             ("tanh", steps["squash"][:, None]), ("W score", w2), ("b", b2[:, None]), ("score", steps["score"][:, None]),
             ("sigmoid", steps["prob"][:, None]))
    signs = ("", "", "+", "=", "", "", "+", "=", "")
    made, axes = learnkit.figure(1, len(parts) + 1, 10.5, 3.4, width_ratios=[a.shape[1] for _, a in parts] + [1.8])
    for panel, (title, values), sign in zip(axes, parts, signs, strict=False):
        panel.imshow(values, cmap="PuOr", vmin=-8, vmax=8)
        for (row, column), value in np.ndenumerate(values):
            text = f"{value:.0f}" if title == "bits" else f"{value:.2f}" if abs(value) < 9.995 else f"{value:.1f}"
            panel.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if abs(value) > 5.5 else "black")
        panel.set_title(title)
        panel.set_ylim(6.5, -0.5)
        panel.axis("off")
        panel.text(-0.75, (len(values) - 1) / 2, sign, ha="center", va="center", fontsize=11)
    for i, letter in enumerate(LETTERS):
        axes[-2].text(0.62, i, letter, va="center", fontsize=8)
        (x0, y0), (x1, y1) = LINES[i]
        brightness = float(steps["prob"][i])
        axes[-1].plot((x0, x1), (y0, y1), color=str(0.92 * (1 - brightness)), linewidth=6, solid_capstyle="round")
    axes[-1].set_title("display")
    axes[-1].set_xlim(-0.6, 1.4)
    axes[-1].set_ylim(-0.9, 2.5)
    axes[-1].set_aspect("equal")
    axes[-1].axis("off")
    learnkit.save(made, file)
