"""Page bcd7seg: sigmoid outputs that saturate on the wrong side, and two cures."""
from __future__ import annotations

from pathlib import Path

import learnkit
import numpy as np

import netdef
from netdef.runtime.watch import saturated_share

HERE = Path(__file__).resolve().parent
RUNS = {  # name: (net, base_lr, words)
    "large": ("net.yaml", 1, "std 10, Euclidean"),
    "small": ("small.yaml", 1, "xavier, Euclidean"),
    "cross": ("cross.yaml", 1, "std 10, cross-entropy"),
    "fast": ("small.yaml", 20, "xavier, Euclidean, rate 20"),
    "fastcross": ("cross.yaml", 20, "std 10, cross-entropy, rate 20"),
}
TOLERANCE = {"wrong_*": 2, "right_*": 2, "sat_first_*": 0.01, "sat_last_*": 0.1, "sat_10_*": 0.1, "stuck_*": 0.1, "hidden_*": 0.1,
             "grad_last_*": 1e-3, "best_*": 3, "worst_*": 4}


def make(out: Path, quick: bool) -> dict[str, float]:
    """Write slope.png and runs.png; the numbers of the page."""
    numbers = slopes(out / "slope.png", 9 if quick else 121)
    curves: dict[str, np.ndarray] = {}
    for name, (net, rate, _) in RUNS.items():
        found = curves[name] = np.array([run(net, rate, seed, 10 if quick else 1000) for seed in range(1, 3 if quick else 11)])
        last = found[:, -1]
        numbers |= {f"wrong_{name}": float(np.median(last[:, 0])), f"best_{name}": last[:, 0].min(),
                    f"worst_{name}": last[:, 0].max(), f"right_{name}": int((last[:, 0] == 0).sum()),
                    f"sat_first_{name}": float(np.median(found[:, 0, 1])), f"sat_last_{name}": float(np.median(last[:, 1])),
                    f"sat_10_{name}": float(np.median(found[:, 9, 1])),
                    f"grad_first_{name}": float(np.median(found[:, 0, 2])), f"grad_last_{name}": float(np.median(last[:, 2])),
                    f"stuck_{name}": float(last[:, 4].sum() / max(last[:, 0].sum(), 1)),
                    f"hidden_{name}": float(np.median(last[:, 3]))}
    draw({name: curves[name] for name in ("large", "small", "cross")}, out / "runs.png")
    return numbers


def run(net: str, rate: float, seed: int, updates: int) -> np.ndarray:
    """Train; by iteration: wrong segments of 70, share of outputs that are saturated, root mean square of the gradient of
    the ten digits' scores, share of hidden units that are saturated, and how many outputs are both wrong and saturated."""
    rows: list[list[float]] = []

    def look(solver: netdef.Solver) -> None:
        if solver.iter:
            blobs = solver.net.blobs  # of the pass before the update
            lit = 1 / (1 + np.exp(-blobs["score"].data.astype(np.float64)))
            wrong = (lit > 0.5) != (blobs["segments"].data > 0.5)
            gradient = np.sqrt(np.mean(np.square(blobs["score"].diff, dtype=np.float64)))
            rows.append([wrong.sum(), saturated_share(lit, 0, 1), gradient, saturated_share(blobs["hidden"].data, 0, 1),
                         (wrong & (np.abs(lit - 0.5) > 0.49)).sum()])

    learnkit.train(HERE / "solver.yaml", updates, f"net={HERE / net}", f"base_lr={rate}", "display=0", seed=seed, look=look)
    return np.array(rows)


def slopes(file: Path, points: int) -> dict[str, float]:
    """The gradient of each loss by a score whose target is 1, for scores from -12 to 12."""
    net = netdef.Net(HERE / "slope.yaml", phase="TRAIN", dtype="float64")
    scores = np.linspace(-12, 12, points)

    def at(score: float) -> tuple[float, float]:
        net.forward(a=[[score]], b=[[score]], target=[[1]])
        net.backward()
        return float(net.blobs["a"].diff.item()), float(net.blobs["b"].diff.item())

    found = np.array([at(score) for score in scores])
    made, axes = learnkit.figure(width=5.0, height=2.8)
    for k in range(2):
        axes.plot(scores, found[:, k], color=learnkit.COLOURS[k], linestyle=learnkit.STYLES[k])
    axes.set_xlabel("score (the target is 1: right is far to the right)")
    axes.set_ylabel("gradient of the loss by the score")
    axes.text(-12, -0.16, "EuclideanLoss\nbehind a Sigmoid", color=learnkit.COLOURS[0], fontsize=8)
    axes.text(-12, -0.88, "SigmoidCrossEntropyLoss", color=learnkit.COLOURS[1], fontsize=8)
    learnkit.save(made, file)
    return {"slope_euclidean": at(-8.0)[0], "slope_cross": at(-8.0)[1], "steepest_euclidean": float(found[:, 0].min())}


def draw(curves: dict[str, np.ndarray], file: Path) -> None:
    """Three panels by iteration: wrong segments, saturated outputs, gradient; median of the seeds and all of them as a band."""
    made, axes = learnkit.figure(1, 3, 9.0, 3.2, sharex=True)
    for column, panel in enumerate(axes):
        for k, (name, found) in enumerate(curves.items()):
            steps = np.arange(1, found.shape[1] + 1)
            panel.fill_between(steps, found[:, :, column].min(0), found[:, :, column].max(0), color=learnkit.COLOURS[k],
                               alpha=0.2, linewidth=0)
            panel.plot(steps, np.median(found[:, :, column], axis=0), color=learnkit.COLOURS[k], linestyle=learnkit.STYLES[k],
                       label=RUNS[name][2])
        panel.set_xscale("log")
        panel.set_xlabel("iteration")
        panel.set_title(("wrong segments, of 70", "share of outputs saturated", "gradient at the scores")[column])
    axes[0].set_ylabel("segments")
    axes[1].set_ylabel("share")
    axes[2].set_ylabel("root mean square")
    axes[2].set_yscale("log")
    made.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    learnkit.save(made, file)
