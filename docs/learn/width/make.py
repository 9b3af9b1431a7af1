"""A curve learned by one hidden layer of 1 to 64 units: the error against the width, and what the curves look like."""
from __future__ import annotations

from pathlib import Path

import numpy as np
from learnkit import COLOURS, MARKERS, STYLES, figure, save, train

FOLDER = Path(__file__).parent
SOLVER = FOLDER / "solver.yaml"
WIDTHS = (1, 2, 4, 8, 16, 32, 64)
SHOWN = (2, 8, 32)
NEAR = 0.03  # kinks nearer to each other than this make one place
KINDS = {"tanh": "TanH", "relu": "ReLU"}
LABELS = {"tanh": "tanh", "relu": "ReLU"}

TOLERANCE = {"points": 0, "height": 0.001, "kinks_*": 1e-5, "tanh_16*": 0.06, "tanh_[12]*": 0.3, "tanh_4_most": 0.3,
             "inside": 2, "places": 3, "relu_64*": 0.04, "relu_32*": 0.04, "relu_*": 0.3, "*": 0.03}


def make(out: Path, quick: bool) -> dict[str, float]:
    """Draw error.png and fits.png; the root mean square errors by activation and width (median, least, most of the seeds)."""
    x, y = points()
    seeds = range(1, 2 if quick else 6)
    errors: dict[str, list[list[float]]] = {}
    fits: dict[tuple[str, int], np.ndarray] = {}
    kinks_at: list[np.ndarray] = []  # of the ReLU nets of SHOWN[-1] units
    for kind in KINDS:
        errors[kind] = []
        for width in WIDTHS:
            made = [learned(kind, width, seed, 20 if quick else 1500) for seed in seeds]
            errors[kind].append([rms(fit - y) for fit, _ in made])
            middle = int(np.argsort(errors[kind][-1])[len(made) // 2])
            fits[kind, width] = made[middle][0]
            if (kind, width) == ("relu", SHOWN[-1]):
                kinks_at = [kinks for _, kinks in made]
                drawn = kinks_at[middle]
    kinks = [rms(np.interp(x, nodes := np.linspace(x[0], x[-1], width + 1), curve(nodes)) - y) for width in WIDTHS]
    draw_error(errors, kinks, out / "error.png")
    draw_fits(x, y, fits, errors, drawn, out / "fits.png")
    numbers = {"points": len(x), "height": rms(y - y.mean()), "seeds": len(seeds)}
    numbers["inside"] = float(np.median([len(kinks) for kinks in kinks_at]))
    numbers["places"] = float(np.median([1 + np.sum(np.diff(np.sort(kinks)) > NEAR) for kinks in kinks_at]))
    for i, width in enumerate(WIDTHS):
        numbers[f"kinks_{width}"] = kinks[i]
        for kind in KINDS:
            found = errors[kind][i]
            numbers |= {f"{kind}_{width}": float(np.median(found)), f"{kind}_{width}_least": min(found),
                        f"{kind}_{width}_most": max(found)}
    return numbers


def curve(x: np.ndarray) -> np.ndarray:
    """The curve to learn: a wave with a faster one on its middle part."""
    return np.sin(4 * x) + 0.5 * np.sin(13 * x) * np.exp(-2 * x**2)


def points() -> tuple[np.ndarray, np.ndarray]:
    """x and y (200) of points.csv, which are of ``curve``."""
    x, y = np.loadtxt(FOLDER / "points.csv", delimiter=",", skiprows=1).T
    if np.abs(curve(x) - y).max() > 0.001:
        raise ValueError("points.csv does not hold the points of curve()")
    return x, y


def learned(kind: str, width: int, seed: int, updates: int) -> tuple[np.ndarray, np.ndarray]:
    """What a net answers to all 200 points after its training; and where between -1 and 1 its units have their middle."""
    net = train(SOLVER, updates, f"net_param.layer.bend.type={KINDS[kind]}", f"max_iter={updates}",
                f"net_param.layer.hidden.inner_product_param.num_output={width}", seed=seed).net
    net.forward()
    weight, bias = (param.data.reshape(-1).astype(float) for param in net.params["hidden"])
    places = -bias / weight
    return net.blobs["answer"].data.reshape(-1).astype(float), places[np.abs(places) < 1]


def rms(error: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(error**2)))


def draw_error(errors: dict[str, list[list[float]]], kinks: list[float], path: Path) -> None:
    """Error against width, both logarithmic: every seed a mark, medians joined."""
    made, axes = figure(1, 1, 6.5, 3.8)
    for i, (kind, rows) in enumerate(errors.items()):
        for width, found in zip(WIDTHS, rows, strict=True):
            axes.plot([width] * len(found), found, MARKERS[i], color=COLOURS[i], alpha=0.4, markersize=4)
        axes.plot(WIDTHS, [np.median(found) for found in rows], STYLES[0], color=COLOURS[i], marker=MARKERS[i],
                  label=f"{LABELS[kind]}, trained (median of {len(rows[0])} seeds)")
    axes.plot(WIDTHS, kinks, STYLES[1], color=COLOURS[6], label="ReLU, weights set by hand:\nevenly spaced kinks on the curve")
    axes.set(xscale="log", yscale="log", xlabel="hidden units", ylabel="root mean square error (units of y)")
    axes.set_xticks(WIDTHS, [str(w) for w in WIDTHS])
    axes.minorticks_off()
    axes.legend(loc="lower left")
    save(made, path)


def draw_fits(x: np.ndarray, y: np.ndarray, fits: dict[tuple[str, int], np.ndarray], errors: dict[str, list[list[float]]],
              kinks: np.ndarray, path: Path) -> None:
    """The curve and the answers of nets of three widths; of the seeds, the one with the median error. ``kinks`` are those of
    the last panel."""
    made, panels = figure(2, 3, 9, 4.6, sharex=True, sharey=True)
    for row, (kind, label) in enumerate(LABELS.items()):
        for panel, width in zip(panels[row], SHOWN, strict=True):
            panel.plot(x, y, color="0.65", linewidth=3, label="the curve")
            panel.plot(x, fits[kind, width], STYLES[0], color=COLOURS[row], label=f"{label} net")
            panel.set_title(f"{label}, {width} units: error {np.median(errors[kind][WIDTHS.index(width)]):.3f}")
        panels[row, 0].set_ylabel("y")
        panels[row, 0].legend(loc="upper left")
    panels[1, -1].plot(kinks, np.full(len(kinks), -1.45), "|", color="black", markersize=9, alpha=0.6)
    panels[1, -1].annotate("its kinks", (-1, -1.45), va="center", fontsize=8)
    for panel in panels[1]:
        panel.set_xlabel("x")
    save(made, path)
