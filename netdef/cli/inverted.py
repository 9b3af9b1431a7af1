"""What `netdef invert` does with its options, and what it prints and writes."""
from __future__ import annotations

import os
import zipfile
from typing import Any

import click
import numpy as np

from netdef.cli.probed import Subject, subject
from netdef.data.images import SUFFIXES
from netdef.errors import DataError, NetdefError
from netdef.probe.exact import invert_exactly
from netdef.probe.goals import ClassGoal, Goal, UnitGoal, ValuesGoal, class_of, unit_of
from netdef.probe.invert import STARTS, Settings, invert, start_units
from netdef.probe.pictures import ARRAYS, check_out, enlarged, write_animation, write_arrays, write_picture
from netdef.probe.space import Space

_CONFIDENT = 0.99  # the probability that --method exact takes a wanted class for


def run(net: str, given: dict[str, Any]) -> None:
    """Run the command. Raises click.UsageError, NetdefError."""
    check_out(given["out"], (".png", *ARRAYS))
    if given["animate"]:
        check_out(given["animate"], (".gif",))
    name, value = _target(given)
    exact = given["method"] == "exact"
    if exact and given["unit"] is not None:
        raise click.UsageError("--unit asks for a maximum, which --method exact does not know")
    if exact and given["animate"]:
        raise click.UsageError("--animate shows the way of a search, and --method exact makes none")
    blob = given["blob"] if name in ("class", None) else name
    found = subject(net, given, blob, scores=not exact and name != blob, dtype="float64" if exact else "float32")
    limits = given["limits"]
    if limits is not None and (len(limits) != 2 or limits[0] >= limits[1]):
        raise click.UsageError(f"--range: expected LOW,HIGH, got {','.join(f'{v:g}' for v in limits)}")
    space = found.space(limits=limits)
    if exact:
        _exactly(found, space, _wanted_exactly(found, name, value), given)
    else:
        _search(found, space, _goal(found, name, value, given["unit"]), given)


def _target(given: dict[str, Any]) -> tuple[str | None, str]:
    """The name and value of --target, (None, "") for --unit. Raises click.UsageError."""
    if (given["target"] is None) == (given["unit"] is None):
        raise click.UsageError("give either --target (class=3, BLOB=VALUES) or --unit (with --blob)")
    if given["target"] is None:
        return None, ""
    name, equals, value = given["target"].partition("=")
    if not equals or not value or not name:
        raise click.UsageError(f"--target: expected class=3 or BLOB=VALUES, got '{given['target']}'")
    if name != "class" and given["blob"] is not None:
        raise click.UsageError("--target BLOB=VALUES names its blob: leave --blob out")
    return name, value


def _goal(found: Subject, name: str | None, value: str, unit: str | None) -> Goal:
    if unit is not None:
        goal = UnitGoal(unit_of(unit))
        goal.pick(np.zeros((1, *found.probe.out_shape)))  # says so now where there is none
        return goal
    if name == "class":
        if found.probe.classes is None:
            raise NetdefError(f"class: expected one score a class, (N, C), blob '{found.probe.blob}' is "
                              f"{found.probe.out_shape} an item", hint="ask for a --unit, or for BLOB=VALUES")
        return ClassGoal((class_of(value, found.labels, found.probe.classes),), found.probe.link)
    return ValuesGoal(_values(found, value))


def _wanted_exactly(found: Subject, name: str | None, value: str) -> np.ndarray:
    """The outputs that --method exact starts from."""
    if name != "class":
        return _values(found, value)
    probe = found.probe
    maker = probe.net.steps[-1].type
    if probe.classes is None or maker not in ("Softmax", "Sigmoid"):
        raise NetdefError(f"--method exact: what class={value} means for '{probe.blob}' is not known, since no Softmax or "
                          "Sigmoid makes it", hint=f"give its values: --target {probe.blob}=0.1,0.9")
    rest = (1 - _CONFIDENT) / (probe.classes - 1) if maker == "Softmax" else 1 - _CONFIDENT
    wanted = np.full(probe.classes, rest)
    wanted[class_of(value, found.labels, probe.classes)] = _CONFIDENT
    return wanted


def _values(found: Subject, value: str) -> np.ndarray:
    """A blob's values: typed, from a file, or those that it has for a picture."""
    if value.lower().endswith(SUFFIXES):
        return found.probe.forward(found.picture(value))[0].astype(np.float64)
    if value.lower().endswith(ARRAYS):
        return _array(value, found.probe.blob)
    try:
        wanted = np.array([float(v) for v in value.split(",")])
    except ValueError:
        raise click.UsageError("--target: expected numbers with commas, an .npy file or a picture, got "
                               f"'{value}'") from None
    if not np.isfinite(wanted).all():
        raise click.UsageError(f"--target: expected finite numbers, got '{value}'")
    return wanted


def _array(path: str, name: str) -> np.ndarray:
    """An array of an .npy, or of an .npz by name. Raises DataError."""
    try:
        with open(path, "rb") as file:
            got = np.load(file, allow_pickle=False)
            if isinstance(got, np.lib.npyio.NpzFile):
                if name not in got.files and len(got.files) != 1:
                    raise DataError(f"the archive has no array '{name}', only {', '.join(got.files)}", where=path)
                got = got[name if name in got.files else got.files[0]]
    except OSError as error:
        raise DataError(f"cannot read the values: {error.strerror or error}", where=path) from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"is no array that can be read: {error}", where=path) from error
    if got.dtype.kind not in "fiub" or not np.isfinite(got).all():
        raise DataError(f"expected finite numbers, got an array of {got.dtype}", where=path)
    return np.asarray(got, np.float64)


def _search(found: Subject, space: Space, goal: Goal, given: dict[str, Any]) -> None:
    settings = Settings(given["rule"], given["rate"], given["iterations"], given["tolerance"], given["l2"], given["tv"],
                        given["blur"], jitter=given["jitter"], box=not given["no_box"])
    start = _start(found, space, given["start"], given["seed"])
    every = max(1, settings.iterations // 10)

    def told(step: int, loss: float, residual: float) -> None:
        if step % every == 0:
            click.echo(f"step {step:4d}: loss {loss:.5g}" + (f", residual {residual:.3g}" if np.isfinite(residual) else ""))

    made = invert(found.probe, space, goal, start, settings, given["seed"], told, given["animate"] is not None)
    if not np.isfinite(made.residual):
        end = f"the largest of {len(made.losses)} steps is that of step {made.best}"
    elif made.reached:
        end = f"reached in step {made.best}"
    else:
        end = (f"not reached in {len(made.losses) - 1} steps: the residual is {made.residual:.3g}, above the tolerance "
               f"{settings.tolerance:g}; step {made.best} is taken")
    click.echo(f"{end}\n{goal.report(made.outputs[None])}")
    outside = _write(found, space, given["out"], made.values, made.outputs, goal)
    if outside:
        click.echo(outside)
    if given["animate"]:
        frames = [enlarged(space.as_bytes(f)) if space.picture else _grey(f) for _, f in made.frames]
        write_animation(given["animate"], frames)
        click.echo(f"wrote {given['animate']}, {len(frames)} pictures")


def _exactly(found: Subject, space: Space, wanted: np.ndarray, given: dict[str, Any]) -> None:
    made = invert_exactly(found.probe, wanted, None if given["no_box"] else space, given["clip"], given["constant"])
    click.echo(str(made))
    outside = _write(found, space, given["out"], made.values, made.outputs, ValuesGoal(wanted))
    if outside:
        click.echo(outside)


def _start(found: Subject, space: Space, where: str, seed: int) -> np.ndarray:
    if where in STARTS:
        return start_units(space, where, seed)
    if where.lower().endswith(".npy"):
        values = _array(where, "")
        if values.size != int(np.prod(space.shape)):
            raise DataError(f"expected {space.shape} values to start from, got {values.shape}", where=where)
        return space.to_units(values.reshape(1, *space.shape))
    if not os.path.exists(where) and not where.lower().endswith(SUFFIXES):
        raise click.UsageError(f"--start: expected {', '.join(STARTS)}, a picture or an .npy file, got '{where}'")
    x = found.picture(where)
    if x.shape[1:] != space.shape:
        raise DataError(f"expected a start of {space.shape}, the preprocessing gives {x.shape[1:]}", where=where)
    return space.to_units(x)


def _write(found: Subject, space: Space, out: str, values: np.ndarray, outputs: np.ndarray, goal: Goal) -> str:
    """Write the input; what to say of a picture's 8 bits."""
    said = ""
    if out.lower().endswith(ARRAYS):
        write_arrays(out, "x", x=values, outputs=outputs)
    elif not space.picture:
        raise NetdefError(f"the input '{found.probe.input}' of {space.shape} is no picture", hint="write an .npy or .npz file")
    else:
        units = space.to_units(values)
        pixels = space.as_bytes(units)
        write_picture(out, pixels)
        off = int(((units < -1e-6) | (units > 1 + 1e-6)).sum())
        said = f"as a picture of 8 bits: {goal.report(found.probe.forward(space.to_values(space.of_bytes(pixels))[None]))}"
        if off:
            said += f"\n{off} of {units.size} values are no pixels from 0 to 255 and were cut off; an .npy file holds them"
    click.echo(f"wrote {out}")
    return said


def _grey(units: np.ndarray) -> np.ndarray:
    """Values that are no picture as one: a row of them, or their first two axes, from black to white."""
    flat = units.reshape(units.shape[0], -1) if units.ndim > 1 else units.reshape(1, -1)
    low, high = float(flat.min()), float(flat.max())
    return enlarged(np.floor((flat - low) / ((high - low) or 1) * 255 + 0.5).astype(np.uint8)[:, :, None])
