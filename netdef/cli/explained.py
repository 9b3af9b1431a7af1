"""What `netdef saliency` does with its options, and what it prints and writes."""
from __future__ import annotations

import os
from typing import Any

import click
import numpy as np

from netdef.cli.probed import Subject, subject, targets
from netdef.data.images import find_images
from netdef.errors import NetdefError
from netdef.probe.goals import UnitGoal, class_of, unit_of
from netdef.probe.pictures import ARRAYS, check_out, enlarged, fit, heat_colours, overlay, rows, write_arrays, write_picture
from netdef.probe.saliency import METHODS, Saliency, baseline_of, explain


def run(net: str, pictures: tuple[str, ...], given: dict[str, Any]) -> None:
    """Run the command. Raises click.UsageError, NetdefError."""
    methods = list(METHODS) if given["methods"] == "all" else [m.strip() for m in given["methods"].split(",") if m.strip()]
    for method in methods:
        if method not in METHODS:
            raise click.UsageError(f"--method: expected {', '.join(METHODS)} or all, got '{method}'")
    if given["unit"] is not None and given["wanted"] is not None:
        raise click.UsageError("--class and --unit are different questions: give one")
    paths = find_images(pictures)
    outs = targets(given["out"], paths)
    for out in outs:
        check_out(out, (".png", *ARRAYS))
    found = subject(net, given, given["blob"])
    for path, out in zip(paths, outs, strict=True):
        x = found.picture(path)
        unit, what = _unit(found, x, given)
        maps = [_explained(method, found, x, unit, given) for method in methods]
        click.echo(f"{path}: {what}: value {maps[0].value:.6g}")
        for made in maps:
            if made.check:
                click.echo(f"  {made.method}: {made.check}")
        _write(out, found, x, maps)
        click.echo(f"wrote {out}")


def _unit(found: Subject, x: np.ndarray, given: dict[str, Any]) -> tuple[tuple[int, ...], str]:
    """The unit to explain, and its name for people."""
    probe = found.probe
    if given["unit"] is not None:
        unit = unit_of(given["unit"])
        UnitGoal(unit).pick(np.zeros((1, *probe.out_shape)))
        return unit, f"unit {given['unit']} of '{probe.blob}'"
    outputs = probe.forward(x)
    if probe.classes is None:
        raise NetdefError(f"expected one score a class, (N, C), blob '{probe.blob}' is {probe.out_shape} an item",
                          hint="pick one of its units with --unit")
    scores = probe.probabilities(outputs).reshape(-1)
    index = int(scores.argmax()) if given["wanted"] is None else class_of(given["wanted"], found.labels, len(scores))
    kind = "probability" if probe.link else "output"
    return (index,), f"class {found.name(index)} ({kind} {scores[index]:.4f}), score '{probe.blob}'"


def _explained(method: str, found: Subject, x: np.ndarray, unit: tuple[int, ...], given: dict[str, Any]) -> Saliency:
    baseline = baseline_of(given["baseline"], found.space(x.shape[1:]))
    size = given["size"] or max(1, min(x.shape[2:]) // 7)
    options: dict[str, dict[str, Any]] = {
        "integrated": {"baseline": baseline, "steps": given["steps"]},
        "smooth": {"samples": given["samples"], "noise": given["noise"], "seed": given["seed"]},
        "occlusion": {"baseline": baseline, "size": size, "stride": max(1, size // 2)},
        "gradcam": {"blob": given["cam_blob"]}}
    return explain(method, found.probe, x, unit, **options.get(method, {}))


def _write(out: str, found: Subject, x: np.ndarray, maps: list[Saliency]) -> None:
    if os.path.splitext(out)[1].lower() in ARRAYS:
        write_arrays(out, maps[0].method, **{m.method: m.attribution for m in maps})
        return
    space = found.space(x.shape[1:])
    seen = space.as_bytes(space.to_units(x)[0])
    drawn = []
    for made in maps:
        heat = made.heat()
        colours = heat_colours(fit(heat, *seen.shape[:2]), bool((heat < 0).any()) or None)
        drawn.append([enlarged(seen), enlarged(colours), enlarged(overlay(seen, heat))])
    write_picture(out, rows(drawn))
