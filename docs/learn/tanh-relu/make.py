"""Epochs to a given error for tanh and ReLU on the packaged digits: at equal learning rates, and each at its own best one."""
from __future__ import annotations

from pathlib import Path

import numpy as np
from learnkit import COLOURS, MARKERS, STYLES, figure, save, spread, train

SOLVER = Path(__file__).with_name("solver.yaml")
KINDS = {"tanh": "TanH", "relu": "ReLU"}
LABELS = {"tanh": "tanh", "relu": "ReLU"}
RATES = (0.01, 0.02, 0.05, 0.1, 0.2)
EPOCH = 160  # updates
EPOCHS = 4
TARGET = 0.07  # share of test digits that are wrong

TOLERANCE = {"*_rate": 0.06, "*_epochs*": 0.8, "*_error_quarter": 0.04, "*_error_*": 0.02, "*": 0}


def make(out: Path, quick: bool) -> dict[str, float]:
    """Draw epochs.png; by activation the best rate, the epochs to TARGET at it (other seeds than those it was chosen by), the
    error at the end, and the epochs at each rate."""
    choosing, judging = ((1,), (11,)) if quick else ((1, 2), (11, 12, 13, 14, 15))
    updates = 40 if quick else EPOCHS * EPOCH
    tried = {kind: [[errors(kind, rate, seed, updates) for seed in choosing] for rate in RATES] for kind in KINDS}
    waits = {kind: [float(np.mean([epochs_to(run) for run in runs])) for runs in tried[kind]] for kind in KINDS}
    best = {kind: RATES[int(np.argmin(waits[kind]))] for kind in KINDS}
    final = {kind: [errors(kind, best[kind], seed, updates) for seed in judging] for kind in KINDS}
    draw(waits, best, final, updates, out / "epochs.png")
    numbers = {"target": TARGET, "seeds": len(judging), "choosing": len(choosing)}
    for kind in KINDS:
        low, middle, high = spread([epochs_to(run) for run in final[kind]])
        numbers |= {f"{kind}_rate": best[kind], f"{kind}_epochs": middle, f"{kind}_epochs_low": low, f"{kind}_epochs_high": high,
                    f"{kind}_error_end": float(np.median([run[-1] for run in final[kind]])),
                    f"{kind}_error_one": float(np.median([run[len(run) // EPOCHS] for run in final[kind]]))}
        numbers[f"{kind}_error_quarter"] = float(np.median([run[1] for run in final[kind]]))
        numbers |= {f"{kind}_epochs_at_{rate:g}": wait for rate, wait in zip(RATES, waits[kind], strict=True)}
    return numbers


def errors(kind: str, rate: float, seed: int, updates: int) -> np.ndarray:
    """Share of the test digits that are wrong, four times an epoch from the start on."""
    record = train(SOLVER, updates, *(f"net_param.layer.bend{i}.type={KINDS[kind]}" for i in (1, 2, 3)), f"base_lr={rate}",
                   *(["test_iter=1"] if updates < EPOCH else []), seed=seed)
    return 1 - np.array([value for _, value in record.tests["accuracy"]])


def epochs_to(run: np.ndarray) -> float:
    """Epochs until the error is TARGET, in a straight line between two tests; EPOCHS where it never was."""
    below = np.flatnonzero(run <= TARGET)
    if not len(below):
        return float(EPOCHS)
    after = int(below[0])
    return (after - 1 + (run[after - 1] - TARGET) / (run[after - 1] - run[after])) / 4


def draw(waits: dict[str, list[float]], best: dict[str, float], final: dict[str, list[np.ndarray]], updates: int,
         path: Path) -> None:
    """Left the epochs needed by learning rate, right the error by epoch, each activation at its best rate."""
    made, (rates, course) = figure(1, 2, 9, 3.7)
    for i, kind in enumerate(KINDS):
        rates.plot(RATES, waits[kind], STYLES[i], color=COLOURS[i], marker=MARKERS[i], label=LABELS[kind])
    rates.axhline(EPOCHS, color="0.5", linewidth=0.8)
    rates.annotate("not within four epochs", (RATES[0], EPOCHS), (0, 3), textcoords="offset points", color="0.35", fontsize=8)
    rates.set(xscale="log", xlabel="learning rate", ylabel=f"epochs to {100 * TARGET:.0f}% errors", ylim=(0, EPOCHS + 0.4),
              title="at equal rates")
    rates.set_xticks(RATES, [f"{rate:g}" for rate in RATES])
    rates.minorticks_off()
    rates.legend(loc="lower left")
    epochs = np.arange(updates // 40 + 1) / 4
    for i, kind in enumerate(KINDS):
        for run in final[kind]:
            course.plot(epochs, 100 * run, color=COLOURS[i], linewidth=0.7, alpha=0.4)
        course.plot(epochs, 100 * np.median(final[kind], 0), STYLES[i], color=COLOURS[i], linewidth=2,
                    label=f"{LABELS[kind]}, rate {best[kind]:g}")
    course.axhline(100 * TARGET, color="black", linewidth=0.8)
    course.set(yscale="log", ylim=(3, 100), xlabel="epochs (8,000 digits each)", ylabel="test errors (%)",
               title="each at its best rate: seeds and median")
    course.set_yticks([3, 5, 7, 10, 20, 50, 100], ["3", "5", "7", "10", "20", "50", "100"])
    course.minorticks_off()
    course.legend()
    save(made, path)
