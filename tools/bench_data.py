"""How fast data are read: LeNet's LMDB against LeNet's training step, and JPEG files against PyTorch's DataLoader.

The files are made in a temporary folder. All stand in the system's cache after the first round over them, so what is timed is
decoding and the transform, not the disk. Readers have the same number of workers: threads in netdef, processes in PyTorch.
"""
from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench_pictures import SIZES, write_pictures  # noqa: E402
from bench_race import Options, Outcome, Target, chosen, command_of, in_turns  # noqa: E402
from bench_report import Report  # noqa: E402
from bench_timing import Quiet  # noqa: E402
from bench_worker import Ready, Worker, resident_now, serve  # noqa: E402

CROP, BATCH, MEAN = 227, 32, (104.0, 117.0, 123.0)
AHEAD = 4
"""Batches that netdef reads ahead at most, Caffe's default; PyTorch's is two for each worker."""
READERS = {"images": "netdef ImageData", "encoded": "netdef Data, LMDB of JPEG", "loader": "PyTorch DataLoader, Pillow"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a worker that reads one batch a step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(MAKERS))
    parser.add_argument("path", help="a list of pictures, or an LMDB")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args(argv)
    return serve(lambda: MAKERS[args.kind](args.path, args.workers), timed=lambda ready, n: _timed(ready, n, args.workers))


def run(workers: Sequence[int], options: Options, report: Report, count: int = 400) -> None:
    """Make the files, read them in turns, print two tables. ``workers``: how many read, one table's columns; LeNet trains
    with as many threads as the last of them."""
    needs = [name for name in ("lmdb", "PIL") if importlib.util.find_spec(name) is None]
    if needs:
        report.text(f"--data needs lmdb and Pillow (pip install netdef[data]); not installed: {', '.join(needs)}")
        return
    quiet = Quiet()
    with tempfile.TemporaryDirectory() as name:
        _digits(Path(name), workers[-1], options, report)
        _jpeg(Path(name), workers, options, report, count)
    report.quiet(quiet)


def _digits(folder: Path, threads: int, options: Options, report: Report) -> None:
    report.title(f"LeNet's LMDB, batches of 64, one worker, against its training step, {threads} threads")
    lmdb = folder / "digits_lmdb"
    _netdef("data", "convert", "builtin:mnist10k/train", str(lmdb))
    target, step = Target("lenet", 64), chosen(["netdef"])[0][0]
    found = in_turns({
        "step": lambda: Worker(command_of(step, target, "train", threads), {"OMP_NUM_THREADS": str(threads)}, options.patience),
        "read": lambda: _reader("digits", lmdb, 1, options)}, options.seconds, options.rounds)
    report.raw.setdefault("data", {})["digits"] = {key: _raw(outcome) for key, outcome in found.items()}
    rates = {key: 1 / statistics.median(o.times) for key, o in found.items() if o.times}
    for key, outcome in found.items():
        if outcome.why:
            report.text(f"{key}: does not work: {outcome.why}")
    if len(rates) == 2:
        report.table([["one worker reads", f"{rates['read']:.0f}"], ["LeNet trains", f"{rates['step']:.0f}"],
                      ["read / trained", f"{rates['read'] / rates['step']:.2f}"]], ["", "batches/s"])


def _jpeg(folder: Path, workers: Sequence[int], options: Options, report: Report, count: int) -> None:
    report.title(f"JPEG files: decode, crop of {CROP}, mirror, mean; batches of {BATCH}")
    kinds = [kind for kind in READERS if kind != "loader" or importlib.util.find_spec("torch")]
    if "loader" not in kinds:
        report.text("PyTorch: not installed (no module torch)")
    rows, failed = [], []
    for width, height in SIZES:
        listed = write_pictures(folder / f"{width}x{height}", width, height, count)
        encoded = folder / f"{width}x{height}_lmdb"
        _netdef("-q", "data", "make", str(encoded), "--from", str(listed), "--encoded", "same")
        paths = {"images": listed, "encoded": encoded, "loader": listed}
        for n in workers:
            found = in_turns({kind: partial(_reader, kind, paths[kind], n, options) for kind in kinds}, options.seconds,
                             options.rounds)
            report.raw.setdefault("data", {})[f"{width}x{height} {n}"] = {kind: _raw(o) for kind, o in found.items()}
            rates = {kind: BATCH / statistics.median(o.times) for kind, o in found.items() if o.times}
            rows.append([f"{width}x{height}, {n} worker{'s' * (n > 1)}",
                         *(f"{rates[kind]:.0f}" if kind in rates else "does not work" for kind in kinds),
                         *(f"{rates[kind] / rates['loader']:.2f}" if {kind, "loader"} <= set(rates) else "-"
                           for kind in ("images", "encoded"))])
            failed += [f"{READERS[kind]}, {rows[-1][0]}: does not work: {o.why}" for kind, o in found.items() if o.why]
    report.text("Pictures a second:")
    report.table(rows, ["pictures", *(READERS[kind] for kind in kinds), "ImageData / DataLoader", "LMDB / DataLoader"])
    for line in failed:
        report.text(line)


def _reader(kind: str, path: Path, workers: int, options: Options) -> Worker:
    command = [sys.executable, str(Path(__file__).resolve()), kind, str(path), "--workers", str(workers)]
    return Worker(command, {"OMP_NUM_THREADS": "1"}, options.patience)


def _raw(outcome: Outcome) -> dict[str, object]:
    return {"seconds a batch": outcome.times, **({"why": outcome.why} if outcome.why else {})}


def _netdef(*arguments: str) -> None:
    """Run netdef's command line. Raises RuntimeError with its last line where it fails."""
    done = subprocess.run([sys.executable, "-m", "netdef.cli.main", *arguments], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"netdef {' '.join(arguments)}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")


# what runs in the workers --------------------------------------------------------------------------------------------


def _timed(ready: Ready, count: int, workers: int) -> list[float]:
    """The mean seconds of ``count`` batches, behind those that were read ahead while others had their turn."""
    ahead = max(AHEAD, 2 * workers) + workers
    for _ in range(ahead):
        ready.step()
    begin = time.perf_counter()
    for _ in range(count):
        ready.step()
    each = (time.perf_counter() - begin) / count
    time.sleep(each * ahead)  # reading ahead goes on, and must not take the processor from the next
    return [each]


def _net(layer: str) -> Ready:
    """A net of one data layer, as text of prototxt; a step is a pass."""
    os.environ["NETDEF_NUM_THREADS"] = "1"
    from netdef.runtime.net import Net

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.prototxt"
        path.write_text(f'layer {{ name: "data" top: "data" top: "label" {layer} }}\n', encoding="utf-8")
        imported = resident_now()
        made = Net(str(path), phase="TRAIN", seed=1)
    return Ready(made.forward, imported)


def digits(path: str, workers: int) -> Ready:
    """LeNet's data layer over an LMDB."""
    return _net(f'type: "Data" transform_param {{ scale: 0.00390625 }} data_param {{ source: "{path}" backend: LMDB '
                f"batch_size: 64 prefetch: {AHEAD} workers: {workers} }}")


def encoded(path: str, workers: int) -> Ready:
    """An LMDB of JPEG files."""
    return _net(f'type: "Data" {_transform()} data_param {{ source: "{path}" backend: LMDB batch_size: {BATCH} '
                f"prefetch: {AHEAD} workers: {workers} }}")


def images(path: str, workers: int) -> Ready:
    """The pictures of a list."""
    return _net(f'type: "ImageData" {_transform()} image_data_param {{ source: "{path}" batch_size: {BATCH} }} '
                f"data_param {{ prefetch: {AHEAD} workers: {workers} }}")


def _transform() -> str:
    means = " ".join(f"mean_value: {m:g}" for m in MEAN)
    return f"transform_param {{ crop_size: {CROP} mirror: true {means} }}"


def loader(path: str, workers: int) -> Ready:
    """PyTorch's DataLoader over the pictures of a list, as one would write it with Pillow and NumPy."""
    os.environ["NETDEF_KERNELS"] = "reference"
    import torch

    torch.set_num_threads(1)
    imported = resident_now()
    batches: Any = torch.utils.data.DataLoader(Pictures(Path(path)), BATCH, num_workers=workers, sampler=_Forever(Path(path)),
                                               persistent_workers=True)
    turn = iter(batches)
    return Ready(lambda: next(turn), imported)


class _Forever:
    """Numbers of pictures in their order, round and round."""

    def __init__(self, path: Path) -> None:
        self.count = len(path.read_text(encoding="utf-8").splitlines())

    def __iter__(self) -> Any:
        while True:
            yield from range(self.count)


class Pictures:
    """A dataset as PyTorch takes it: (a float32 crop (3, CROP, CROP), mirrored or not, less the mean; the label)."""

    def __init__(self, path: Path) -> None:
        import numpy as np

        self.rows = [line.rsplit(" ", 1) for line in path.read_text(encoding="utf-8").splitlines()]
        self.folder, self.mean = path.parent, np.array(MEAN[::-1], "float32")  # red first, as Pillow reads

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        import random

        import numpy as np
        from PIL import Image

        name, label = self.rows[index]
        with Image.open(self.folder / name) as file:
            pixels = np.asarray(file.convert("RGB"))
        top, left = (random.randint(0, size - CROP) for size in pixels.shape[:2])
        pixels = pixels[top: top + CROP, left: left + CROP]
        if random.random() < 0.5:
            pixels = pixels[:, ::-1]
        return np.ascontiguousarray((pixels - self.mean).transpose(2, 0, 1)), int(label)


MAKERS: dict[str, Callable[[str, int], Ready]] = {"digits": digits, "encoded": encoded, "images": images, "loader": loader}

if __name__ == "__main__":
    sys.exit(main())
