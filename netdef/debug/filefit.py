"""Whether a net and a file of weights fit, told without making the net: no memory is taken, nothing is copied."""
from __future__ import annotations

import math
from dataclasses import dataclass

from netdef import weights
from netdef.debug.filereport import MOST, count, printable
from netdef.debug.netlook import look, silent
from netdef.errors import Collector, NetdefError
from netdef.graph.describe import describe
from netdef.graph.infer import infer
from netdef.graph.params import collect_params
from netdef.graph.standin import Assumptions
from netdef.runtime.loadreport import LoadReport


@dataclass(frozen=True)
class Fit:
    """What is said of a net and a file of weights, and whether nothing speaks against the one with the other."""

    lines: list[str]
    ok: bool


def fits(net: str, path: str) -> Fit:
    """Lines that say which layers of a net get their params from a file, which do not, and where shapes differ."""
    from netdef.config.load import load_net

    try:
        with silent():
            errors = Collector()
            located = load_net(net, errors=errors)
            state = look(located)[-1].state
            d = describe(located, state.phase, state.level, state.stages, errors, Assumptions())
            shapes = infer(d, errors=errors)
            params = collect_params(shapes, errors)
        file = weights.read(path)
    except NetdefError as error:
        return Fit([printable(f"{net} with {path}: cannot be told: {error.message}")], False)
    own: dict[str, list[tuple[int, ...]]] = {}
    unknown = {d.layers[p.layer].name for p in params if shapes.inferred[p.layer] is None}
    for p in params:
        own.setdefault(d.layers[p.layer].name, []).append(tuple(p.init.shape))
    report, wrong = LoadReport(path, net_shapes=own), []
    report.file_shapes = {name: [tuple(a.shape) for a in arrays] for name, arrays in file.layers.items()}
    for name, arrays in file.layers.items():
        if not len(arrays):
            continue
        if name not in own and not any(n.name == name and n.layer is None for n in d.layers):
            report.ignored.append(name)
        elif name in own and name not in unknown and (text := _differs(file, name, own[name])):
            wrong.append(f"  {name}: {text}")
        else:
            report.loaded.append(name)
    report.not_in_file = [n for n in own if n not in report.loaded and not any(w.startswith(f"  {n}:") for w in wrong)]
    return Fit(_lines(net, report, wrong, unknown, state.phase), bool(report.loaded) and not wrong)


def _differs(file: weights.WeightsFile, name: str, own: list[tuple[int, ...]]) -> str:
    found = file.numbered(name)
    if len(found) > len(own) or (found and max(found) >= len(own)):
        return f"{count(len(found), 'array')} in the file, {len(own)} in the net"
    for place, (i, array) in enumerate(found.items()):
        if not weights.shapes_match(array.shape, own[i], file.is_legacy(name, place)):
            return f"param {i} has shape {tuple(array.shape)} in the file and {own[i]} in the net"
    return ""


def _lines(net: str, report: LoadReport, wrong: list[str], unknown: set[str], phase: str) -> list[str]:
    values = {n: sum(math.prod(s) for s in shapes) for n, shapes in report.net_shapes.items() if n not in unknown}
    total, loaded = sum(values.values()), sum(values.get(n, 0) for n in report.loaded)
    share = f", {100 * loaded / total:.1f}% of the net's values" if total else ""
    whole = not wrong and not report.not_in_file
    verdict = ("they DO NOT FIT" if wrong or not report.loaded else "they fit" if whole else "they fit in part")
    head = f"{net} (phase {phase}) with {report.path}: {verdict}: {count(len(report.loaded), 'layer')} loaded{share}"
    rest = report.lines()[1:]
    lines = [head, *wrong[:MOST], *rest[: 2 * MOST]]
    left = len(wrong) + len(rest) - (len(lines) - 1)
    lines += [f"  and {left} more"] if left > 0 else []
    known = unknown & set(report.loaded)
    lines += [f"  not compared, since their shapes are not known here: {', '.join(sorted(known)[:MOST])}"] if known else []
    return [printable(line) for line in lines]
