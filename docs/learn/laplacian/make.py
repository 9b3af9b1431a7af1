"""Page laplacian: a filter with fixed weights, what it finds in a picture, and the gradient that goes through it."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import learnkit
import numpy as np

import netdef

HERE = Path(__file__).resolve().parent
SIDE = 96
ROW = 30  # of the cut: through the square and the disc
STEP = 0.03  # below 2 / 64: the Laplacian of a picture is at most 8 times as large, its square 64 times
TOLERANCE = {"gradient_off": 1e-9, "sobel_off": 1e-9, "laplacian_ramp": 1e-9, "noise_*": 0.05, "pair_*": 1e-6, "learning": 0}


def make(out: Path, quick: bool) -> dict[str, float]:
    """Write picture.png, edges.png and descent.png; the numbers of the page."""
    picture = scene()
    save_picture(picture, out / "picture.png")
    net = netdef.Net(HERE / "net.yaml", phase="TRAIN", dtype="float64", seed=1)
    net.forward(picture=picture[None, None])
    net.backward()
    laplacian, steepness = net.blobs["laplacian"].data[0, 0].copy(), net.blobs["steepness"].data[0, 0].copy()
    gradient = net.blobs["picture"].diff[0, 0].copy()
    draw_edges(picture, laplacian, steepness, out / "edges.png")
    cut = slice(36, 44)  # from the square's last columns to the ground
    numbers = {"learning": sum(p.lr_mult != 0 for p in net.plan.params), "energy_first": net.loss,
               "jump": picture[ROW, 39] - picture[ROW, 40], "pair_low": laplacian[ROW - 1, cut].min(),
               "pair_high": laplacian[ROW - 1, cut].max(), "sobel_jump": steepness[ROW - 1, cut].max(),
               "laplacian_ramp": np.abs(laplacian[60:80, 12:40]).max(), "sobel_ramp": np.median(steepness[60:80, 12:40]),
               "gradient_off": np.abs(gradient - back(laplacian)).max(),
               "sobel_off": np.abs(steepness - by_hand(picture)).max()}
    numbers |= noise(net, 1 if quick else 5)
    numbers |= descend(net, picture, gradient, 5 if quick else 300, out / "descent.png")
    return numbers


def scene() -> np.ndarray:
    """(96, 96) from 0 to 1, in steps of 1/255: a square, a disc, a thin line, a ramp, and a noisy patch on even ground."""
    levels = np.full((SIDE, SIDE), 64.0)
    levels[10:40, 10:40] = 217
    y, x = np.mgrid[:SIDE, :SIDE]
    levels[(y - 27) ** 2 + (x - 70) ** 2 < 17 ** 2] = 179
    levels[48, 8:88] = 217
    levels[56:88, 8:44] = 64 + 5 * np.arange(36)
    levels[56:88, 52:88] = 128 + 10 * np.random.default_rng(1).normal(size=(32, 36))
    return np.round(levels) / 255


def save_picture(picture: np.ndarray, file: Path) -> None:
    """As a grey PNG."""
    from PIL import Image

    Image.fromarray(np.round(255 * picture).astype(np.uint8)).save(file)


def by_hand(picture: np.ndarray) -> np.ndarray:
    """Sobel's steepness, without netdef."""
    smooth = picture[:-2] + 2 * picture[1:-1] + picture[2:]
    right = smooth[:, 2:] - smooth[:, :-2]
    smooth = picture[:, :-2] + 2 * picture[:, 1:-1] + picture[:, 2:]
    down = smooth[2:] - smooth[:-2]
    return np.asarray(np.sqrt(right ** 2 + down ** 2 + 1e-12))


def back(delta: np.ndarray) -> np.ndarray:
    """The gradient by the picture, without netdef: each place gives its delta to its four neighbours and takes it four times
    from the middle."""
    found = np.zeros((SIDE, SIDE))
    for down, right, weight in ((0, 1, 1), (1, 0, 1), (1, 1, -4), (1, 2, 1), (2, 1, 1)):
        found[down:down + SIDE - 2, right:right + SIDE - 2] += weight * delta
    return found


def noise(net: netdef.Net, seeds: int) -> dict[str, float]:
    """What the filters make of pure noise of standard deviation 1, in parts of what they make of a jump of 1."""
    found = []
    for seed in range(1, seeds + 1):
        net.forward(picture=np.random.default_rng(seed).normal(size=(1, 1, SIDE, SIDE)))
        rms = [float(np.sqrt(np.mean(net.blobs[name].data ** 2))) for name in ("laplacian", "steepness")]
        found.append((rms[0] / 1, rms[1] / 4))
    middle = np.median(found, axis=0)
    return {"noise_laplacian": middle[0], "noise_sobel": middle[1], "noise_ratio": middle[0] / middle[1]}


def descend(net: netdef.Net, picture: np.ndarray, gradient: np.ndarray, steps: int, file: Path) -> dict[str, float]:
    """Follow the gradient of the energy downhill with the picture alone."""
    now, energies = picture.copy(), []
    for _ in range(steps):
        net.forward(picture=now[None, None])
        net.backward()
        energies.append(net.loss)
        now -= STEP * net.blobs["picture"].diff[0, 0]
    net.forward(picture=now[None, None])
    energies.append(net.loss)
    made, axes = learnkit.figure(1, 3, 8.4, 2.7, width_ratios=(1, 1, 1.1))
    show(made, axes[0], gradient, "gradient by the picture", "PuOr")
    show(made, axes[1], now, f"picture after {steps} steps", "gray", (0, 1))
    axes[2].semilogy(energies, color=learnkit.COLOURS[0])
    axes[2].set_xlabel("step")
    axes[2].set_ylabel("energy")
    learnkit.save(made, file)
    patch = (slice(62, 82), slice(58, 82))
    return {"energy_last": energies[-1], "patch_first": picture[patch].std(), "patch_last": now[patch].std(),
            "jump_last": now[ROW, 39] - now[ROW, 40]}


def draw_edges(picture: np.ndarray, laplacian: np.ndarray, steepness: np.ndarray, file: Path) -> None:
    """The picture and both answers, and a cut through them along one row."""
    made, axes = learnkit.figure(2, 2, 7.0, 5.6)
    show(made, axes[0, 0], picture, "picture", "gray", (0, 1))
    axes[0, 0].axhline(ROW, color=learnkit.COLOURS[4], linewidth=1)
    show(made, axes[0, 1], laplacian, "laplacian", "PuOr")
    show(made, axes[1, 0], steepness, "steepness (Sobel)", "gray")
    panel = axes[1, 1]
    for k, (values, words, first) in enumerate(((picture[ROW], "picture", 0), (laplacian[ROW - 1], "laplacian", 1),
                                                (steepness[ROW - 1], "steepness", 1))):
        panel.plot(np.arange(len(values)) + first, values, color=learnkit.COLOURS[k], linestyle=learnkit.STYLES[k], label=words,
                   linewidth=1.4, drawstyle="steps-mid")
    panel.set_title(f"along row {ROW}")
    panel.set_xlabel("column (pixels)")
    panel.set_ylabel("value (brightness: 1 is white)")
    panel.set_xlim(32.5, 59.5)
    panel.legend(loc="upper center")
    learnkit.save(made, file)


def show(made: Any, panel: Any, values: np.ndarray, title: str, colours: str, limits: tuple[float, float] | None = None) -> None:
    """A picture with its scale; colours that part at 0 where the values do."""
    most = float(np.abs(values).max())
    low, high = limits or ((-most, most) if colours == "PuOr" else (0, most))
    drawn = panel.imshow(values, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    panel.set_title(title)
    panel.set_xticks([])
    panel.set_yticks([])
    made.colorbar(drawn, ax=panel, shrink=0.9)
