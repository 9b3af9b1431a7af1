"""Recording: the data and gradient of every blob and param of a pass, kept, written as .npz and read back."""
from __future__ import annotations

import fnmatch
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from netdef.config.write import to_prototxt
from netdef.errors import NetdefError
from netdef.runtime.executor import RunStep
from netdef.runtime.net import Net
from netdef.weights.atomic import atomic_write


@dataclass
class Recording:
    """One pass.

    ``arrays`` has the keys ``blob/<name>/data``, ``blob/<name>/diff``, ``param/<layer>/<i>/data`` and
    ``param/<layer>/<i>/diff``; blobs that get no gradient have no diff. A param that several layers share has, for each
    of them, the gradient by this use alone under ``param/<layer>/<i>/part``; the parts add up to the diff. After a
    solver's step ``param/<layer>/<i>/update`` is what it subtracted.
    """

    loss: float
    iteration: int
    net_text: str
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def of(self, layer: str, index: int, what: str) -> np.ndarray | None:
        """A param's array (``data``, ``diff``, ``part``, ``update``), or None where it was not recorded."""
        return self.arrays.get(f"param/{layer}/{index}/{what}")

    def only(self, layers: str, made_by: dict[str, str]) -> Recording:
        """The part of it that belongs to layers whose names match a pattern; ``made_by``: blob -> its last layer."""
        def wanted(key: str) -> bool:
            kind, _, rest = key.partition("/")
            name = rest.rsplit("/", 1)[0] if kind == "blob" else rest.rsplit("/", 2)[0]
            return fnmatch.fnmatchcase(made_by.get(name, name) if kind == "blob" else name, layers)

        return Recording(self.loss, self.iteration, self.net_text, {k: a for k, a in self.arrays.items() if wanted(k)})

    def write(self, path: Path) -> None:
        """Write everything into one .npz, which appears whole or not at all. Raises WeightsError (full disk)."""
        save(path, loss=np.float64(self.loss), iteration=np.int64(self.iteration), net=np.str_(self.net_text),
             **self.arrays)


def save(path: Path, **arrays: Any) -> None:
    """``np.savez`` that leaves what stood there whole if it fails."""
    with atomic_write(path) as f:
        np.savez(cast(IO[bytes], f), **arrays)


def write_together(recordings: Sequence[Recording], path: Path) -> None:
    """Several passes as one .npz: every array gets a first axis, the passes. Raises NetdefError where sizes changed."""
    keys = recordings[0].arrays
    try:
        stacked = {k: np.stack([r.arrays[k] for r in recordings]) for k in keys}
    except (ValueError, KeyError) as e:
        raise NetdefError(f"the blobs changed between passes ({e}), so they do not fit into one file", where=str(path),
                          hint="give a folder: each pass then has a file of its own") from e
    save(path, loss=np.array([r.loss for r in recordings]), iteration=np.array([r.iteration for r in recordings]),
         net=np.str_(recordings[0].net_text), **stacked)


def read(path: Path) -> list[Recording]:
    """The recordings of a .npz (of one pass or several) or of a folder of them, by iteration.

    Raises NetdefError where there are none or a file is no recording.
    """
    if path.is_dir():
        found = [r for p in sorted(path.glob("iter_*.npz")) for r in read(p)]
        if not found:
            raise NetdefError("holds no recording (iter_<n>.npz)", where=str(path))
        return sorted(found, key=lambda r: r.iteration)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        loss, iteration, text = arrays.pop("loss"), arrays.pop("iteration"), str(arrays.pop("net"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as e:
        raise NetdefError(f"is no recording of `netdef grads`: {e}", where=str(path)) from e
    if loss.ndim == 0:
        return [Recording(float(loss), int(iteration), text, arrays)]
    return [Recording(float(x), int(n), text, {k: a[i] for k, a in arrays.items()})
            for i, (x, n) in enumerate(zip(loss, iteration, strict=True))]


def record(net: Net, iteration: int | None = None) -> Recording:
    """Copies of all data and gradients as they are after ``net.forward()`` and ``net.backward()``.

    ``Recorder`` also sees what only shows while backward runs: the parts of shared params.
    """
    last = net.pass_number - 1 if iteration is None else iteration
    result = Recording(net.loss, last, to_prototxt(net.plan.description.located.message))
    for value in net.plan.description.values:
        if value.automatic:
            continue
        blob = net.blobs[value.blob]
        result.arrays[f"blob/{value.blob}/data"] = blob.data.copy()
        if value.id in net.plan.with_gradient:
            result.arrays[f"blob/{value.blob}/diff"] = blob.diff.copy()
    for layer, params in net.params.items():
        for i, param in enumerate(params):
            result.arrays[f"param/{layer}/{i}/data"] = param.data.copy()
            result.arrays[f"param/{layer}/{i}/diff"] = param.diff.copy()
    return result


class Recorder:
    """Records passes of one net, with the parts of shared params; it listens from its making until ``close``."""

    def __init__(self, net: Net) -> None:
        self.net = net
        owners = [p.owner for p in net.plan.params]
        self.shared = {p.id for p in net.plan.params if owners.count(p.owner) > 1}
        self._before: dict[int, np.ndarray] = {}
        self._parts: dict[str, np.ndarray] = {}
        self._handles = [net.hooks.add("before_backward", self._remember),
                         net.hooks.add("after_backward", self._subtract)] if self.shared else []

    def _remember(self, run: RunStep) -> None:
        for p, blob in zip(run.step.params, run.params, strict=True):
            if p in self.shared:
                self._before[p] = blob.diff.copy()

    def _subtract(self, run: RunStep) -> None:
        for i, (p, blob) in enumerate(zip(run.step.params, run.params, strict=True)):
            if p in self.shared:
                key = f"param/{run.name}/{i}/part"
                part = blob.diff - self._before.pop(p)
                self._parts[key] = self._parts[key] + part if key in self._parts else part

    def take(self, iteration: int | None = None) -> Recording:
        """The recording of the passes since the last ``take``."""
        result = record(self.net, iteration)
        result.arrays.update(self._parts)
        self._parts = {}
        return result

    def close(self) -> None:
        """Listen no more."""
        for handle in self._handles:
            handle.remove()


def note_updates(recording: Recording, net: Net) -> None:
    """After the solver's update: what it subtracted from each param."""
    for layer, params in net.params.items():
        for i, param in enumerate(params):
            data = recording.of(layer, i, "data")
            assert data is not None
            recording.arrays[f"param/{layer}/{i}/update"] = data - param.data
