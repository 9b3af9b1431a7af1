"""Features: the values of any blobs for many items, in one .npz or HDF5 file.

The file holds an array (items, ...) for each blob, under the blob's name, and beside them ``files`` (where each item came
from) or, for a net's own data, ``labels`` and ``records``. Rows go to the disk as they are made, so that memory does not
grow with their number, and the file takes its name only when it is whole.
"""
from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from netdef.errors import NetdefError, did_you_mean
from netdef.graph.model import GraphPlan
from netdef.predict.batches import Batches
from netdef.predict.rows import Item
from netdef.runtime.executor import RunStep
from netdef.runtime.net import Net
from netdef.weights import atomic_write, h5py_or_error

ENDINGS = (".npz", ".h5", ".hdf5")
BESIDE = ("files", "labels", "records")
_CHUNK = 1 << 20  # bytes copied at a time


def check_blobs(plan: GraphPlan, blobs: Sequence[str]) -> None:
    """Raise NetdefError for blobs that the net does not have."""
    known = list(dict.fromkeys(v.blob for v in plan.description.values if not v.automatic))
    for name in blobs:
        if name not in known:
            raise NetdefError(f"the net has no blob '{name}'", hint=did_you_mean(name, known)
                              or "`netdef explain NET --stage shapes` lists them")
        if name in BESIDE:
            raise NetdefError(f"a blob called '{name}' has no place in the file: the name is taken")


def check_out(out: str | os.PathLike[str]) -> Path:
    """The file to write, links followed. Raises NetdefError for an ending or a folder that will not do."""
    target = Path(os.path.realpath(out))
    if target.suffix not in ENDINGS:
        raise NetdefError(f"expected a file that ends in {', '.join(ENDINGS)}, got '{target.name}'")
    if not target.parent.is_dir():
        raise NetdefError("the folder to write to does not exist", where=os.fspath(out))
    return target


def last_layer(plan: GraphPlan, blobs: Sequence[str]) -> str:
    """The last layer that has a hand in the blobs: no layer behind it need run."""
    makers = [v.maker for v in plan.description.values if v.blob in blobs]
    return plan.description.layers[max(makers)].name


def extract_items(net: Net, blobs: Sequence[str], items: Iterable[Item], out: str | os.PathLike[str],
                  batch: int | None = None, fixed: Mapping[str, np.ndarray] | None = None) -> dict[str, tuple[int, ...]]:
    """Write the blobs' values for ``items``; the shapes that were written, by name.

    Raises NetdefError where a blob has not one row an item, DataError, WeightsError where ``out`` cannot be written.
    """
    check_blobs(net.plan, blobs)
    batches = Batches(net, blobs, batch, end=last_layer(net.plan, blobs))
    files: list[str] = []

    def rows() -> Iterator[Mapping[str, np.ndarray]]:
        for item, values in batches.run(items, fixed):
            files.append(item.path or item.source)
            yield {name: value[None] for name, value in values.items()}

    return _write(out, rows(), lambda: {"files": np.array(files, dtype=np.str_)})


def extract_own(net: Net, blobs: Sequence[str], count: int, out: str | os.PathLike[str]) -> dict[str, tuple[int, ...]]:
    """Write the blobs' values for the first ``count`` records of the net's own data layer, with labels and the records'
    numbers where it has them; see ``extract_items``."""
    check_blobs(net.plan, blobs)
    source = next((run for run in net.steps if not run.bottoms and run.type not in ("Input", "Parameter")), None)
    if source is None:
        raise NetdefError(f"net '{net.name}' has no data layer", where=net.plan.description.located.file,
                          hint="give pictures, --csv or --npz")
    end = last_layer(net.plan, [*blobs, *(t.name for t in source.tops)])
    labels: list[np.ndarray] = []
    records: list[int] = []

    def rows() -> Iterator[Mapping[str, np.ndarray]]:
        done = 0
        while done < count:
            net.forward(end=end)
            made = {name: net.blobs[name].data for name in blobs}
            size = _batch(source, made)
            take = min(size, count - done)
            if len(source.tops) > 1:
                labels.append(source.tops[1].data[:take].copy())
            numbers = [source.layer.record_at(k) for k in range(take)]
            records.extend(n for n in numbers if n is not None)
            done += take
            yield {name: rows[:take] for name, rows in made.items()}

    def beside() -> dict[str, np.ndarray]:
        made = {"labels": np.concatenate(labels)} if labels else {}
        return {**made, **({"records": np.array(records, np.int64)} if len(records) == count else {})}

    return _write(out, rows(), beside)


def _batch(source: RunStep, made: Mapping[str, np.ndarray]) -> int:
    """The batch size that the data layer and all blobs share."""
    size = source.tops[0].shape[0]
    for name, rows in made.items():
        if not rows.ndim or len(rows) != size:
            raise NetdefError(f"blob '{name}' has the shape {rows.shape} for a batch of {size}; expected a row for each item")
    return size


def _write(out: str | os.PathLike[str], rows: Iterable[Mapping[str, np.ndarray]], beside: Any) -> dict[str, tuple[int, ...]]:
    """Spool rows into files in a folder beside ``out``, then put them together. ``beside`` gives the small arrays at the
    end."""
    target = check_out(out)
    h5py = None if target.suffix == ".npz" else h5py_or_error(out)
    with atomic_write(out) as file, tempfile.TemporaryDirectory(prefix=".netdef-", dir=target.parent) as folder:
        spool = _Spool(Path(folder))
        try:
            for some in rows:
                spool.add(some)
        finally:
            spool.close()
        small = beside()
        if h5py is None:
            _into_npz(file, spool, small)
        else:
            _into_hdf5(h5py, file, spool, small, Path(folder) / "whole.h5")
    return {**spool.shapes, **{name: array.shape for name, array in small.items()}}


class _Spool:
    """A file of raw float32 rows for each blob."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.files: dict[str, IO[bytes]] = {}

    def add(self, rows: Mapping[str, np.ndarray]) -> None:
        """Write some rows of every blob. Raises NetdefError where they have another shape than those before."""
        for name, some in rows.items():
            if name not in self.files:
                self.files[name] = open(self.folder / str(len(self.files)), "wb+")  # noqa: SIM115 (closed by close)
                self.shapes[name] = (0, *some.shape[1:])
            count, *item = self.shapes[name]
            if tuple(item) != some.shape[1:]:
                raise NetdefError(f"blob '{name}' had the shape {tuple(item)} an item and now has {some.shape[1:]}",
                                  hint="items of one size are wanted: resize them")
            self.files[name].write(np.ascontiguousarray(some, "<f4").data)
            self.shapes[name] = (count + len(some), *item)

    def close(self) -> None:
        """Close all files; they stay until their folder goes."""
        for file in self.files.values():
            file.close()

    def path(self, name: str) -> str:
        """The file of a blob."""
        return self.files[name].name


def _into_npz(file: IO[bytes], spool: _Spool, small: Mapping[str, np.ndarray]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, shape in spool.shapes.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member, open(spool.path(name), "rb") as raw:
                npy.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": shape})
                shutil.copyfileobj(raw, member, _CHUNK)
        for name, array in small.items():
            with archive.open(f"{name}.npy", "w") as member:
                npy.write_array(member, array, allow_pickle=False)


def _into_hdf5(h5py: Any, file: IO[bytes], spool: _Spool, small: Mapping[str, np.ndarray], made: Path) -> None:
    with h5py.File(made, "w") as whole:
        for name, shape in spool.shapes.items():
            dataset = whole.create_dataset(name, shape, "<f4")
            if dataset.size:
                raw = np.memmap(spool.path(name), "<f4", "r", shape=shape)
                step = max(1, _CHUNK // max(1, raw[0].nbytes))
                for at in range(0, len(raw), step):
                    dataset[at: at + step] = raw[at: at + step]
        for name, array in small.items():
            text = array.dtype.kind == "U"
            whole.create_dataset(name, data=array.astype(object) if text else array,
                                 dtype=h5py.string_dtype() if text else None)
    with open(made, "rb") as source:
        shutil.copyfileobj(source, file, _CHUNK)
