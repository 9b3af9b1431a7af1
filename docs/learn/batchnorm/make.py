"""Page batchnorm: what a sigmoid of the last hidden layer gets to see over a training, and how many steps a net needs."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import learnkit
import numpy as np

import netdef

HERE = Path(__file__).resolve().parent
NETS = {"with": "net.yaml", "without": "without.yaml", "wide": "wide.yaml"}
WORDS = {"with": "with BatchNorm", "without": "without", "wide": "without, weights four times as large"}
PAIR = ("with", "without")
BASE = 0.1
MOST = {1: 4000, 5: 1000, 30: 1500, 100: 500}  # steps by how many times BASE
TRACED = 5  # the rate at which the traces of PAIR are drawn; these runs go on to the end
EVERY = 25
TARGET = 0.85
SEEDS = 5
PERCENTILES = (15, 50, 85)
TOLERANCE = {"steps_with_*": 50, "fastest_with_*": 50, "slowest_with_*": 75, "steps_*": 250, "fastest_*": 250, "slowest_*": 400,
             "reached_*": 1, "width_*": 0.2, "last_*": 0.02, "low_*": 0.03, "high_*": 0.03, "drift_*": 0.4, "ratio_1": 5,
             "ratio_5": 3, "ratio_30": 2, "ratio_100": 3, "ratio_best": 2, "ratio_wide": 1}


@dataclass
class Run:
    """Accuracy on the test digits and percentiles of what the sigmoids of layer 3 get, (3, 100), at each test."""

    steps: list[int] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    inputs: list[np.ndarray] = field(default_factory=list)

    def needed(self) -> int | None:
        """Steps until TARGET was reached."""
        return next((n for n, a in zip(self.steps, self.accuracy, strict=True) if a >= TARGET), None)


def make(out: Path, quick: bool) -> dict[str, float]:
    """Write traces.png and steps.png; the numbers of the page."""
    numbers: dict[str, float] = {}
    runs: dict[tuple[str, int], list[Run]] = {}
    for times, most in MOST.items():
        for name in NETS:
            found = runs[name, times] = [run(name, times, EVERY if quick else most, seed)
                                         for seed in range(1, 2 if quick else SEEDS + 1)]
            needed = [r.needed() or most for r in found]
            numbers |= {f"steps_{name}_{times}": float(np.median(needed)), f"fastest_{name}_{times}": min(needed),
                        f"slowest_{name}_{times}": max(needed),
                        f"reached_{name}_{times}": sum(r.needed() is not None for r in found)}
        numbers[f"ratio_{times}"] = numbers[f"steps_without_{times}"] / numbers[f"steps_with_{times}"]
    for name in PAIR:
        traced = runs[name, TRACED]
        last = [r.accuracy[-1] for r in traced]
        numbers |= {f"last_{name}": float(np.median(last)), f"low_{name}": min(last), f"high_{name}": max(last),
                    f"drift_{name}": float(np.median([drift(r) for r in traced])),
                    f"width_first_{name}": float(np.median([width(r, 0) for r in traced])),
                    f"width_last_{name}": float(np.median([width(r, -1) for r in traced]))}
    best = {name: min(numbers[f"steps_{name}_{times}"] for times in MOST) for name in NETS}
    numbers |= {"ratio_best": best["without"] / best["with"], "ratio_wide": best["wide"] / best["with"],
                "width_first_wide": float(np.median([width(r, 0) for r in runs["wide", TRACED]]))}
    draw_traces({name: runs[name, TRACED][0] for name in PAIR}, out / "traces.png")
    draw_steps(runs, out / "steps.png")
    return numbers


def run(name: str, times: int, most: int, seed: int) -> Run:
    """Train until TARGET, or to the end where the run is traced, with a test every EVERY steps."""
    solver = netdef.Solver(HERE / "solver.yaml", seed=seed, overrides=(
        f"net={HERE / NETS[name]}", f"base_lr={BASE * times}", "display=0", "test_interval=1000000"))
    found = Run()
    while solver.iter < most and (times == TRACED and name in PAIR or not found.needed()):
        solver.step(EVERY)
        scores = {output.name: output.value for output in solver.test_all()[0].outputs}
        found.steps.append(solver.iter)
        found.accuracy.append(scores["accuracy"])
        found.inputs.append(np.percentile(solver.test_nets[0].blobs["fc3"].data, PERCENTILES, axis=0))
    return found


def drift(run: Run) -> float:
    """How far the median of a unit's input moves, from its lowest to its highest, in widths of the input at the end (from the
    15th to the 85th percentile); the middle one of the 100 units."""
    inputs = np.array(run.inputs)  # tests, percentiles, units
    return float(np.median(np.ptp(inputs[:, 1], axis=0) / (inputs[-1, 2] - inputs[-1, 0])))


def width(run: Run, test: int) -> float:
    """From the 15th to the 85th percentile of a unit's input at one test; the middle one of the 100 units."""
    return float(np.median(run.inputs[test][2] - run.inputs[test][0]))


def draw_traces(runs: dict[str, Run], file: Path) -> None:
    """Percentiles of what the first sigmoid of layer 3 gets, by step; and the accuracy below."""
    made, axes = learnkit.figure(2, 2, 7.0, 4.6, sharex=True, sharey="row", height_ratios=(2, 1))
    for column, (name, found) in enumerate(runs.items()):
        inputs = np.array(found.inputs)[:, :, 0]
        top, below = axes[:, column]
        top.fill_between(found.steps, inputs[:, 0], inputs[:, 2], color=learnkit.COLOURS[column], alpha=0.25, linewidth=0,
                         label="15th to 85th percentile")
        top.plot(found.steps, inputs[:, 1], color=learnkit.COLOURS[column], label="median")
        top.set_title(WORDS[name])
        top.legend(loc="upper left")
        below.plot(found.steps, found.accuracy, color=learnkit.COLOURS[column])
        below.set_ylim(0, 1)
        below.set_xlabel("step")
    axes[0, 0].set_ylim(-2.2, 2.6)
    axes[0, 0].set_ylabel("input of the sigmoid")
    axes[1, 0].set_ylabel("test accuracy")
    learnkit.save(made, file)


def draw_steps(runs: dict[tuple[str, int], list[Run]], file: Path) -> None:
    """Steps until TARGET by learning rate: a point for each seed, hollow at the end of the run where it was not reached."""
    made, axes = learnkit.figure(width=5.5, height=3.4)
    for k, name in enumerate(NETS):
        for times, most in MOST.items():
            for n, found in enumerate(runs[name, times]):
                needed = found.needed()
                apart = (1 + 0.06 * (n - 2)) * 1.12 ** (k - 1)
                axes.plot(BASE * times * apart, needed or most, learnkit.MARKERS[k], color=learnkit.COLOURS[k],
                          fillstyle="full" if needed else "none", markersize=5, linestyle="",
                          label=WORDS[name] if times == 1 and n == 0 else None)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([BASE * times for times in MOST], [f"{BASE * times:g}\n({times} x)" for times in MOST])
    axes.minorticks_off()
    axes.set_yticks([50, 100, 200, 500, 1000, 2000, 4000], ["50", "100", "200", "500", "1,000", "2,000", "4,000"])
    axes.set_xlabel("learning rate")
    axes.set_ylabel(f"steps to a test accuracy of {TARGET:.0%}")
    made.legend(loc="outside upper center", ncols=3)
    learnkit.save(made, file)
