"""Fill in the marked blocks of docs/probe.md and draw its pictures, docs/probe/*.png.

A block follows a comment: `<!-- run -->` runs the command in the block's first line, in a copy of docs/probe;
`<!-- numbers NAME -->` takes a table that is made here. With --check nothing is written: numbers may then differ by 5 %, or 2
in the last place, since computers round in different ways and searches go on from there; pictures by a few grey levels.
"""
from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]  # a fresh checkout has netdef not installed

import gen_gradients  # noqa: E402
import numpy as np  # noqa: E402

from netdef.data.preprocessing import Preprocessing  # noqa: E402
from netdef.graph.render import table  # noqa: E402
from netdef.probe.attack import Attack, attack  # noqa: E402
from netdef.probe.exact import invert_exactly  # noqa: E402
from netdef.probe.field import Fields, effective  # noqa: E402
from netdef.probe.goals import ClassGoal, Goal, ValuesGoal, residuals  # noqa: E402
from netdef.probe.inverses import TABLE  # noqa: E402
from netdef.probe.invert import Settings, invert, start_units  # noqa: E402
from netdef.probe.pictures import difference, enlarged, fit, heat_colours, rows, write_picture  # noqa: E402
from netdef.probe.records import own_records  # noqa: E402
from netdef.probe.saliency import METHODS, explain  # noqa: E402
from netdef.probe.space import Space  # noqa: E402
from netdef.probe.subject import Probe  # noqa: E402

FOLDER = ROOT / "docs" / "probe"
NET, WEIGHTS = FOLDER / "digits.yaml", FOLDER / "digits.npz"
SPACE = Space.of(Preprocessing(scale=(0.00390625,)), (1, 28, 28))
DIGIT = 3  # the record of the test data that the pictures are about: an 8
SECONDS = gen_gradients.re.compile(r"\d+\.\d\d s\b")
SIDE = 84  # pixels of a drawn digit


def main(argv: Sequence[str] | None = None) -> int:
    """Write page and pictures, or with --check say whether they are up to date (exit status 1: they are not)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a block or a picture is stale")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "probe.md", help="the page (%(default)s)")
    args = parser.parse_args(argv)
    page = args.page.read_text(encoding="utf-8")
    wanted, stale = filled(page)
    stale += drawn(write=not args.check)
    for name in stale:
        print(f"{args.page}: '{name}' is stale" + (": run python tools/gen_probe.py" if args.check else ""), file=sys.stderr)
    if args.check:
        return 1 if stale else 0
    args.page.write_text(wanted, encoding="utf-8", newline="\n")
    return 0


def filled(page: str) -> tuple[str, list[str]]:
    """The page with its blocks filled in, and the names of those that were not right; others stay as they are."""
    os.environ.setdefault("NETDEF_KERNELS", "reference")  # nothing to compile, and nothing said about it
    stale: list[str] = []

    def fill(match: gen_gradients.re.Match[str]) -> str:
        options, body = match["options"].strip(), match["body"]
        if match["kind"] == "numbers":
            name, wanted = options, NUMBERS[options]() + "\n"
        else:
            name = body.splitlines()[0]
            wanted = f"{name}\n{gen_gradients.output_of(name, options)}"
        if alike(body, wanted):
            return match[0]
        stale.append(name)
        start = match.start("body") - match.start()
        return match[0][:start] + wanted + match[0][start + len(body):]

    with _copy():
        return gen_gradients.BLOCK.sub(fill, page), stale


def alike(a: str, b: str) -> bool:
    """Whether two texts differ in spaces, in seconds and, by little, in numbers only; numbers below 1e-6 are rounding, all
    alike."""
    number = gen_gradients.NUMBER
    a, b = (SECONDS.sub("0 s", text) for text in (a, b))
    if number.sub("0", " ".join(a.split())) != number.sub("0", " ".join(b.split())):
        return False
    return all(_close(one, other) for one, other in zip(number.findall(a), number.findall(b), strict=True))


def _close(one: str, other: str) -> bool:
    a, b = float(one), float(other)
    places = max(len(text.partition(".")[2]) if "e" not in text else 9 for text in (one, other))
    return abs(a - b) <= max(0.05 * max(abs(a), abs(b)), 2.01 * 10.0**-places) or max(abs(a), abs(b)) < 1e-6


@contextlib.contextmanager
def _copy() -> Iterator[None]:
    """Work in a folder that has a copy of docs/probe and the digit as a picture."""
    old = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(FOLDER, Path(folder) / "docs" / "probe")
        write_picture(Path(folder) / "eight.png", SPACE.as_bytes(SPACE.to_units(_digits(DIGIT + 1)[0][DIGIT])))
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(old)


def _digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    return own_records(str(NET), count)


def _probe(blob: str | None = None, scores: bool = True, dtype: str = "float32") -> Probe:
    return Probe(str(NET), str(WEIGHTS), blob, scores, dtype=dtype)


# tables ----------------------------------------------------------------------------------------------------------

SEARCH = Settings(iterations=300, rate=0.1, tolerance=1e-6)


def residual_table() -> str:
    """How far from what was wanted each method ends."""
    x = _digits(DIGIT + 1)[0][DIGIT:].astype(np.float64)
    made = []
    for blob in ("relu1", "relu2", "score", "prob"):
        exact = _probe(blob, scores=False, dtype="float64")
        wanted = exact.forward(x)[0]
        search = _probe(blob, scores=False)
        for box in (False, True):
            found = invert(search, SPACE, ValuesGoal(wanted), start_units(SPACE, "zeros"), Settings(
                iterations=SEARCH.iterations, rate=SEARCH.rate, tolerance=SEARCH.tolerance, box=box))
            largest, relative = residuals(found.outputs, wanted)
            made.append((f"{blob} of the 8", wanted.size, "gradient, pixels" if box else "gradient", f"{largest:.1e}",
                         f"{relative:.1e}"))
        done = invert_exactly(exact, wanted)
        made.append((f"{blob} of the 8", wanted.size, "exact", f"{done.largest:.1e}", f"{done.relative:.1e}"))
    return table(made, ("wanted", "values", "method", "largest |f(x) - wanted|", "relative"), [1, 3, 4])


def class_table() -> str:
    """The probability of each class after a search for it."""
    probe = _probe()
    made = []
    for digit in range(10):
        row = [f"{1 - invert(probe, SPACE, ClassGoal((digit,)), start, how).residual:.3f}" for start, how in _searches()]
        made.append((digit, *row))
    return table(made, ("class", "no priors", "tv", "tv, blur, jitter"), [0, 1, 2, 3])


def _searches() -> list[tuple[np.ndarray, Settings]]:
    return [(start_units(SPACE, "noise"), Settings(iterations=100)),
            (start_units(SPACE, "zeros"), Settings(iterations=150, tolerance=0, tv=4)),
            (start_units(SPACE, "zeros"), Settings(iterations=150, tolerance=0, tv=3, l2=0.5, blur=1.5, jitter=2))]


def inverse_table() -> str:
    """Every layer type that can be undone, and how."""
    by: dict[str, list[str]] = {}
    for name, (_, how) in TABLE.items():
        by.setdefault(how, []).append(name)
    return table([(how, ", ".join(names)) for how, names in by.items()], ("undone by", "layers"))


def attack_table() -> str:
    """How many of 500 digits each attack fools."""
    x, labels = _digits(500)
    probe, made = _probe(), []
    for norm, sizes in (("linf", (4, 8, 16, 32)), ("l2", (128, 256, 512))):
        for eps in sizes:
            found = [attack(probe, SPACE, x, labels, Attack(m, norm, eps)) for m in ("fgsm", "pgd")]
            made.append((norm, eps, *(f"{100 * a.rate:.0f}" for a in found), f"{found[1].length.mean():.0f}"))
    return table(made, ("norm", "eps", "FGSM fools, %", "PGD fools, %", "mean length of PGD's change"), [1, 2, 3, 4])


def completeness_table() -> str:
    """The gap of integrated gradients by the number of steps."""
    x = _digits(DIGIT + 1)[0][DIGIT:].astype(np.float64)
    probe = _probe(dtype="float64")
    made = []
    for steps in (1, 4, 16, 64, 256):
        found = explain("integrated", probe, x, (8,), steps=steps)
        made.append((steps, f"{found.attribution.sum():.4f}", f"{found.gap:.4f}"))
    return table(made, ("steps", "sum of attributions", "gap"), [0, 1, 2])


NUMBERS: dict[str, Callable[[], str]] = {"residuals": residual_table, "classes": class_table, "inverses": inverse_table,
                                         "attacks": attack_table, "completeness": completeness_table}

# pictures --------------------------------------------------------------------------------------------------------


def drawn(write: bool) -> list[str]:
    """Draw all pictures; the names of those that are not as they should be."""
    stale = []
    for name, make in PICTURES.items():
        pixels, path = make(), FOLDER / name
        if not path.is_file() or not _looks_like(path, pixels):
            stale.append(name)
            if write:
                write_picture(path, pixels)
    return stale


def _looks_like(path: Path, pixels: np.ndarray) -> bool:
    """Whether a file shows these pixels, but for what rounding does to a search."""
    from netdef.data.images import read_image

    there = read_image(path)[:, :, ::-1]
    return there.shape == pixels.shape and float(np.abs(there.astype(float) - pixels).mean()) < 6


def _shown(units: np.ndarray) -> np.ndarray:
    return enlarged(SPACE.as_bytes(units), SIDE)


def classes_picture() -> np.ndarray:
    """A row of digits for each kind of search, each stretched to white."""
    probe, made = _probe(), []
    for start, how in _searches():
        found = [invert(probe, SPACE, ClassGoal((d,)), start, how).units for d in range(10)]
        made.append([_shown(units / units.max()) for units in found])
    return rows(made)


def again_picture() -> np.ndarray:
    """A digit, what a search makes of its blobs, and what exact inversion makes of them (scaled to what is there)."""
    x = _digits(DIGIT + 1)[0][DIGIT:].astype(np.float64)
    first, second = [_shown(SPACE.to_units(x)[0])], [_shown(SPACE.to_units(x)[0])]
    for blob in ("relu1", "relu2", "score"):
        exact = _probe(blob, scores=False, dtype="float64")
        wanted = exact.forward(x)[0]
        goal: Goal = ValuesGoal(wanted)
        settings = Settings(iterations=300, rate=0.1, tv=0.02, tolerance=0)
        first.append(_shown(invert(_probe(blob, scores=False), SPACE, goal, start_units(SPACE, "zeros"), settings).units))
        values = invert_exactly(exact, wanted).values
        second.append(_shown((values - values.min()) / (values.max() - values.min())))
    return rows([first, second])


def saliency_picture() -> np.ndarray:
    """What each method makes of two digits."""
    x, labels = _digits(3)
    probe, made = _probe(), []
    for k in (0, 2):
        row = [_shown(SPACE.to_units(x[k]))]
        for method in METHODS:
            options = {"size": 4, "stride": 2} if method == "occlusion" else {}
            heat = explain(method, probe, x[k: k + 1].astype(np.float64), (int(labels[k]),), **options).heat()
            row.append(enlarged(heat_colours(fit(heat, 28, 28), bool((heat < 0).any()) or None), SIDE))
        made.append(row)
    return rows(made)


def attack_picture() -> np.ndarray:
    """Digits, what PGD makes of them with eps 32, and the change."""
    x, labels = _digits(8)
    made = attack(_probe(), SPACE, x, labels, Attack(eps=32))
    return rows([[_shown(u) for u in made.original], [_shown(u) for u in made.units],
                 [enlarged(difference(u, o, False), SIDE) for u, o in zip(made.units, made.original, strict=True)]])


def field_picture() -> np.ndarray:
    """The exact field of a unit of conv2 and that in effect."""
    found = Fields(str(NET)).of("conv2", (3, 3))
    inputs = np.random.default_rng(0).standard_normal((32, 1, 28, 28))
    heat = effective(_probe("conv2", scores=False), found.unit, inputs)
    return rows([[enlarged((found.places * 255).astype(np.uint8)[:, :, None], 2 * SIDE),
                  enlarged(heat_colours(heat, False), 2 * SIDE)]])


PICTURES: dict[str, Callable[[], np.ndarray]] = {
    "classes.png": classes_picture, "again.png": again_picture, "saliency.png": saliency_picture,
    "attack.png": attack_picture, "field.png": field_picture}


if __name__ == "__main__":
    sys.exit(main())
