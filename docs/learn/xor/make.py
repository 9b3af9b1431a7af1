"""Exclusive or from 100 starts each with sigmoid, tanh and ReLU: how many get there, how fast, and where the others stay."""
from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from learnkit import COLOURS, MARKERS, Record, figure, save, spread, train

SOLVER = Path(__file__).with_name("solver.yaml")
KINDS = {"sigmoid": "Sigmoid", "tanh": "TanH", "relu": "ReLU"}
LABELS = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"}
WIDTHS = (2, 4, 8)
SOLVED = 0.1  # loss
UPDATES = 500
SLOW = 0.1  # the other learning rate
POINTS = ((0, 0), (0, 1), (1, 0), (1, 1))
# The least loss where so many of the four points look alike to the last layer, and the others are right.
LEVELS = {"two": math.log(2) / 2, "three": -(math.log(1 / 3) + 2 * math.log(2 / 3)) / 4, "four": math.log(2)}
FATES = {"solved": "solved", "two": "two points alike", "three": "three alike", "four": "all four alike", "other": "other"}

TOLERANCE = {"*_solved*": 6, "*_two": 6, "*_three": 6, "*_four": 6, "*_other": 6, "level_*": 1e-5, "*": 10}


def make(out: Path, quick: bool) -> dict[str, float]:
    """Draw fates.png and corners.png; how many of the seeds are solved, by activation and width, and in how many updates."""
    seeds, updates = (range(1, 3), 40) if quick else (range(1, 101), UPDATES)
    runs = {(kind, width): [once(kind, seed, width, updates) for seed in seeds] for kind in KINDS for width in WIDTHS}
    numbers = {f"level_{name}": level for name, level in LEVELS.items()} | {"seeds": len(seeds)}
    for (kind, width), records in runs.items():
        numbers[f"{kind}_solved_{width}"] = sum(solved(r) for r in records)
    fates = {kind: [fate(r) for r in runs[kind, 2]] for kind in KINDS}
    for kind in KINDS:
        found = [len(r.losses) for r in runs[kind, 2] if solved(r)] or [UPDATES]
        low, middle, high = spread(found)
        numbers |= {f"{kind}_low": low, f"{kind}_median": middle, f"{kind}_high": high, f"{kind}_most": max(found)}
        numbers |= {f"{kind}_{name}": fates[kind].count(name) for name in FATES if name != "solved"}
    slow = range(1, 2 if quick else 31)
    numbers["slow_seeds"] = len(slow)
    for kind in ("tanh", "relu"):
        numbers[f"{kind}_solved_slow"] = sum(solved(once(kind, seed, 2, updates, f"base_lr={SLOW}")) for seed in slow)
    draw_fates(runs, fates, out / "fates.png")
    draw_corners([first(runs["tanh", 2], "solved"), first(runs["tanh", 2], "two"), first(runs["relu", 2], "three")],
                 out / "corners.png")
    return numbers


def once(kind: str, seed: int, width: int, updates: int, *overrides: str) -> Record:
    """One training, which ends when the loss is below SOLVED, or after ``updates``."""
    layer = "net_param.layer"
    return train(SOLVER, updates, f"{layer}.bend.type={KINDS[kind]}",
                 f"{layer}.hidden.inner_product_param.num_output={width}", *overrides, seed=seed,
                 enough=lambda _, loss: loss < SOLVED)


def solved(record: Record) -> bool:
    """Whether the last loss is below SOLVED: then all four points are on their side."""
    return record.losses[-1] < SOLVED


def fate(record: Record) -> str:
    """A word of FATES: solved, or the level that the loss came to rest on."""
    if solved(record):
        return "solved"
    near = [name for name, level in LEVELS.items() if abs(record.losses[-1] - level) < 0.01]
    return near[0] if near else "other"


def first(records: list[Record], wanted: str) -> tuple[str, Record]:
    """The first run with a fate, or just the first one; and its fate."""
    found = [r for r in records if fate(r) == wanted] or records
    return fate(found[0]), found[0]


def draw_fates(runs: dict[tuple[str, int], list[Record]], fates: dict[str, list[str]], path: Path) -> None:
    """Where 100 seeds end; how many updates the solved ones took; how many are solved with more hidden units."""
    made, (ends, times, widths) = figure(1, 3, 10, 3.4, width_ratios=(1.1, 1.1, 0.9))
    count = len(next(iter(fates.values())))
    bottom = np.zeros(len(KINDS))
    shades = dict(zip(FATES, (COLOURS[5], COLOURS[4], COLOURS[3], COLOURS[6], "0.7"), strict=True))
    for name, label in FATES.items():
        share = np.array([100 * fates[kind].count(name) / count for kind in KINDS])
        if share.any():
            ends.bar(list(LABELS.values()), share, 0.6, bottom, color=shades[name], label=label, edgecolor="white")
        bottom += share
    ends.set(ylabel=f"share of {count} seeds (%)", title="where training ends, 2 hidden units", ylim=(0, 138))
    ends.set_yticks(range(0, 101, 20))
    ends.legend(loc="upper center", ncols=2, columnspacing=1, handlelength=1)
    jitter = np.random.default_rng(0)
    for row, kind in enumerate(KINDS):
        done = [len(r.losses) for r in runs[kind, 2] if solved(r)]
        times.plot(done, row + jitter.uniform(-0.25, 0.25, len(done)), MARKERS[row], color=COLOURS[row], alpha=0.55, markersize=4)
        if done:
            times.plot([np.median(done)] * 2, [row - 0.36, row + 0.36], color="black", linewidth=2)
    times.set(xscale="log", xlabel="updates until the loss is below 0.1", title="how fast (bar: median)")
    times.set_xticks([10, 20, 50, 100, 200, 500], ["10", "20", "50", "100", "200", "500"])
    times.minorticks_off()
    times.set_yticks(range(len(KINDS)), list(LABELS.values()))
    times.set_ylim(len(KINDS) - 0.5, -0.5)
    for i, kind in enumerate(KINDS):
        share = [100 * sum(map(solved, runs[kind, width])) / count for width in WIDTHS]
        widths.plot([str(w) for w in WIDTHS], share, color=COLOURS[i], marker=MARKERS[i], label=LABELS[kind])
    widths.set(xlabel="hidden units", ylabel="solved (%)", ylim=(0, 104), title="with more units")
    widths.legend(loc="lower right")
    save(made, path)


def draw_corners(shown: list[tuple[str, Record]], path: Path) -> None:
    """The four points as two hidden units see them, in three runs."""
    made, axes = figure(1, 3, 10, 3.3)
    for panel, (name, record), kind in zip(axes, shown, ("tanh", "tanh", "ReLU"), strict=True):
        record.net.forward()
        places = record.net.blobs["bend"].data
        reach = max(1.0, float(np.abs(places).max()))
        low = -1.25 if kind == "tanh" else -0.2 * reach
        texts: dict[tuple[float, float], str] = {}
        for (x, y), point in zip(places, POINTS, strict=True):
            odd = sum(point) % 2
            panel.plot(x, y, MARKERS[odd], color=COLOURS[odd], markersize=9, alpha=0.7)
            place = (round(float(x) / reach, 1), round(float(y) / reach, 1))  # those that lie together share a text
            texts[place] = ", ".join(filter(None, (texts.get(place), f"{point[0]}{point[1]}")))
        for (x, y), text in texts.items():
            side = 1 if y * reach < (low + 1.3 * reach) / 2 else -1
            panel.annotate(text, (x * reach, y * reach), (0, 10 * side), textcoords="offset points", ha="center",
                           va="bottom" if side > 0 else "top")
        panel.set(xlim=(low, 1.3 * reach), ylim=(low, 1.3 * reach), xlabel="hidden unit 1", ylabel="hidden unit 2",
                  title=f"{kind}, {FATES[name]} (loss {record.losses[-1]:.3f})")
    save(made, path)
