"""Where two runs first differ: config, seed, environment, metrics, params.

Config is compared in meaning: field by field, layers by name, names of files and places of snapshots left out. What only
one of two runs has recorded (a log has no config, a shorter run fewer iterations) is told and is no difference.
"""
from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netdef import weights
from netdef.config.load import load_net, load_solver
from netdef.config.spelling import value_text
from netdef.solvers.curves import RunRecords, read_run_records
from netdef.solvers.metrics import Record
from netdef.solvers.resolved import SOLVER
from netdef.solvers.rundir import RUN, read_run, snapshot_prefix

_PLACES = {"random_seed", "snapshot_prefix", "net", "train_net", "test_net"}  # solver fields without meaning for the numbers
_ENVIRONMENT = ("versions", "kernels", "threads", "processor", "system", "git")
_SHOWN = 12  # fields of the config that are listed


@dataclass(frozen=True)
class RunDifferences:
    """``lines`` say what was found, ``same`` whether config, seed, metrics and params agree as far as both runs have
    them. The environment is told and does not count."""

    lines: list[str]
    same: bool

    def render(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


def compare_runs(a: str | os.PathLike[str], b: str | os.PathLike[str], tolerance: float = 0.0) -> RunDifferences:
    """Compare two run directories, metrics files or logs.

    ``tolerance`` is relative: two numbers differ if they are more than this share of the larger one apart; params differ
    if a value is more than this share of the largest value of its param apart. Raises NetdefError.
    """
    runs = read_run_records(a), read_run_records(b)
    recorded = [Path(path).is_dir() and (Path(path) / RUN).is_file() for path in (a, b)]
    lines = [f"A: {runs[0].label}", f"B: {runs[1].label}"]
    same = True
    if all(recorded):
        config = list(_config(runs[0].folder, runs[1].folder))
        told = [_last_start(run.folder) for run in runs]
        seeds = [start.get("seed") for start in told]
        surroundings = list(_plain_differences(*told))
        lines += _listed("config", config) + [f"seed: {seeds[0]}" if seeds[0] == seeds[1] else f"seed: {seeds[0]} and {seeds[1]}"]
        lines += _listed("environment", surroundings)
        same = not config and seeds[0] == seeds[1]
    else:
        lines.append("config, seed, environment: not recorded for " + " and ".join(
            run.label for run, known in zip(runs, recorded, strict=True) if not known))
    metrics, equal = _metrics(*runs, tolerance)
    lines += metrics
    same &= equal
    if all(recorded):
        params, equal = _params(runs[0].folder, runs[1].folder, tolerance)
        lines += params
        same &= equal
    return RunDifferences([*lines, "the runs are the same" if same else "the runs differ"], same)


def _listed(what: str, found: list[str]) -> list[str]:
    if not found:
        return [f"{what}: same"]
    more = [f"  and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return [f"{what}: {len(found)} difference{'s' if len(found) > 1 else ''}", *(f"  {f}" for f in found[:_SHOWN]), *more]


# config -------------------------------------------------------------------------------------------------------


def _config(a: Path, b: Path) -> Iterator[str]:
    """The fields of the solver and of its nets that differ."""
    solvers = [load_solver(str(folder / SOLVER)).message for folder in (a, b)]
    yield from _fields("solver ", *(_flat(solver, _PLACES) for solver in solvers))
    nets = [_nets(folder, solver) for folder, solver in zip((a, b), solvers, strict=True)]
    for name in dict.fromkeys([*nets[0], *nets[1]]):
        if name not in nets[0] or name not in nets[1]:
            yield f"{name}: only in {'A' if name in nets[0] else 'B'}"
        else:
            yield from _fields("" if len(nets[0]) == 1 else f"{name}: ", nets[0][name], nets[1][name])


def _nets(folder: Path, solver: Any) -> dict[str, dict[str, str]]:
    """The nets that stand in files of their own, flat, by the field that names them."""
    named = {"net": solver.net, "train_net": solver.train_net}
    named |= {f"test_net {i}": name for i, name in enumerate(solver.test_net)}
    return {field: _flat_net(load_net(str(folder / name)).message) for field, name in named.items() if name}


def _flat_net(net: Any) -> dict[str, str]:
    flat = _flat(net, {"layer", "name"})
    seen: dict[str, int] = {}
    for layer in net.layer:
        seen[layer.name] = seen.get(layer.name, 0) + 1
        name = f"layer '{layer.name}'" + (f" ({seen[layer.name]}.)" if seen[layer.name] > 1 else "")
        flat |= {f"{name} {path}": text for path, text in _flat(layer, {"name"}).items()}
    return flat


def _flat(message: Any, without: set[str]) -> dict[str, str]:
    """Every given field by its path."""
    flat: dict[str, str] = {}
    for field, value in message.ListFields():
        if field.name in without:
            continue
        repeated = hasattr(value, "extend")
        for i, element in enumerate(value if repeated else [value]):
            path = f"{field.name}[{i}]" if repeated and len(value) > 1 else field.name
            if field.message_type is not None:
                flat |= {f"{path}.{inner}": text for inner, text in _flat(element, set()).items()} or {path: "{}"}
            else:
                flat[path] = value_text(field, element)
    return flat


def _fields(where: str, a: dict[str, str], b: dict[str, str]) -> Iterator[str]:
    for path in dict.fromkeys([*a, *b]):
        if a.get(path) != b.get(path):
            yield f"{where}{path}: {a.get(path, 'not given')} and {b.get(path, 'not given')}"


# environment ----------------------------------------------------------------------------------------------------


def _last_start(folder: Path) -> dict[str, Any]:
    starts: list[dict[str, Any]] = read_run(folder)["starts"]
    return starts[-1] if starts else {}


def _plain_differences(a: dict[str, Any], b: dict[str, Any]) -> Iterator[str]:
    for name in _ENVIRONMENT:
        mine, theirs = a.get(name) or {}, b.get(name) or {}
        if isinstance(mine, dict) and isinstance(theirs, dict):
            yield from (f"{name} {key}: {mine.get(key)} and {theirs.get(key)}"
                        for key in dict.fromkeys([*mine, *theirs]) if mine.get(key) != theirs.get(key))
        elif mine != theirs:
            yield f"{name}: {mine} and {theirs}"


# metrics --------------------------------------------------------------------------------------------------------


def _metrics(a: RunRecords, b: RunRecords, tolerance: float) -> tuple[list[str], bool]:
    """The first record with a difference, and whether there is none."""
    theirs = {_key(record): record for record in b.records}
    common = [(record, theirs[_key(record)]) for record in a.records if _key(record) in theirs]
    if not common:
        return ["metrics: no display or test at a common iteration"], True
    differing = [(mine, found) for mine, other in common if (found := list(_values(mine, other, tolerance)))]
    last = [max(r["iter"] for r in run.records) for run in (a, b)]
    notes = [f"  only {'A' if last[0] > last[1] else 'B'} goes on after iteration {min(last)}"] if last[0] != last[1] else []
    if not differing:
        return [f"metrics: same in {len(common)} records, up to iteration {common[-1][0]['iter']}", *notes], True
    record, found = differing[0]
    place = f"test net {record['net']}" if record["kind"] == "test" else "train net"
    head = f"metrics: first difference at iteration {record['iter']}, {place}:"
    return [head, *(f"  {text}" for text in found), f"  {len(differing)} of {len(common)} records differ", *notes], False


def _key(record: Record) -> tuple[str, int, int]:
    return record["kind"], record["iter"], record.get("net", -1)


def _values(a: Record, b: Record, tolerance: float) -> Iterator[str]:
    """The numbers of two records that differ; what only one of them has is no difference."""
    for name in ("lr", "loss", "smoothed_loss", "grad_norm"):
        if a.get(name) is not None and b.get(name) is not None:
            yield from _number(name, a[name], b[name], tolerance)
    for kind in ("outputs", "grad_norms"):
        mine, theirs = a.get(kind, {}), b.get(kind, {})
        for name in (n for n in mine if n in theirs):
            label = name if kind == "outputs" else f"gradient of {name}"
            pair = [value if isinstance(value, list) else [value] for value in (mine[name], theirs[name])]
            if len(pair[0]) != len(pair[1]):
                yield f"{label}: {len(pair[0])} numbers and {len(pair[1])}"
                continue
            for i, (x, y) in enumerate(zip(*pair, strict=True)):
                yield from _number(label if len(pair[0]) == 1 else f"{label}[{i}]", x, y, tolerance)


def _number(name: str, a: float, b: float, tolerance: float) -> Iterator[str]:
    if a == b or (a != a and b != b):
        return
    size = max(abs(a), abs(b))
    share = abs(a - b) / size
    if not share <= tolerance:  # so that NaN against a number differs
        digits = 6 if f"{a:.6g}" != f"{b:.6g}" else 17
        yield f"{name}: {a:.{digits}g} and {b:.{digits}g}, {abs(a - b):.3g} apart ({share:.2g} of the larger)"


# params ---------------------------------------------------------------------------------------------------------


def _params(a: Path, b: Path, tolerance: float) -> tuple[list[str], bool]:
    """The first param that differs at the first common snapshot where one does, and whether there is none."""
    mine, theirs = _snapshots(a), _snapshots(b)
    common = sorted(set(mine) & set(theirs))
    for iteration in common:
        found = _first_param(weights.read(mine[iteration]), weights.read(theirs[iteration]), tolerance)
        if found:
            return [f"params: first difference at iteration {iteration}: {found}"], False
    if not common:
        return ["params: no snapshots of a common iteration"], True
    return [f"params: same in the snapshots of iteration {', '.join(map(str, common))}"], True


def _snapshots(folder: Path) -> dict[int, Path]:
    """The weights of each snapshot of a run by iteration."""
    prefix = Path(snapshot_prefix(folder))
    pattern = re.compile(re.escape(prefix.name) + r"_iter_(\d+)\.caffemodel(\.h5)?")
    names = os.listdir(prefix.parent) if prefix.name and prefix.parent.is_dir() else []
    return {int(found[1]): prefix.parent / name for name in names if (found := pattern.fullmatch(name))}


def _first_param(a: weights.WeightsFile, b: weights.WeightsFile, tolerance: float) -> str:
    for name in dict.fromkeys([*a.layers, *b.layers]):
        mine, theirs = a.layers.get(name, []), b.layers.get(name, [])
        if len(mine) != len(theirs):
            return f"layer '{name}' has {len(mine)} params and {len(theirs)}"
        for i, (x, y) in enumerate(zip(mine, theirs, strict=True)):
            if x.shape != y.shape:
                return f"{name}[{i}] has shape {x.shape} and {y.shape}"
            if found := _difference(x, y, tolerance):
                return f"{name}[{i}]: {found}"
    return ""


def _difference(x: np.ndarray, y: np.ndarray, tolerance: float) -> str:
    """How many values differ, and the largest difference; empty where none is beyond the tolerance."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        apart = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
        most = np.nanmax([np.max(np.abs(v), initial=0.0, where=np.isfinite(v)) for v in (x, y)])
        beyond = ~(apart <= tolerance * most)
    if not beyond.any():
        return ""
    at = np.unravel_index(int(np.argmax(np.where(np.isnan(apart), np.inf, apart))), x.shape)
    place = f" at ({', '.join(str(int(n)) for n in at)})" if x.ndim else ""
    return f"{int(beyond.sum()):,} of {x.size:,} values differ, most{place}: {x[at]:.9g} and {y[at]:.9g}"
