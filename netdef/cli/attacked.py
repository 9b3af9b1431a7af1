"""What `netdef attack` does with its options, and what it prints and writes."""
from __future__ import annotations

import os
from typing import Any

import click
import numpy as np

from netdef.cli.probed import Subject, subject, targets
from netdef.data.images import find_images
from netdef.errors import DataError, NetdefError
from netdef.graph.render import table
from netdef.probe.attack import Attack, Attacked, attack
from netdef.probe.goals import class_of
from netdef.probe.pictures import check_out, difference, write_picture
from netdef.probe.records import own_records
from netdef.probe.space import Space, reread
from netdef.probe.subject import linked

_BATCH = 50  # pictures in one pass
_SHOWN = 20  # rows of the table


def run(net: str, pictures: tuple[str, ...], given: dict[str, Any]) -> None:
    """Run the command. Raises click.UsageError, NetdefError."""
    if bool(pictures) == (given["count"] is not None):
        raise click.UsageError("give pictures, or --count N for the net's own test data")
    if given["count"] is not None and given["right"] is not None:
        raise click.UsageError("--class: the net's own data have labels")
    names = find_images(pictures) if pictures else [f"record_{k}" for k in range(given["count"])]
    outs = targets(given["out"], names) if given["out"] else []
    for out in outs:
        check_out(out, (".png",))
    found = subject(net, given, given["blob"])
    x, labels = _inputs(net, found, names, given)
    target = None if given["target"] is None else class_of(given["target"], found.labels, found.probe.classes)
    how = Attack(given["method"], given["norm"], given["eps"], given["steps"], given["step"], not given["no_random"],
                 given["seed"], target)
    space = found.space(x.shape[1:])
    if outs and not space.picture:
        raise click.UsageError(f"--out: the input of {space.shape} is no picture")
    made = [attack(found.probe, space, x[k: k + _BATCH], None if labels is None else labels[k: k + _BATCH], how)
            for k in range(0, len(x), _BATCH)]
    _show(found, names, made, how)
    if outs:
        _write(found, space, outs, made)


def _inputs(net: str, found: Subject, names: list[str], given: dict[str, Any]) -> tuple[np.ndarray, np.ndarray | None]:
    """What to attack (N, C, H, W), and its classes where they are known."""
    if given["count"] is not None:
        values, labels = own_records(net, given["count"])
        if values.shape[1:] != found.probe.shape:
            raise NetdefError(f"the data are {values.shape[1:]} an item, the net's input is {found.probe.shape}")
        return values.astype(np.float64), labels
    made = [found.picture(path) for path in names]
    for path, x in zip(names, made, strict=True):
        if x.shape != made[0].shape:
            raise DataError(f"expected pictures of one size, the first is {made[0].shape[1:]} and this {x.shape[1:]}", where=path)
    if given["right"] is None:
        return np.concatenate(made), None
    return np.concatenate(made), np.full(len(made), class_of(given["right"], found.labels, found.probe.classes))


def _show(found: Subject, names: list[str], made: list[Attacked], how: Attack) -> None:
    rows, k = [], 0
    for part in made:
        for i in range(len(part.labels)):
            before, after = part.before[i], part.after[i]
            said, now = int(before.argmax()), int(after.argmax())
            verdict = "fooled" if part.fooled[i] else "wrong before" if said != part.labels[i] else "held"
            rows.append((names[k], f"{found.name(said)} ({before[said]:.4f})", f"{found.name(now)} ({after[now]:.4f})",
                         f"{after[part.labels[i]]:.4f}", f"{part.moved[i]:.0f}", f"{part.length[i]:.0f}", verdict))
            k += 1
    head = ("input", "before", "after", "p of the right class", "largest change", "length", "verdict")
    click.echo(table(rows[:_SHOWN], head, [3, 4, 5]) + (f"\n... and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""))
    right, fooled = (sum(int(getattr(part, name).sum()) for part in made) for name in ("right", "fooled"))
    aim = "" if how.target is None else f" (taken for {found.name(how.target)})"
    click.echo(f"\n{how.method}, {how.norm}, eps {how.eps:g}: of {len(rows)} pictures the net knew {right}; {fooled} of these "
               f"fooled{aim}" + (f", {fooled / right:.1%}" if right else ""))


def _write(found: Subject, space: Space, outs: list[str], made: list[Attacked]) -> None:
    """Write the changed pictures and the changes, and ask the net about the files again."""
    k = same = fooled = 0
    for part in made:
        for i in range(len(part.labels)):
            stem = os.path.splitext(outs[k])[0]
            write_picture(outs[k], space.as_bytes(part.units[i]))
            write_picture(f"{stem}_change.png", difference(part.units[i], part.original[i], space.rgb))
            again = found.probe.forward(space.to_values(reread(outs[k], space)[None])).reshape(1, -1)
            said = int(linked(again.astype(np.float64), found.probe.link or "softmax")[0].argmax())
            same += said == int(part.after[i].argmax())
            fooled += bool(part.fooled[i]) and said == int(part.after[i].argmax())
            k += 1
    where = outs[0] if len(outs) == 1 else os.path.dirname(outs[0])
    click.echo(f"wrote {where}" + (f", {k} pictures and their changes" if k > 1 else f" and {stem}_change.png"))
    click.echo(f"read again from the files: the net says the same of {same} of {k}, and {fooled} fool it")
