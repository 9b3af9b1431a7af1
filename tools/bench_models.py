"""Any net from files of Caffe's: netdef against OpenCV (and BVLC Caffe) reading the same files, inference only.

Before anything is timed, each peer's outputs are compared with netdef's, on a picture of noise; a peer that differs is left out.
"""
from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench_nets import import_caffe
from bench_race import Contender, Options, Outcome, Target, chosen, command_of, race
from bench_report import Report
from bench_tables import notes, ratios, raw, times
from bench_timing import Quiet
from bench_worker import Ready, reason, resident_now, serve

TOLERANCE = 2e-3
"""Of an output's largest value, or of 0.01 where all are smaller."""
SURE = 0.3
"""Detections with lower scores are not compared: where they end depends on rounding."""

Made = tuple[Callable[[], object], Callable[[Sequence[str]], dict[str, Any]], int]
"""A step, a function that gives what layers made in a pass (by layer name), and the bytes that were resident before."""


def target_of(text: str) -> Target:
    """NAME=PROTOTXT,CAFFEMODEL. Raises argparse.ArgumentTypeError."""
    name, equals, files = text.partition("=")
    prototxt, comma, weights = files.partition(",")
    if not (name and equals and comma and prototxt and weights):
        raise argparse.ArgumentTypeError(f"expected NAME=PROTOTXT,CAFFEMODEL, got '{text}'")
    for path in (prototxt, weights):
        if not Path(path).is_file():
            raise argparse.ArgumentTypeError(f"{path}: no such file")
    return Target(name, 0, (str(Path(prototxt).resolve()), str(Path(weights).resolve())))


def run(targets: Sequence[Target], threads: Sequence[int], only: Sequence[str], options: Options, report: Report) -> None:
    """Check and race the nets, print a table for each number of threads and one of ratios."""
    contenders, missing = chosen(only, files=True)
    for line in missing:
        report.text(line)
    quiet, pick = Quiet(), options.pick("infer")
    able = {target.name: _agreeing(target, contenders, options.patience, report) for target in targets}
    names, labels = {target.name: target.name for target in targets}, [c.label for c in contenders]
    by_threads: dict[int, dict[str, dict[str, Outcome]]] = {}
    for count in threads:
        found = by_threads[count] = {t.name: race(t, "infer", count, able[t.name], options) for t in targets}
        report.title(f"inference of nets from files, {count} thread{'s' * (count > 1)}")
        report.text("Milliseconds (and peak megabytes beyond the imports):")
        report.table(*times(found, labels, names, pick))
        for note in notes(found):
            report.text(note)
        report.raw.setdefault("models", {})[str(count)] = raw(found)
        report.quiet(quiet)
    compared = ratios(by_threads, pick)
    if compared:
        report.text("Time over netdef's, in brackets the number of threads:")
        report.table(*compared)


def _agreeing(target: Target, contenders: Sequence[Contender], patience: float, report: Report) -> list[Contender]:
    """The contenders whose outputs are netdef's, and netdef itself; says what was compared."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        def outputs(contender: Contender) -> dict[str, Any] | str:
            path = Path(folder) / f"{contender.library}.npz"
            try:
                done = subprocess.run([*command_of(contender, target, "infer", 1), "--outputs", str(path)], capture_output=True,
                                      text=True, timeout=patience)
            except subprocess.TimeoutExpired:
                return f"no answer within {patience:g} s"
            if done.returncode:
                lines = (done.stdout + done.stderr).strip().splitlines() or [f"ended with status {done.returncode}"]
                return next((line[7:] for line in lines if line.startswith("failed ")), lines[-1])
            with np.load(path) as arrays:
                return {name.removeprefix("layer "): arrays[name] for name in arrays.files}

        named = {c.library: c for c in contenders if not c.tuned} | {c.library: c for c in contenders}
        own = outputs(chosen(["netdef"], files=True)[0][0])
        if isinstance(own, str):
            report.text(f"{target.name}: netdef does not run it: {own}")
            return []
        out = set()
        for library, contender in named.items():
            if library != "netdef":
                other = outputs(contender)
                wrong = other if isinstance(other, str) else difference(own, other)
                if wrong:
                    out.add(library)
                    report.text(f"{target.name}: {contender.family} is left out: {wrong}")
                else:
                    report.text(f"{target.name}: {contender.family}'s outputs agree with netdef's: {', '.join(own)}")
    return [c for c in contenders if c.library not in out]


def difference(own: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """What is wrong with a peer's outputs by layer name, "" where they agree. Detections are compared where they are sure."""
    import numpy as np

    for name, want in own.items():
        got = other[name]
        if want.ndim == 4 and want.shape[1] == 1 and want.shape[3] == 7:
            want, got = (_sure(a.reshape(-1, 7)) for a in (want, got))
            if len(want) != len(got):
                return f"{name}: {len(got)} detections, netdef has {len(want)}"
        if got.size != want.size:
            return f"{name}: shape {got.shape}, netdef has {want.shape}"
        largest = max(1e-2, float(np.abs(want).max(initial=0)))
        off = float(np.abs(got.reshape(want.shape).astype("f8") - want).max(initial=0))
        if not off <= TOLERANCE * largest:
            return f"{name}: off by {off:.3g}, its largest value is {largest:.3g}"
    return ""


def _sure(rows: Any) -> Any:
    """Detections with good scores, in the order of score and place."""
    import numpy as np

    rows = rows[rows[:, 2] > SURE]
    return rows[np.lexsort(rows[:, [3, 2]].round(3).T)]


def work(library: str, prototxt: str, weights: str, threads: int, outputs: str | None) -> int:
    """What a worker does: time passes; or, with ``outputs``, run once and write what comes out, by layer name, to that .npz."""
    make = LIBRARIES.get(library)
    if make is None:
        print(f"failed {library} does not run nets from files")
        return 1
    if not outputs:
        def ready() -> Ready:
            step, _, imported = make(prototxt, weights, threads, _plan(prototxt))
            return Ready(step, imported)
        return serve(ready)
    import numpy as np
    try:
        plan = _plan(prototxt)
        step, read, _ = make(prototxt, weights, threads, plan)
        step()
        found: dict[str, Any] = {f"layer {name}": value for name, value in read(_ends(plan)).items()}  # "file" is no key
        np.savez(outputs, **found)
    except Exception as error:
        print(f"failed {reason(error)}")
        return 1
    return 0


def _plan(prototxt: str) -> Any:
    from netdef.graph.build import build

    return build(prototxt, "TEST")


def _ends(plan: Any) -> list[str]:
    """The layers whose tops are compared: those that make the outputs, and those that a DetectionOutput reads scores from."""
    values, found = plan.description.values, []
    read = {bottom for step in plan.steps for bottom in step.node.bottoms}
    for step in plan.steps:
        if step.node.bottoms and step.node.tops and not read.intersection(step.node.tops):
            found += [values[b].maker for b in step.node.bottoms[:2]] if step.node.type == "DetectionOutput" else []
            found.append(step.node.index)
    return [plan.steps[index].node.name for index in dict.fromkeys(found)]


def _top(plan: Any, layer: str) -> str:
    """The blob that a layer makes."""
    step = next(step for step in plan.steps if step.node.name == layer)
    return str(plan.description.values[step.node.tops[0]].blob)


def _inputs(plan: Any) -> dict[str, Any]:
    """A picture of noise for each input, around zero, as spread as pictures without their mean."""
    import numpy as np
    from bench_pictures import noise

    rng = np.random.default_rng(0)
    shapes = {name: next(plan.shapes.values[v.id] for v in plan.description.values if v.blob == name)
              for name in plan.description.inputs}
    return {name: (noise(rng, shape) * 50).astype("float32") for name, shape in shapes.items()}


def _netdef(prototxt: str, weights: str, threads: int, plan: Any) -> Made:
    os.environ["NETDEF_NUM_THREADS"] = str(threads)
    import netdef.kernels.jit  # noqa: F401
    from netdef.runtime.net import Net

    data, keep = _inputs(plan), [_top(plan, layer) for layer in _ends(plan)]
    imported = resident_now()
    made = Net(plan, weights=weights, keep=keep, freeze=True, seed=1)
    for name, array in data.items():
        made.blobs[name].data[...] = array
    return made.forward, lambda layers: {name: made.blobs[_top(plan, name)].data.copy() for name in layers}, imported


def _opencv(prototxt: str, weights: str, threads: int, plan: Any) -> Made:
    os.environ["NETDEF_KERNELS"] = "reference"
    cv2 = importlib.import_module("cv2")
    cv2.setNumThreads(threads)
    data = _inputs(plan)
    imported = resident_now()
    made = cv2.dnn.readNetFromCaffe(prototxt, weights)
    ends = made.getUnconnectedOutLayersNames()

    def step() -> None:
        for name, array in data.items():
            made.setInput(array, name)
        made.forward(ends)
    return step, lambda layers: dict(zip(layers, made.forward(list(layers)), strict=True)), imported


def _pycaffe(prototxt: str, weights: str, threads: int, plan: Any) -> Made:
    os.environ["NETDEF_KERNELS"] = "reference"
    caffe, data = import_caffe(threads), _inputs(plan)
    imported = resident_now()
    made = caffe.Net(prototxt, weights, caffe.TEST)
    for name, array in data.items():
        made.blobs[name].data[...] = array
    return made.forward, lambda layers: {name: made.blobs[_top(plan, name)].data.copy() for name in layers}, imported


LIBRARIES: dict[str, Callable[[str, str, int, Any], Made]] = {"netdef": _netdef, "opencv": _opencv, "pycaffe": _pycaffe}

if __name__ == "__main__":
    sys.exit("run tools/bench.py --model NAME=PROTOTXT,CAFFEMODEL")
