"""Page init: how large activations and gradients are, layer by layer, for three fillers, and who starts to learn when."""
from __future__ import annotations

import tempfile
from pathlib import Path

import learnkit
import numpy as np

import netdef

HERE = Path(__file__).resolve().parent
FILLERS = {"xavier": "{type: xavier}", "msra": "{type: msra}", "gaussian": "{type: gaussian, std: 0.01}"}
SHOWN = {"xavier": "xavier", "msra": "msra (He)", "gaussian": "gaussian, std 0.01"}
UNITS = {"relu": "true", "tanh": "false"}
DEEP = 30
ENOUGH = 1.5  # a mean of 20 losses; guessing gives log 10 = 2.30
TOLERANCE = {"iterations_*": 150, "slowest_*": 250, "fastest_*": 150, "reached_*": 1, "began_*": 1,
             "*_gaussian": 1e-5}


def make(out: Path, quick: bool) -> dict[str, float]:
    """Write depth.png and start.png; the numbers of the page."""
    with tempfile.TemporaryDirectory() as folder:
        numbers, profiles = by_depth(Path(folder), 1 if quick else 5)
        found, curves = starts(Path(folder), 1 if quick else 5, 5 if quick else 1200)
        found |= stuck(Path(folder), 1 if quick else 2, 5 if quick else 300)
    draw_depth(profiles, out / "depth.png")
    draw_start(curves, out / "start.png")
    return numbers | found


def variant(folder: Path, depth: int, filler: str, unit: str) -> Path:
    """A net with net.yaml as its base, in a file of its own."""
    file = folder / f"{filler}{depth}{unit}.yaml"
    file.write_text(f"base: {HERE / 'net.yaml'}\nlet: {{depth: {depth}, filler: {FILLERS[filler]}, relu: {UNITS[unit]}}}\n",
                    encoding="utf-8")
    return file


def rms(array: np.ndarray) -> float:
    """Root of the mean square, in float64: squares of float32's small numbers would be 0."""
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))


Profiles = dict[tuple[str, str], np.ndarray]


def by_depth(folder: Path, seeds: int) -> tuple[dict[str, float], Profiles]:
    """One pass of each 30-layer net before any update; (seeds, 2, layers): root mean squares of activations and gradients."""
    profiles: Profiles = {}
    numbers: dict[str, float] = {}
    for unit in UNITS:
        for filler in FILLERS:
            rows = []
            for seed in range(1, seeds + 1):
                net = netdef.Net(variant(folder, DEEP, filler, unit), phase="TRAIN", seed=seed, dtype="float64")
                net.forward()
                net.backward()
                for i in (1, DEEP // 2, DEEP - 1):
                    numbers.setdefault(f"weights_{i}_{unit}_{filler}", rms(net.params[f"fc{i}"][0].diff))  # of seed 1
                rows.append([[rms(net.blobs[f"act{i}"].data) for i in range(1, DEEP)],
                             [rms(net.blobs[f"act{i}"].diff) for i in range(1, DEEP)]])
            found = profiles[unit, filler] = np.array(rows)
            first, last = np.median(found, axis=0)[:, 0], np.median(found, axis=0)[:, -1]
            key = f"{unit}_{filler}"
            numbers |= {f"act_first_{key}": first[0], f"act_last_{key}": last[0], f"grad_first_{key}": first[1],
                        f"grad_last_{key}": last[1], f"factor_{key}": (last[0] / first[0]) ** (1 / (DEEP - 2)),
                        f"back_{key}": (first[1] / last[1]) ** (1 / (DEEP - 2))}
    return numbers, profiles


Curves = dict[tuple[int, str], list[list[float]]]


def starts(folder: Path, seeds: int, most: int) -> tuple[dict[str, float], Curves]:
    """Train the ReLU nets until the loss has left the plateau; iterations it took, and the losses."""
    numbers: dict[str, float] = {}
    curves: Curves = {}
    for depth in (22, DEEP):
        for filler in ("msra", "xavier"):
            net = variant(folder, depth, filler, "relu")
            runs = curves[depth, filler] = []
            for seed in range(1, seeds + 1):
                recent: list[float] = []

                def enough(solver: netdef.Solver, loss: float, recent: list[float] = recent) -> bool:
                    recent.append(loss)
                    return len(recent) >= 20 and float(np.mean(recent[-20:])) < ENOUGH

                made = learnkit.train(HERE / "solver.yaml", most, f"net={net}", "display=0", seed=seed, enough=enough)
                runs.append(made.losses)
            taken = [len(run) for run in runs]
            numbers |= {f"iterations_{filler}{depth}": float(np.median(taken)), f"slowest_{filler}{depth}": max(taken),
                        f"fastest_{filler}{depth}": min(taken), f"reached_{filler}{depth}": sum(n < most for n in taken),
                        f"began_{filler}{depth}": sum(float(np.mean(run[-20:])) < 2.1 for run in runs)}
    return numbers, curves


def stuck(folder: Path, seeds: int, updates: int) -> dict[str, float]:
    """The lowest mean of 20 losses that the 22-layer gaussian net comes to."""
    net = variant(folder, 22, "gaussian", "relu")
    runs = [learnkit.train(HERE / "solver.yaml", updates, f"net={net}", "display=0", seed=seed).losses
            for seed in range(1, seeds + 1)]
    return {"lowest_gaussian22": min(float(np.mean(run[n: n + 20])) for run in runs for n in range(0, len(run), 20))}


def draw_depth(profiles: Profiles, file: Path) -> None:
    """Four panels: ReLU and TanH, activations and gradients."""
    made, axes = learnkit.figure(2, 2, 7.0, 5.0, sharex=True, sharey=True)
    layers = np.arange(1, DEEP)
    for row, unit in enumerate(UNITS):
        for column, what in enumerate(("activation", "gradient of the loss by it")):
            panel = axes[row, column]
            for k, filler in enumerate(FILLERS):
                found = profiles[unit, filler][:, column]
                panel.fill_between(layers, found.min(0), found.max(0), color=learnkit.COLOURS[k], alpha=0.25, linewidth=0)
                panel.semilogy(layers, np.median(found, axis=0), color=learnkit.COLOURS[k], linestyle=learnkit.STYLES[k],
                               marker=learnkit.MARKERS[k], markevery=4, markersize=4, label=SHOWN[filler])
            panel.set_ylim(1e-12, 10)
            panel.set_title(f"{'ReLU' if unit == 'relu' else 'TanH'}: {what}")
            if column == 0:
                panel.set_ylabel("root mean square")
            if row == 1:
                panel.set_xlabel("layer (1 is next to the data)")
    axes[0, 0].legend(loc="lower right")
    learnkit.save(made, file)


def draw_start(curves: Curves, file: Path) -> None:
    """Losses of the first iterations, a panel for each depth, a thin line for each seed."""
    made, axes = learnkit.figure(1, 2, 7.0, 3.2, sharey=True)
    for panel, depth in zip(axes, (22, DEEP), strict=True):
        for k, filler in ((1, "msra"), (0, "xavier")):
            for n, run in enumerate(curves[depth, filler]):
                wide = min(20, len(run))
                smooth = np.convolve(run, np.ones(wide) / wide, "valid")
                panel.plot(np.arange(len(smooth)) + wide, smooth, color=learnkit.COLOURS[k], linestyle=learnkit.STYLES[k],
                           linewidth=1.1, label=SHOWN[filler] if n == 0 else None)
        panel.axhline(np.log(10), color="0.4", linewidth=0.8)
        panel.set_title(f"{depth} layers, ReLU")
        panel.set_xlabel("iteration")
    axes[0].set_ylabel("loss (mean of 20 iterations)")
    made.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    axes[1].text(0.98, np.log(10) + 0.02, "guessing", fontsize=8, color="0.3", ha="right",
                 transform=axes[1].get_yaxis_transform())
    learnkit.save(made, file)
